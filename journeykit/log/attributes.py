"""What is known of customers, and since when: these functions are methods of InteractionLog."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError, ParameterError
from journeykit.log.encode import encode_customers
from journeykit.log.events import Segment, with_finding
from journeykit.log.shape import check_new_column
from journeykit.log.times import read_times
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog

_ALWAYS = np.iinfo(np.int64).min


def with_customers(
    log: InteractionLog,
    frame: pd.DataFrame,
    *,
    customer: str = "customer",
    columns: Iterable[str] | None = None,
    known_at: str | None = None,
) -> InteractionLog:
    """Join what is known of customers from a table: each of its columns becomes one of the log.

    Customers who are not in the table stay, with missing values; they are
    counted in `quality` under `customers_without_attributes`, and those of the
    table without any event under `attributes_without_customers`.

    Parameters
    ----------
    frame : DataFrame
        One row a customer.
    customer : str
        The column with the customers' ids.
    columns : iterable of str, optional
        Which columns to join; all by default.
    known_at : str, optional
        The column that says when a customer's row became known. It is then
        missing on earlier events, as of a `with_segment`: a tariff chosen in
        May must not explain what happened in April. Without it, all is taken
        as known from the start.

    Raises
    ------
    LogError
        If a column is not there or already in the log, an id is missing, or a
        customer has two rows.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-02"]),
    ...     "touchpoint": ["visit", "order", "visit"],
    ... }))
    >>> people = pd.DataFrame({"customer": ["ann"], "plan": ["gold"], "since": ["2024-02-01"]})
    >>> log.with_customers(people, columns=["plan"]).frame()["plan"].tolist()
    ['gold', 'gold', nan]
    >>> log.with_customers(people, columns=["plan"], known_at="since").frame()["plan"].tolist()
    [nan, 'gold', nan]
    """
    names = _columns_to_join(log, frame, customer, columns, known_at)
    codes, ids = encode_customers(frame[customer])
    _check_ids(frame, codes, customer)
    row_of = np.empty(len(ids), np.int64)
    row_of[codes] = np.arange(len(frame))
    place = match_ids(ids, log.owners)
    row = np.where(place < 0, -1, row_of[place]) if len(ids) else np.full(len(log.owners), -1, np.int64)
    row = row[log.owner_codes]  # one a unit
    known = None if known_at is None else _known_times(frame[known_at], known_at, log.timezone)
    properties, segments = dict(log.properties), dict(log.segments)
    for name in names:
        column = _per_customer(frame[name], row)
        if known is None:
            properties[name] = column.take(log.customer_codes).reset_index(drop=True).rename(name)
            continue
        found = _as_segment(column, np.where(row < 0, _ALWAYS, known[row]))
        properties[name], segments[name] = labels_of_events(log, name, found), found
    joined = replace(log, properties=properties, segments=segments)
    without = (row < 0)[log.customer_codes]
    example = f"customer {log.customers[int(np.argmax(row < 0))]}" if without.any() else ""
    joined = with_finding(
        joined, "customers_without_attributes", int(without.sum()), "kept, missing there", example, personal=True
    )
    unused = np.ones(len(ids), dtype=bool)
    unused[place[place >= 0]] = False
    example = f"customer {ids[int(np.argmax(unused))]}" if unused.any() else ""
    return with_finding(
        joined,
        "attributes_without_customers",
        int(unused.sum()),
        "counted in customers",
        example,
        of=len(frame),
        personal=True,
    )


def _columns_to_join(
    log: InteractionLog, frame: pd.DataFrame, customer: str, columns: Iterable[str] | None, known_at: str | None
) -> list[str]:
    names = [name for name in frame.columns if name not in (customer, known_at)] if columns is None else list(columns)
    for name in (customer, *([] if known_at is None else [known_at]), *names):
        if name not in frame.columns:
            raise LogError(f"the table of customers has no column {name!r}: {did_you_mean(name, frame.columns)}")
    for name in names:
        check_new_column(log, name)
    return names


def _check_ids(frame: pd.DataFrame, codes: NDArray[np.int32], customer: str) -> None:
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise LogError(f"{int((codes < 0).sum())} rows have no {customer!r}, for example row {row}")
    again = pd.Series(codes).duplicated().to_numpy()
    if again.any():
        twice = frame[customer].iloc[int(np.argmax(again))]
        raise LogError(f"one row a customer is needed, but {int(again.sum())} rows repeat one, for example {twice!r}")


def match_ids(ids: pd.Index, wanted: pd.Index) -> NDArray[np.int64]:
    """Position in `ids` of each id that is wanted, -1 if it is not there; the number 7 and the text "7" are one."""
    if pd.api.types.is_integer_dtype(ids.dtype) != pd.api.types.is_integer_dtype(wanted.dtype):
        ids, wanted = ids.astype(str), wanted.astype(str)
    return ids.get_indexer(wanted)


def _known_times(column: pd.Series, name: str, timezone: str) -> NDArray[np.int64]:
    times = read_times(column, timezone)
    if times.bad.any():
        raise LogError(f"{name!r} must hold times, got {column.iloc[int(np.argmax(times.bad))]!r}")
    return np.where(times.missing, np.iinfo(np.int64).max, times.microseconds)  # never known


def _per_customer(column: pd.Series, row: NDArray[np.int64]) -> pd.Series:
    """Choose a row for each customer, -1 for none; names as categories, whole numbers stay whole."""
    column = column.reset_index(drop=True)
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        column = column.astype("category")
    elif (row < 0).any() and pd.api.types.is_integer_dtype(column.dtype):
        column = column.astype("Int64")
    elif (row < 0).any() and pd.api.types.is_bool_dtype(column.dtype):
        column = column.astype("boolean")
    return column.reindex(row).reset_index(drop=True)


def _as_segment(column: pd.Series, known_at: NDArray[np.int64]) -> Segment:
    coded = column.astype("category")
    return Segment(pd.Index(coded.cat.categories), coded.cat.codes.to_numpy().astype(np.int32), known_at)


def with_segment(
    log: InteractionLog,
    name: str,
    *,
    first: str | None = None,
    rule: Mapping[str, Any] | None = None,
    did: Any = None,
    quantiles: int | None = None,
    of: str = "value",
    within: str | None = None,
) -> InteractionLog:
    """Sort customers into segments, and remember from when on each is known.

    The new column holds a customer's label on the events from the moment it
    became known; before, it is missing. So a split `by` it can't look into a
    customer's future: whoever became a heavy user in June enters the group then.
    `log.segment(name)` is one row a customer.

    Exactly one of `first`, `rule`, `did` and `quantiles` says how.

    Parameters
    ----------
    name : str
        What the new column is called.
    first : str
        A column: the customer's first value that is not missing. Known from
        that event on.
    rule : mapping of str to step
        Label → what the customer's first event must match (a touchpoint, a
        stage, a `jk.Step`); the first that fits, missing if none does. Known
        from the first event on.
    did : step
        "yes" for customers with a matching event in the window, else "no".
        Known at the window's end. Without `within`: "yes" from the first
        matching event on; who never had one is not known, as it may still come.
    quantiles : int
        How many groups of about equal size, "Q1" (least) to "Qn", by the sum
        of `of` in the window. Equal sums are in one group. Known at the
        window's end. The bounds between groups are of all customers whose
        window is over, later ones too: in a longer log they may be others.
    of : str
        For `quantiles`: a column of numbers, or `"events"`.
    within : str, optional
        The window, from the customer's first event, both ends included. A
        customer whose window is not over (first event + within <
        observed_until) has no label yet.

    Examples
    --------
    >>> log = jk.load_sample("guitar_shop")
    >>> log = log.with_segment("first_channel", first="channel")
    >>> log = log.with_segment("spender", quantiles=3, of="value", within="30d")
    >>> log = log.with_segment("asked_early", did=jk.Step("support_question"), within="14d")
    >>> log.segment("asked_early")["asked_early"].value_counts().index.tolist()
    ['no', 'yes']
    """
    from journeykit.journey.segments import find_segment

    check_new_column(log, name)
    found = find_segment(log, first=first, rule=rule, did=did, quantiles=quantiles, of=of, within=within)
    return replace(
        log,
        properties={**log.properties, name: labels_of_events(log, name, found)},
        segments={**log.segments, name: found},
    )


def labels_of_events(log: InteractionLog, name: str, found: Segment) -> pd.Series:
    """Lay a segment out over the events: the customer's label, missing before it became known."""
    known = log.times >= found.known_at[log.customer_codes]
    codes = np.where(known, found.codes[log.customer_codes], np.int32(-1))
    return pd.Series(pd.Categorical.from_codes(codes, categories=found.labels), name=name)


