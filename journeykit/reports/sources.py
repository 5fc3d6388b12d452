"""The log of a run: read once, described for run.json, handed to every notebook as one prepared file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from journeykit.errors import LogError, ParameterError
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

SAMPLE: Final = "guitar_shop"
"""What a report runs on when no log is named."""

SAMPLES: Final = (SAMPLE, "guitar_shop_small", "cdnow")
"""Logs that can be named instead of a file."""

CONFIG_LOG: Final = "log"
"""The key of a TOML file that says where the log is."""

_BLOCK: Final = 1 << 20


@dataclass(frozen=True)
class LogSource:
    """Where the log of a run comes from, and how to read it.

    Attributes
    ----------
    given : str, Path, InteractionLog or None
        A file, a pattern, the name of a sample, a log in memory, or None for
        the sample data.
    options : mapping
        Further arguments of `read_log`: columns, timezone, observed_until.
    """

    given: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, given: Any, options: Mapping[str, Any] | None = None) -> LogSource:
        """Take a log as it was given; a TOML file says where it is, `log`, and how to read it.

        The file holds `log = "events/*.parquet"`, relative to itself, and
        arguments of `read_log`: `customer`, `time`, `touchpoint`, `channel`,
        `value`, `timezone`, `observed_until` …

        Raises
        ------
        ParameterError
            If the file can't be read, or names an argument that there isn't.
        """
        options = dict(options or {})
        if isinstance(given, str | Path) and str(given).endswith(".toml"):
            found, told = _read_config(Path(given))
            return cls(found, {**told, **options})
        return cls(given, options)

    @property
    def sample(self) -> str | None:
        """The sample that is meant; where nobody named a log, one stands in."""
        if self.given is None:
            return SAMPLE
        return self.given if isinstance(self.given, str) and self.given in SAMPLES else None

    @property
    def path(self) -> Path | None:
        """The one file it is read from, absolute; None for a log in memory, a pattern or another file system."""
        if self.sample is not None or not isinstance(self.given, str | Path) or not Path(self.given).is_file():
            return None
        return Path(self.given).resolve()

    @property
    def file(self) -> Path | None:
        """The one file that holds it: a sample's own, or `path`."""
        from journeykit.datasets.locate import shared_path

        stored = {SAMPLE: "guitar_shop.parquet", "guitar_shop_small": "guitar_shop.csv"}
        return shared_path("samples", stored[self.sample]) if self.sample in stored else self.path

    @property
    def name(self) -> str:
        """What the page calls it: never a whole path."""
        if self.sample is not None:
            return self.sample
        return Path(self.given).name if isinstance(self.given, str | Path) else "a log in memory"

    def read(self) -> InteractionLog:
        """Read it.

        Raises
        ------
        ParameterError
            If the file isn't there, or a column is unknown.
        LogError
            If the log can't be used.
        """
        from journeykit.log import InteractionLog, read_log

        if isinstance(self.given, InteractionLog):
            return self.given
        if self.sample is not None:
            return _load(self.sample)
        source = self.path or str(self.given)
        local = "://" not in str(source) and not any(sign in str(source) for sign in "*?[")
        if local and not Path(source).exists():
            raise ParameterError(f"there is no file {source}")
        try:
            return read_log(source, **self.options)
        except OSError as error:
            raise LogError(f"cannot read {source}: {error}") from error


def _read_config(path: Path) -> tuple[Any, dict[str, Any]]:
    """Read where a log is and how it is read from a TOML file."""
    import inspect
    import tomllib

    from journeykit.log import read_log

    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"cannot read {path}: {error}") from error
    known = [CONFIG_LOG, *list(inspect.signature(read_log).parameters)[1:]]
    for name in told:
        if name not in known:
            raise ParameterError(f"{path} has {name!r}: {did_you_mean(name, known)}")
    log = told.pop(CONFIG_LOG, None)
    if not isinstance(log, str):
        raise ParameterError(f'{path} must say where the log is: {CONFIG_LOG} = "events.csv"')
    return (log if "://" in log or log in SAMPLES else str(path.resolve().parent / log)), told


def _load(name: str) -> InteractionLog:
    """Load a sample as it is: the report decides on its stages."""
    from journeykit.datasets import load_sample

    if name == "cdnow":
        return load_sample("cdnow")
    return load_sample("guitar_shop" if name == SAMPLE else "guitar_shop_small", stages=None)


def describe_log(log: InteractionLog, source: LogSource) -> dict[str, Any]:
    """Say which data a run used, so that it can be found and checked again."""
    path, file = source.path, source.file
    first, last = (log.times.min(), log.times.max()) if log.n_events else (None, None)
    return {
        "name": source.name,
        "sample": source.sample is not None,
        "path": str(path) if path else (str(source.given) if isinstance(source.given, str | Path) else None),
        "bytes": file.stat().st_size if file else None,
        "sha256": file_hash(file) if file else None,
        "options": {name: str(value) for name, value in source.options.items() if value is not None},
        "rows_read": log.rows_read,
        "rows_quarantined": len(log.quarantine),
        "duplicates_merged": log.duplicates_merged,
        "events": log.n_events,
        "customers": log.n_customers,
        "first_event": _instant(first, log.timezone),
        "last_event": _instant(last, log.timezone),
        "start": log.starts_at.isoformat(),
        "observed_until": log.ends_at.isoformat(),
        "timezone": log.timezone,
    }


def check_period(log: InteractionLog, start: str | None, end: str | None) -> None:
    """Refuse a period in which the log holds nothing, before a kernel is started for it.

    Raises
    ------
    LogError
        Naming the period asked for and the one there is.
    """
    if start is None and end is None:
        return
    try:
        empty = log.between(start, end).n_events == 0
    except ParameterError as error:
        raise LogError(str(error)) from error
    if empty:
        raise LogError(
            f"no interaction between {start or 'the beginning'} and {end or 'the end'}: "
            f"the log runs from {log.starts_at} to {log.ends_at}"
        )


def file_hash(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _instant(microseconds: int | None, timezone: str) -> str | None:
    from journeykit.log.calendar import as_timestamp

    return None if microseconds is None else as_timestamp(int(microseconds), timezone).isoformat()
