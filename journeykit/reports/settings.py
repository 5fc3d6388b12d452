"""journeykit.toml: what a command would otherwise have to be told every night."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from journeykit.errors import ParameterError
from journeykit.reports.sources import SAMPLES
from journeykit.schema import did_you_mean

FILE: Final = "journeykit.toml"
PATHS: Final = ("log", "out", "params", "thresholds")
"""Options that are paths: in the file they are relative to the file."""


def find_settings(folder: Path) -> Path | None:
    """Return the nearest journeykit.toml, here or in a folder above."""
    folder = folder.resolve()
    return next((each / FILE for each in (folder, *folder.parents) if (each / FILE).is_file()), None)


def read_settings(path: Path, known: Mapping[str, set[str]]) -> dict[str, dict[str, Any]]:
    """Read the defaults of commands.

    Parameters
    ----------
    path : Path
        The file: a table per command, its options as keys, as in
        `[report.run]` with `log = "events.parquet"`.
    known : mapping
        Command, as `report.run` → the names of its options, with dashes.

    Returns
    -------
    dict
        Command → option (with underscores) → value.

    Raises
    ------
    ParameterError
        If the file can't be read, or names a command or option that there
        isn't: a misspelt one must not be passed over.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"cannot read {path}: {error}") from error
    found: dict[str, dict[str, Any]] = {}
    for command, options in _commands(tables, known):
        if command not in known:
            raise ParameterError(f"{path}: there is no command {command!r}: {did_you_mean(command, known)}")
        if not isinstance(options, dict):
            raise ParameterError(f"{path}: {command} is a command: give its options in a table [{command}]")
        for name in options:
            if name not in known[command]:
                raise ParameterError(f"{path}: {command} has no option {name!r}: {did_you_mean(name, known[command])}")
        found[command] = {name.replace("-", "_"): _value(name, value, path.parent) for name, value in options.items()}
    return found


def _commands(tables: Mapping[str, Any], known: Mapping[str, set[str]]) -> list[tuple[str, Any]]:
    """Flatten tables to commands: `[report.run]` is the command report.run, `[check]` the command check."""
    groups = {command.partition(".")[0] for command in known if "." in command}
    flat: list[tuple[str, Any]] = []
    for name, table in tables.items():
        if name in groups and isinstance(table, dict):
            flat += [(f"{name}.{command}", options) for command, options in table.items()]
        else:
            flat.append((name, table))
    return flat


def _value(name: str, value: Any, folder: Path) -> Any:
    if name == "param" and isinstance(value, dict):
        return [f"{key}={_as_word(each)}" for key, each in value.items()]
    if name in PATHS and isinstance(value, str) and "://" not in value and value not in SAMPLES:
        return str(folder / value)
    return value


def _as_word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        import json

        return json.dumps(value, default=str)
    return str(value)
