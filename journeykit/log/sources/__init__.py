"""Where a raw log comes from: files, frames, tables of other libraries, databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from journeykit.errors import ParameterError
from journeykit.log.sources.columnar import of_arrow
from journeykit.log.sources.files import read_files
from journeykit.log.sources.raw import LinesLostError, Lost, Raw, Reading, of_frame
from journeykit.log.sources.tables import of_query

__all__ = ["LinesLostError", "Lost", "Raw", "Reading", "read_source"]


def _is_path(source: Any, reading: Reading) -> bool:
    several = source if isinstance(source, list | tuple) else [source]
    return reading.connection is None and all(isinstance(each, str | Path) for each in several)


def read_source(source: Any, reading: Reading) -> Raw:
    """Open a source; nothing is interpreted yet, and a CSV's cells stay text.

    Parameters
    ----------
    source : DataFrame, str, Path, list of paths, or an object with Arrow's stream
        What to read.
    reading : Reading
        What is stated about it.
    """
    if reading.columns is not None and not _is_path(source, reading):
        raise ParameterError("columns names those of a CSV file without a header: this source names its own")
    if reading.connection is not None:
        if not isinstance(source, str):
            raise ParameterError(f"with a connection, a query or a table's name is read, got {type(source).__name__}")
        return of_query(source, reading.connection)
    if isinstance(source, pd.DataFrame):
        return of_frame(source)
    if isinstance(source, str | Path):
        return read_files([str(source)], reading)
    if isinstance(source, list | tuple) and source and all(isinstance(each, str | Path) for each in source):
        return read_files([str(each) for each in source], reading)
    if hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
        return of_arrow(source)
    lazy = " (collect a lazy frame first)" if hasattr(source, "collect") else ""
    raise ParameterError(
        "a log is read from a DataFrame, a file, a folder, a pattern, a table of Arrow, Polars or DuckDB, or a query "
        f"with a connection, got {type(source).__name__}{lazy}"
    )
