"""Read the sample data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import pandas as pd

from journeykit.datasets.locate import shared_path
from journeykit.errors import JourneykitError, ParameterError
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log import InteractionLog

SAMPLES: Final = ("guitar_shop", "guitar_shop_small", "guitar_shop_messy", "guitar_shop_spend", "cdnow")
"""Names that `load_sample` knows."""

TIMEZONE: Final = "Europe/Istanbul"
_SMALL_UNTIL: Final = "2024-07-01"


@overload
def load_sample(
    name: Literal["guitar_shop", "guitar_shop_small", "cdnow"], *, stages: Any = "digital"
) -> InteractionLog: ...
@overload
def load_sample(
    name: Literal["guitar_shop_spend", "guitar_shop_messy"], *, stages: Any = "digital"
) -> pd.DataFrame: ...
def load_sample(name: str, *, stages: Any = "digital") -> InteractionLog | pd.DataFrame:
    """Load sample data by name.

    Parameters
    ----------
    name : str
        - `"guitar_shop"`: 5,000 simulated customers of a shop that sells
          guitars and lessons, 18 months (`simulate_journeys` with its
          defaults, so its truth is known);
        - `"guitar_shop_small"`: the same kind, 200 customers, from a CSV;
        - `"guitar_shop_spend"`: what the shop spent, a DataFrame with `month`,
          `channel` and `spend`;
        - `"guitar_shop_messy"`: some of its rows with faults put in, a
          DataFrame of text, as it stands in the file;
        - `"cdnow"`: purchases of 23,570 customers of CDNOW who first bought in
          early 1997, from the package `lifetimes` (see Notes).
    stages : StageModel, "digital", "ecommerce" or None
        Stages to give the events of a guitar shop's log.

    Returns
    -------
    InteractionLog or DataFrame
        The log, or the table.

    Raises
    ------
    ParameterError
        If there is no such sample.
    JourneykitError
        If `"cdnow"` is asked for and `lifetimes` is not installed.

    Notes
    -----
    CDNOW: touchpoint `order`, `value` in US dollars, `quantity` as a property;
    dates only, 1997-01-01 until 1998-06-30. Orders of a customer on one day
    are kept apart. Fader & Hardie (2001), "Forecasting repeat sales at CDNOW".

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> log.n_customers, log.timezone
    (5000, 'Europe/Istanbul')
    >>> jk.load_sample("guitar_shop_spend").columns.tolist()
    ['month', 'channel', 'spend']
    """
    if name == "cdnow":
        return _cdnow()
    if name == "guitar_shop_spend":
        return pd.read_csv(shared_path("samples", "guitar_shop_spend.csv"), parse_dates=["month"])
    if name == "guitar_shop_messy":
        return pd.read_csv(shared_path("samples", "guitar_shop_messy.csv"), dtype=str, keep_default_na=False)
    if name not in SAMPLES:
        raise ParameterError(f"there is no sample {name!r}: {did_you_mean(name, SAMPLES)}")
    from journeykit.journey import StageModel
    from journeykit.log import read_log

    shipped = {"digital": StageModel.digital, "ecommerce": StageModel.ecommerce}
    if isinstance(stages, str):
        if stages not in shipped:
            raise ParameterError(f"stages must be a StageModel, None or one of {list(shipped)}, got {stages!r}")
        stages = shipped[stages]()
    if name == "guitar_shop":
        return read_log(shared_path("samples", "guitar_shop.parquet"), stages=stages)
    path = shared_path("samples", "guitar_shop.csv")
    return read_log(typed_csv(path), timezone=TIMEZONE, observed_until=_SMALL_UNTIL, stages=stages)


def typed_csv(path: Path) -> pd.DataFrame:
    """Read the small sample's CSV with the types of its columns."""
    types = {"order_id": "Int64", "ticket_id": "Int64", "customer": "str"}
    return pd.read_csv(path, parse_dates=["time", "promised_at"], dtype=types)


def _cdnow() -> InteractionLog:
    from importlib.util import find_spec

    from journeykit.log import read_log

    # Found, not imported: lifetimes warns and patches on import.
    spec = find_spec("lifetimes")
    path = Path(spec.origin).parent / "datasets" / "CDNOW_master.txt" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise JourneykitError(
            'the CDNOW data comes with the package lifetimes, which is not installed: pip install "journeykit[oracles]"'
        )
    columns = ["customer", "time", "quantity", "value"]
    raw = pd.read_csv(path, sep=r"\s+", skiprows=1, names=columns, dtype={"customer": "str", "time": "str"})
    raw["time"] = pd.to_datetime(raw["time"], format="%Y%m%d")
    raw["touchpoint"] = "order"
    # Two equal purchases on one day are two: dates have no time that could tell them apart.
    return read_log(raw, value="value", duplicates="keep", observed_until="1998-07-01")