def segment(log: InteractionLog, name: str) -> pd.DataFrame:
    """Show a segment customer by customer.

    Parameters
    ----------
    name : str
        What `with_segment`, or `with_customers(known_at=…)`, has added.

    Returns
    -------
    DataFrame
        One row a customer: `customer`, the label in a column of the segment's
        name (missing if it is not known by the end of observation), and
        `known_at` (missing likewise).

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "ann", "bob"], "touchpoint": ["visit", "order", "visit"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-02"]),
    ... }), observed_until="2024-04-01")
    >>> log.with_segment("buyer", did="order").segment("buyer")
      customer buyer                  known_at
    0      ann   yes 2024-03-01 00:00:00+00:00
    1      bob   NaN                       NaT
    """
    if name not in log.segments:
        raise ParameterError(f"there is no segment {name!r}: {did_you_mean(name, log.segments)}")
    found = log.segments[name]
    known = (found.codes >= 0) & (found.known_at < log.observed_until)
    times = np.where(known, np.maximum(found.known_at, log.start), _ALWAYS)  # the least integer is a missing time
    return pd.DataFrame(
        {
            "customer": log.customers,
            name: pd.Categorical.from_codes(np.where(known, found.codes, -1), categories=found.labels),
            "known_at": pd.DatetimeIndex(times.view("M8[us]"), tz="UTC").tz_convert(log.timezone),
        }
    )


def with_personal(log: InteractionLog, *columns: str) -> InteractionLog:
    """Mark columns as personal, so that they never reach a report.

    A personal column can be filtered by (`log.where`) and is in `log.frame()`,
    which is the analyst's own. No analysis splits by it, names it as a step's
    condition or draws it: that is a LogError.

    Parameters
    ----------
    *columns : str
        Columns such as `"email"`. Mark `"customer"` where ids are personal:
        a timeline then does not name whose it is.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann"], "time": ["2024-01-01"], "touchpoint": ["visit"], "email": ["ann@example.org"],
    ... })).with_personal("email")
    >>> log.require("email")
    Traceback (most recent call last):
    journeykit.errors.LogError: 'email' is marked personal: it can be filtered by, but not split by or shown
    """
    for column in columns:
        if column not in log.columns:
            raise LogError(f"the log has no {column!r}: {did_you_mean(column, log.columns)}")
        if column in ("time", "touchpoint"):
            raise ParameterError(
                f"no log can be shown without its {column!r}: with_touchpoints groups names that say who"
            )
    return replace(log, personal=log.personal | frozenset(columns))
