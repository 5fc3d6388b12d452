"""Tables as aligned text, for `repr`."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from journeykit.text.messages import say
from journeykit.text.moments import iso
from journeykit.text.names import LTR_MARK, has_right_to_left, shortened, visible, width
from journeykit.text.numbers import column, interval_cells, is_missing

if TYPE_CHECKING:
    import pandas as pd

GAP: Final = "  "
WIDEST: Final = 48


@dataclass(frozen=True)
class Column:
    """A column as a table shows it; bounds stand in a column of their own after their estimate."""

    name: Any
    kind: Literal["text", "number", "interval"]
    cells: list[Any]
    highs: list[Any]


def text_table(df: pd.DataFrame, *, max_rows: int | None = 20) -> str:
    """Lay out a table as plain text, with the names its columns have.

    Text stands left and numbers right; `x_low` and `x_high` follow `x` in
    brackets. Numbers are in English whatever language is spoken.

    Parameters
    ----------
    df : DataFrame
        The table. An index that is more than row numbers leads.
    max_rows : int, optional
        Rows to show; None for all. What is left is counted below.

    Returns
    -------
    str
        Lines without trailing spaces.

    Examples
    --------
    >>> import pandas as pd
    >>> print(text_table(pd.DataFrame({
    ...     "channel": ["web", "shop"], "customers": [2, 1],
    ...     "reach_rate": [1, 0.5], "reach_rate_low": [0.342, 0.095], "reach_rate_high": [1, 0.905],
    ... })))
    channel  customers  reach_rate
    web              2      100.0%  [34.2%, 100.0%]
    shop             1       50.0%   [9.5%, 90.5%]
    """
    columns = columns_of(df, max_rows)
    blocks = [_block(one) for one in columns]
    lines = [GAP.join(cells).rstrip() for cells in zip(*blocks, strict=True)]
    hidden = len(df) - rows_shown(df, max_rows)
    if not len(df):
        lines.append(f"({say('core.empty', rows=0, language='en')})")
    if hidden:
        lines.append(say("core.more_rows", rows=hidden, language="en"))
    return "\n".join(lines)


def rows_shown(df: pd.DataFrame, max_rows: int | None) -> int:
    """Count the rows that a table shows."""
    return len(df) if max_rows is None else min(len(df), max(0, max_rows))


def columns_of(df: pd.DataFrame, max_rows: int | None) -> list[Column]:
    """Take a table apart into columns to show: index first, bounds after their estimate."""
    df = df.iloc[: rows_shown(df, max_rows)]
    named: list[tuple[Any, Any]] = []
    if _has_names(df):
        named += [(name, df.index.get_level_values(level)) for level, name in enumerate(df.index.names)]
    named += [(name, df.iloc[:, place]) for place, name in enumerate(df.columns)]
    known = {name for name, _ in named}
    bounds = {name: values.tolist() for name, values in named if _estimate_of(name, known) is not None}
    shown: list[Column] = []
    for name, values in named:
        if name in bounds:
            continue
        cells = values.tolist()
        shown.append(Column(name, "number" if _is_number(values.dtype, cells) else "text", cells, []))
        if isinstance(name, str) and f"{name}_low" in bounds:
            shown.append(Column(name, "interval", bounds[f"{name}_low"], bounds[f"{name}_high"]))
    return shown


def _has_names(df: pd.DataFrame) -> bool:
    import pandas as pd

    index = df.index
    if index.name is None and index.nlevels == 1:  # row numbers, also of a filtered table
        return not isinstance(index, pd.RangeIndex) and index.dtype != "int64"
    return True


def _estimate_of(name: Any, known: set[Any]) -> str | None:
    """Find the estimate that a bound belongs to: both bounds must be there, and the estimate too."""
    if not isinstance(name, str) or not name.endswith(("_low", "_high")):
        return None
    estimate = name.removesuffix("_low").removesuffix("_high")
    return estimate if {estimate, f"{estimate}_low", f"{estimate}_high"} <= known else None


def _is_number(dtype: Any, cells: Iterable[Any]) -> bool:
    if getattr(dtype, "kind", "O") in "iufm":
        return True
    given = [cell for cell in cells if not is_missing(cell)]
    return bool(given) and all(_is_quantity(cell) for cell in given)


def _is_quantity(cell: Any) -> bool:
    return isinstance(cell, numbers.Real | timedelta) and not isinstance(cell, bool)


def _block(shown: Column) -> list[str]:
    """Lay out one column: its head and its cells, all equally wide."""
    head = "" if shown.name is None or shown.kind == "interval" else _plain(shown.name)
    if shown.kind == "interval":
        cells = _brackets(shown)
    else:
        cells = column(_rule_name(shown.name), [_for_code(cell) for cell in shown.cells], language="en")
    texts = [_bounded(shortened(text, WIDEST)) for text in (head, *cells)]
    widest = max(map(width, texts))
    pad = [" " * (widest - width(text)) for text in texts]
    if shown.kind == "number":
        return [space + text for text, space in zip(texts, pad, strict=True)]
    return [text + space for text, space in zip(texts, pad, strict=True)]


def _brackets(shown: Column) -> list[str]:
    """Align intervals at their comma."""
    pairs = interval_cells(_rule_name(shown.name), shown.cells, shown.highs, language="en")
    widest = max((len(pair[0]) for pair in pairs if pair), default=0)
    return [f"{'[' + pair[0]:>{widest + 1}}, {pair[1]}]" if pair else "" for pair in pairs]


def _rule_name(name: Any) -> str:
    return name if isinstance(name, str) else ""


def _for_code(cell: Any) -> Any:
    """Show dates and periods the way code writes them."""
    if is_missing(cell) or isinstance(cell, str):
        return cell
    if isinstance(cell, date):
        return iso(cell)
    return str(cell) if type(cell).__name__ == "Period" else cell


def _plain(name: Any) -> str:
    if isinstance(name, tuple):
        return " / ".join(visible(str(part)) for part in name if part != "")
    return visible(str(_for_code(name)))


def _bounded(text: str) -> str:
    """Fence a right-to-left name in, or it would swap places with the numbers after it."""
    return f"{LTR_MARK}{text}{LTR_MARK}" if has_right_to_left(text) else text
