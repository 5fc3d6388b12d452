"""Dates that are not written year first: read only where they can mean one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Patterns of RE2, which Arrow runs over whole columns.
_CLOCK = (
    r"(?:[T ,:]\s*(?:at )?(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    r"(?:\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?$"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"

_TWO_FIRST = (
    rf"^(?P<first>\d{{1,2}})(?:/(?P<then>\d{{1,2}})/|-(?P<then_dash>\d{{1,2}})-|\.(?P<then_dot>\d{{1,2}})\.)"
    rf"(?P<year>\d{{4}}){_CLOCK}"
)
_YEAR_FIRST = rf"^(?P<year>\d{{4}})[./-](?P<month>\d{{1,2}})[./-](?P<day>\d{{1,2}}){_CLOCK}"
_NAMED = (
    rf"^(?:[A-Za-z]{{2,9}}\.?,? )?(?P<day>\d{{1,2}})[ /.-]{{1,2}}{_MONTH}[ /.,-]{{1,2}}(?P<year>\d{{4}}){_CLOCK}",
    rf"^(?:[A-Za-z]{{2,9}}\.?,? )?{_MONTH} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<year>\d{{4}}){_CLOCK}",
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
    iso = np.full(len(texts), None, dtype=object)
    kinds = np.full(len(texts), "", dtype=object)

    def put(kind: str, parts: Parts) -> None:
        written = _iso(parts)
        new = (kinds[parts.rows] == "") & written.is_valid().to_numpy(zero_copy_only=False)
        iso[parts.rows[new]] = written.to_numpy(zero_copy_only=False)[new]
        kinds[parts.rows[new]] = kind

    for pattern in _NAMED:
        put("month_by_name", _with_months(_parts(texts, pattern)))
    put("year_with_slashes", _parts(texts, _YEAR_FIRST))
    parts = _parts(texts, _TWO_FIRST)
    ambiguous = 0
    if parts.rows.size:
        first, then = parts["first"], _either(parts["then"], parts["then_dash"], parts["then_dot"])
        day_first, month_first = _any_above_twelve(first), _any_above_twelve(then)
        if day_first == month_first:
            ambiguous = len(parts.rows)
        elif day_first:
            put("day_before_month", parts.having(day=first, month=then))
        else:
            put("month_before_day", parts.having(day=then, month=first))
    return Rewritten(pd.Series(iso, index=texts.index, dtype=object), kinds, ambiguous)


@dataclass(frozen=True)
class Parts:
    """Parts of the texts that fit a pattern, as Arrow texts; what a text leaves out is empty."""

    rows: NDArray[np.int64]
    columns: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        """Return one part of each text."""
        return self.columns[name]

    def having(self, **columns: Any) -> Parts:
        """Return them with further parts."""
        return Parts(self.rows, {**self.columns, **columns})


def _parts(texts: pd.Series, pattern: str) -> Parts:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(pa.array(texts.to_numpy(dtype=object), pa.string()), pattern)
    rows = np.flatnonzero(found.is_valid().to_numpy(zero_copy_only=False))
    names = [found.type.field(i).name for i in range(found.type.num_fields)]
    return Parts(rows, dict(zip(names, found.take(rows).flatten(), strict=True)))


def _either(*parts: Any) -> Any:
    """Join parts of which each text has one."""
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, "")


def _any_above_twelve(numbers: Any) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.any(pc.greater(numbers.cast(pa.int8()), 12)).as_py())


def _with_months(parts: Parts) -> Parts:
    """Add the months' numbers; a name that is none has none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    months = {name: str(i) for i, name in enumerate(_MONTHS, start=1)}
    months |= {pd.Timestamp(2000, i, 1).month_name().lower(): str(i) for i in range(1, 13)} | {"sept": "9"}
    places = pc.index_in(pc.utf8_lower(parts["name"]), pa.array(list(months)))
    return parts.having(month=pa.array(list(months.values())).take(places))


def _iso(parts: Parts) -> Any:
    """Write them as ISO 8601; missing where an hour is none of twelve."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def two(numbers: Any) -> Any:
        return pc.utf8_lpad(pc.if_else(pc.equal(numbers, ""), "0", numbers), 2, "0")

    hour = pc.if_else(pc.equal(parts["hour"], ""), "0", parts["hour"]).cast(pa.int8())
    half = pc.utf8_lower(parts["half"])
    whole = pc.equal(half, "")
    afternoon = pc.if_else(pc.equal(half, "p"), pa.scalar(12, pa.int8()), pa.scalar(0, pa.int8()))
    # 12 AM is midnight, 12 PM noon; 13 PM is neither.
    of_twelve = pc.add(pc.if_else(pc.equal(hour, 12), pa.scalar(0, pa.int8()), hour), afternoon)
    odd = pc.and_(pc.invert(whole), pc.or_(pc.less(hour, 1), pc.greater(hour, 12)))
    hour = pc.if_else(odd, pa.scalar(None, pa.int8()), pc.if_else(whole, hour, of_twelve)).cast(pa.string())
    date = pc.binary_join_element_wise(parts["year"], two(parts["month"]), two(parts["day"]), "-")
    time = pc.binary_join_element_wise(two(hour), two(parts["minute"]), two(parts["second"]), ":")
    point = pc.if_else(pc.equal(parts["fraction"], ""), "", ".")
    zone = pc.replace_substring_regex(parts["zone"], "UTC|GMT", "Z")
    return pc.binary_join_element_wise(date, " ", time, point, parts["fraction"], zone, "")
