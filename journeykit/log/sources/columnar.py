"""Sources that know their types: Parquet, Arrow and Feather files, and objects that hand out Arrow streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from journeykit.errors import LogError
from journeykit.log.pieces import Batch
from journeykit.log.sources.raw import Raw, Reading, ahead

_ROWS = 1 << 20


class ParquetFile:
    """A Parquet file; texts come as dictionaries, so that a touchpoint's name is kept once, not once an event."""

    def __init__(self, path: str, reading: Reading) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self._schema, self.expected = file.schema_arrow, int(file.metadata.num_rows)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
            raise LogError(f"cannot read {path!r} as Parquet: {error}") from error

    @property
    def columns(self) -> list[str]:
        """Its column names, in order."""
        return list(self._schema.names)

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Its rows, some at a time."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        texts = [
            each.name for each in self._schema if pa.types.is_string(each.type) or pa.types.is_large_string(each.type)
        ]
        try:
            with pq.ParquetFile(self.path, read_dictionary=texts) as file:
                for batch in ahead(file.iter_batches(_ROWS), depth=1):
                    yield plain_types(batch)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
            raise LogError(f"cannot read {self.path!r} as Parquet: {error}") from error


class ArrowFile:
    """An Arrow or Feather file, in the file or the stream format."""

    expected = None

    def __init__(self, path: str, reading: Reading) -> None:
        self.path = path
        with self._open() as reader:
            self.columns = list(reader.schema.names)

    def _open(self) -> Any:
        import pyarrow as pa

        try:
            source = pa.memory_map(self.path)
            try:
                return pa.ipc.open_file(source)
            except pa.ArrowInvalid:
                source.seek(0)
                return pa.ipc.open_stream(source)
        except (pa.ArrowInvalid, OSError) as error:
            raise LogError(f"cannot read {self.path!r} as Arrow or Feather: {error}") from error

    def batches(self, raw: Raw, rows_before: int) -> Iterator[Batch]:
        """Its rows, as they are cut in the file."""
        import pyarrow as pa

        with self._open() as reader:
            if isinstance(reader, pa.ipc.RecordBatchFileReader):
                for i in range(reader.num_record_batches):
                    yield plain_types(reader.get_batch(i))
            else:
                for batch in reader:
                    yield plain_types(batch)


def of_arrow(source: Any) -> Raw:
    """Read any object that hands out an Arrow stream: pyarrow, Polars, a DuckDB relation."""
    import pyarrow as pa

    if isinstance(source, pa.RecordBatchReader):
        reader = source
    else:
        try:
            reader = pa.RecordBatchReader.from_stream(source)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise LogError(f"cannot read the {type(source).__name__} as a table: {error}") from error
    return Raw(list(reader.schema.names), (plain_types(batch) for batch in reader))


def plain_types(batch: Any) -> Any:
    """Bring the types that Arrow has several of into one: views of texts, durations of bytes, wide dictionaries."""
    import pyarrow as pa

    if all(_is_plain(column.type) for column in batch.columns):
        return batch
    columns = [column if _is_plain(column.type) else _plain(column) for column in batch.columns]
    return pa.record_batch(columns, names=batch.schema.names)


def _is_plain(kind: Any) -> bool:
    import pyarrow as pa

    odd = (pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    if isinstance(kind, pa.BaseExtensionType) or any(test(kind) for test in odd):
        return False
    return not pa.types.is_dictionary(kind) or _is_plain(kind.value_type)


def _plain(column: Any) -> Any:
    import pyarrow as pa

    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
        return column if _is_plain(column.type) else _plain(column)
    if pa.types.is_dictionary(column.type):
        return pa.DictionaryArray.from_arrays(column.indices, _plain(column.dictionary))
    if pa.types.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pa.types.is_fixed_size_binary(column.type):
        return pa.array([None if each is None else each.hex() for each in column.to_pylist()], pa.string())
    try:
        return column.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:  # bytes that are no text: shown as they are
        return pa.array([None if each is None else each.hex() for each in column.to_pylist()], pa.string())
