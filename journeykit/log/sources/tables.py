"""Sources that come as rows of Python values: workbooks, and databases."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from journeykit.errors import LogError, ParameterError
from journeykit.log.pieces import Batch
from journeykit.log.sources.columnar import plain_types
from journeykit.log.sources.engine import engine, name, stream
from journeykit.log.sources.raw import Raw, Reading, of_frame
from journeykit.schema import did_you_mean


class Workbook:
    """One sheet of a workbook: .xlsx, .xls, .xlsb or .ods."""

    def __init__(self, path: str, reading: Reading) -> None:
        try:
            from python_calamine import CalamineError, CalamineWorkbook
        except ImportError as error:
            raise LogError(f'to read {path!r}, install the extra: pip install "journeykit[excel]"') from error
        self.path = path
        try:
            book = CalamineWorkbook.from_path(path)
        except (CalamineError, OSError) as error:
            raise LogError(f"cannot read {path!r} as a workbook: {error}") from error
        sheet = _sheet(list(book.sheet_names), reading.sheet, path)
        rows = book.get_sheet_by_name(sheet).to_python(skip_empty_area=True)
        header = [str(cell).strip() or f"column{i}" for i, cell in enumerate(rows[0])] if rows else []
        cells = [[None if cell == "" else cell for cell in row] for row in rows[1:]]
        self._frame = pd.DataFrame(cells, columns=pd.Index(header, dtype=object), dtype=object).infer_objects()
        self.columns = header
        self.expected = len(cells)

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Its rows; all of them at once."""
        yield self._frame


def _sheet(sheets: list[str], wanted: str | int | None, path: str) -> str:
    if isinstance(wanted, str):
        if wanted not in sheets:
            raise ParameterError(f"{path!r} has no sheet {wanted!r}: {did_you_mean(wanted, sheets)}")
        return wanted
    if wanted is None and len(sheets) > 1:
        raise ParameterError(f"{path!r} has {len(sheets)} sheets, {sheets}: say sheet=…")
    if not 0 <= (wanted or 0) < len(sheets):
        raise ParameterError(f"{path!r} has {len(sheets)} sheets, numbered from 0; got sheet={wanted}")
    return sheets[wanted or 0]


# -- databases -----------------------------------------------------------------------------------


def of_query(query: str, connection: Any) -> Raw:
    """Read what a query, or the name of a table, gives on a connection.

    Parameters
    ----------
    query : str
        SQL, or the name of a table or view.
    connection : object
        A DB-API connection, a SQLAlchemy connection or engine, a DuckDB
        connection, or the path of a SQLite or DuckDB file.
    """
    if isinstance(connection, str | Path):
        return _of_file(query, str(connection))
    if type(connection).__module__.split(".")[0] in ("duckdb", "_duckdb"):
        return _of_duckdb(connection, query)
    if type(connection).__module__.startswith("sqlalchemy"):
        return of_frame(_of_sqlalchemy(query, connection))
    if not hasattr(connection, "cursor"):
        raise ParameterError(
            "connection must be a DB-API, SQLAlchemy or DuckDB connection, or the path of a SQLite or DuckDB file, "
            f"got {type(connection).__name__}"
        )
    return of_frame(_of_dbapi(query, connection))


def _statement(query: str) -> str:
    """Take a bare name as the table of that name."""
    if re.fullmatch(r"\s*[^\s;()]+\s*", query):
        return "SELECT * FROM " + ".".join(name(part.strip('"')) for part in query.strip().split("."))
    return query


def _of_file(query: str, path: str) -> Raw:
    if not Path(path).is_file():
        raise LogError(f"there is no file {path!r}")
    with Path(path).open("rb") as file:
        head = file.read(16)
    if head.startswith(b"SQLite format 3"):
        # Opened for reading only: a query that writes is refused.
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return of_frame(_of_dbapi(query, connection))
    if head[8:12] != b"DUCK":
        raise LogError(f"{path!r} is neither a SQLite nor a DuckDB file")
    import duckdb

    try:
        with engine(path) as connection:
            table = _query_duckdb(connection, query)
            columns, batches = list(table.columns), [plain_types(batch) for batch in stream(table)]
    except duckdb.Error as error:
        raise LogError(f"the query failed: {error}") from error
    return Raw(columns, iter(batches))


def _of_duckdb(connection: Any, query: str) -> Raw:
    import duckdb

    try:
        table = _query_duckdb(connection, query)
        return Raw(list(table.columns), (plain_types(batch) for batch in stream(table)))
    except duckdb.Error as error:
        raise LogError(f"the query failed: {error}") from error


def _query_duckdb(connection: Any, query: str) -> Any:
    table = connection.sql(_statement(query))
    if table is None:
        raise ParameterError("the statement gives no rows: a log is read by a SELECT")
    return table


def _of_sqlalchemy(query: str, connection: Any) -> pd.DataFrame:
    from sqlalchemy import text
    from sqlalchemy.engine import Engine
    from sqlalchemy.exc import SQLAlchemyError

    if not isinstance(connection, Engine):
        return _fetch(lambda: connection.execute(text(_statement(query))), SQLAlchemyError)
    with connection.connect() as opened:
        return _fetch(lambda: opened.execute(text(_statement(query))), SQLAlchemyError)


def _fetch(execute: Any, errors: type[Exception]) -> pd.DataFrame:
    try:
        result = execute()
        if not result.returns_rows:
            raise ParameterError("the statement gives no rows: a log is read by a SELECT")
        return _frame([tuple(row) for row in result.fetchall()], list(result.keys()))
    except errors as error:
        raise LogError(f"the query failed: {error}") from error


def _of_dbapi(query: str, connection: Any) -> pd.DataFrame:
    cursor = connection.cursor()
    try:
        cursor.execute(_statement(query))
        if cursor.description is None:
            raise ParameterError("the statement gives no rows: a log is read by a SELECT")
        return _frame(cursor.fetchall(), [column[0] for column in cursor.description])
    except (ParameterError, MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:  # every driver has its own base of errors
        raise LogError(f"the query failed: {error}") from error
    finally:
        cursor.close()


def _frame(rows: list[Any], columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame.from_records([tuple(row) for row in rows], columns=columns)
