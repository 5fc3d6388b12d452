"""Dates that are not written year first: read only where they can mean one thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_CLOCK = (
    r"(?:[T ,:]\s*(?:at )?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"

_TWO_FIRST = rf"(?P<first>\d{{1,2}})(?P<sign>[./-])(?P<then>\d{{1,2}})(?P=sign)(?P<year>\d{{4}}){_CLOCK}"
_YEAR_FIRST = rf"(?P<year>\d{{4}})[./-](?P<month>\d{{1,2}})[./-](?P<day>\d{{1,2}}){_CLOCK}"
_NAMED = (
    rf"(?:[A-Za-z]{{2,9}}\.?,? )?(?P<day>\d{{1,2}})[ /.-]{{1,2}}{_MONTH}[ /.,-]{{1,2}}(?P<year>\d{{4}}){_CLOCK}",
    rf"(?:[A-Za-z]{{2,9}}\.?,? )?{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}}){_CLOCK}",
)


@dataclass(frozen=True)
class Rewritten:
    """Texts brought into ISO 8601, year first.

    Attributes
    ----------
    texts : Series of str
        ISO texts; missing where the original could not be read, or could mean
        two dates.
    kinds : array of object
        How each was written: `"day_before_month"`, `"month_by_name"` …; empty
        where it was not read.
    ambiguous : int
        Texts such as 03/04/2024 whose order nothing in the column decides.
    """

    texts: pd.Series
    kinds: NDArray[np.object_]
    ambiguous: int


def rewrite_dates(texts: pd.Series) -> Rewritten:
    """Bring dates that are not ISO 8601 into it.

    Day and month by their numbers (31/01/2024) are told apart only by the
    column itself: if a first number is above 12 and no second one is, the day
    stands first; the other way round, the month does; otherwise none of them
    is read. Month names are English.
    """
    iso = pd.Series(None, index=texts.index, dtype=object)
    kinds = np.full(len(texts), "", dtype=object)
    for pattern in _NAMED:
        _put(iso, kinds, "month_by_name", _named(_parts(texts, pattern)))
    _put(iso, kinds, "year_with_slashes", _iso(_parts(texts, _YEAR_FIRST)))
    parts = _parts(texts, _TWO_FIRST)
    first, then = parts["first"].astype("Int64"), parts["then"].astype("Int64")
    day_first, month_first = bool((first > 12).any()), bool((then > 12).any())
    if day_first == month_first:
        return Rewritten(iso, kinds, len(parts))
    day, month = (first, then) if day_first else (then, first)
    kind = "day_before_month" if day_first else "month_before_day"
    _put(iso, kinds, kind, _iso(parts.assign(day=day, month=month)))
    return Rewritten(iso, kinds, 0)


def _parts(texts: pd.Series, pattern: str) -> pd.DataFrame:
    parts = texts.str.extract(f"^{pattern}$")
    return parts[parts["year"].notna()]


def _put(iso: pd.Series, kinds: NDArray[np.object_], kind: str, written: pd.Series) -> None:
    written = written.dropna()
    places = iso.index.get_indexer(written.index)
    new = kinds[places] == ""
    iso.iloc[places[new]] = written.to_numpy()[new]
    kinds[places[new]] = kind


def _named(parts: pd.DataFrame) -> pd.Series:
    names = parts["name"].str.lower()
    months = names.str[:3].map({name: i for i, name in enumerate(_MONTHS, start=1)})
    whole = names.isin([*_MONTHS, "sept", *(pd.Timestamp(2000, i, 1).month_name().lower() for i in range(1, 13))])
    return _iso(parts.assign(month=months)[whole])


def _iso(parts: pd.DataFrame) -> pd.Series:
    if parts.empty:
        return pd.Series(dtype=object)
    hour = parts["hour"].fillna("0").astype(np.int64)
    half = parts["half"].str.lower()
    # 12 AM is midnight, 12 PM noon; 13 PM is neither.
    odd = half.notna() & ~hour.between(1, 12)
    hour = hour.where(half.isna(), hour % 12 + 12 * (half == "p"))
    text = (
        parts["year"]
        + "-"
        + parts["month"].astype("Int64").astype(str).str.zfill(2)
        + "-"
        + parts["day"].astype("Int64").astype(str).str.zfill(2)
        + "T"
        + hour.astype(str).str.zfill(2)
        + ":"
        + parts["minute"].fillna("00")
        + ":"
        + parts["second"].fillna("00")
        + ("." + parts["fraction"]).fillna("")
        + parts["zone"].fillna("").replace({"UTC": "Z", "GMT": "Z"})
    )
    return text.mask(odd)
