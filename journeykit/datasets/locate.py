"""Find what ships with the package: in a checkout where it was written, in an installed wheel under `_share`."""

from __future__ import annotations

from pathlib import Path

from journeykit.errors import ParameterError
from journeykit.schema import check_one_of, did_you_mean

# Kind -> where it lies in a checkout; pyproject.toml puts the same into the wheel, under journeykit/_share.
_CHECKOUT = {"samples": "data/samples", "notebooks": "notebooks/reports"}
_WHEEL = {"samples": "samples", "notebooks": "notebooks/reports"}


def shared_folder(kind: str) -> Path:
    """Return the folder of the samples or of the report notebooks.

    Parameters
    ----------
    kind : {"samples", "notebooks"}
        What is looked for.

    Raises
    ------
    FileNotFoundError
        If neither a checkout nor a wheel is around this module.
    """
    check_one_of("kind", kind, _CHECKOUT)
    package = Path(__file__).resolve().parents[1]
    # The wheel's own copy first: a folder `data` beside an installed package is somebody else's.
    for folder in (package / "_share" / _WHEEL[kind], package.parent / _CHECKOUT[kind]):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"journeykit's {kind} are missing: neither in the package nor in a checkout around it")


def shared_path(kind: str, name: str) -> Path:
    """Return one file that ships with the package.

    Parameters
    ----------
    kind : {"samples", "notebooks"}
        What is looked for.
    name : str
        The file's name with its ending.

    Raises
    ------
    ParameterError
        If there is no such file; the error names those that exist.

    Examples
    --------
    >>> from journeykit.datasets.locate import shared_path
    >>> shared_path("samples", "guitar_shop.parquet").name
    'guitar_shop.parquet'
    """
    folder = shared_folder(kind)
    path = folder / name
    if Path(name).name != name or not path.is_file():
        known = sorted(each.name for each in folder.iterdir() if each.is_file())
        raise ParameterError(f"there is no file {name!r} among the {kind}: {did_you_mean(name, known)}")
    return path
