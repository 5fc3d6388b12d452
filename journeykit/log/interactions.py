"""The interaction log: one row is one interaction of a customer at a touchpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError
from journeykit.log import attributes, exchange, identity, narrow, shape, units
from journeykit.log.calendar import as_timestamp, period_edges
from journeykit.log.events import Rekeyed, Segment, with_finding
from journeykit.log.tally import Buckets, Tally, bucket_of
from journeykit.loops import over_customers
from journeykit.schema import MISSING, UNMAPPED, did_you_mean

if TYPE_CHECKING:
    from pathlib import Path


class Staging(Protocol):
    """What a log needs of a stage model."""

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages, in order."""

    @property
    def derived(self) -> tuple[str, ...]:
        """Names of further columns that it can derive."""

    def codes(self, log: InteractionLog) -> NDArray[np.int16]:
        """The stage of each event, as its position in `stages`; -1 if it has none."""

    def derive(self, column: str, log: InteractionLog) -> pd.Series:
        """One of those columns, an entry an event."""

    def to_dict(self) -> dict[str, Any]:
        """The model as plain data."""


@dataclass(frozen=True, eq=False, repr=False)
class InteractionLog:
    """Interactions of customers, sorted and coded, so that an analysis is one linear pass.

    Made by `read_log`; immutable. Every method that narrows it returns a new
    log. Events are sorted by customer, time and then their original order (or
    the `sequence` column); arrays are read-only and one entry an event, unless
    said otherwise.

    Attributes
    ----------
    customers : Index, shape (n_customers,)
        The customers' ids, sorted; a customer's code is the position here.
    offsets : array of int64, shape (n_customers + 1,)
        Customer i has the events `offsets[i]` … `offsets[i + 1] - 1`; never none.
    times : array of int64
        Microseconds since 1970, UTC.
    touchpoint_codes : array of int32
        Position of each event's touchpoint in `touchpoints`.
    touchpoints : Index of str
        The touchpoints of the whole log, sorted.
    start, observed_until : int
        What the log observes: `[start, observed_until)`, microseconds since
        1970, UTC. `starts_at` and `ends_at` are the same as timestamps.
    timezone : str
        IANA name of the zone in which days, weeks and months begin.
    channel_codes, channels : array of int32 and Index of str, or None
        Likewise for channels; code -1 is a missing channel.
    stage_codes, stage_model : array of int16 and StageModel, or None
        Position of each event's stage in `stages`; -1 is unmapped.
    values : array of float64, or None
        Monetary value of each event; NaN if it has none.
    properties : mapping of str to Series
        Any further columns, in the log's order.
    quality : DataFrame
        One row per finding at the door: `rule`, `rows`, `share` (of the rows
        read, 0 to 1), `action`, `example`.
    quarantine : DataFrame
        The rows that did not get in, whole, with `row` (position in the
        source, from 0) and `reason`.
    rows_read, duplicates_merged : int
        `rows_read = rows kept + rows in quarantine + duplicates_merged`.
    rekeyed : Rekeyed, or None
        What `rekey` has put in the place of customers; see `unit`, `owners`.
    segments : mapping of str to Segment
        What `with_segment` has found of each customer, and since when it is
        known.
    personal : frozenset of str
        Columns that may not be split by or shown: see `with_personal`.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["ann", "bob", "ann"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-03", "2024-01-02"]),
    ...     "touchpoint": ["visit", "visit", "order"],
    ... }), observed_until="2024-02-01")
    >>> log.n_customers, log.n_events
    (2, 3)
    >>> log.frame()["touchpoint"].tolist()
    ['visit', 'order', 'visit']
    """

    customers: pd.Index
    offsets: NDArray[np.int64]
    times: NDArray[np.int64]
    touchpoint_codes: NDArray[np.int32]
    touchpoints: pd.Index
    start: int
    observed_until: int
    timezone: str = "UTC"
    channel_codes: NDArray[np.int32] | None = None
    channels: pd.Index | None = None
    stage_codes: NDArray[np.int16] | None = None
    stage_model: Staging | None = None
    values: NDArray[np.float64] | None = None
    properties: Mapping[str, pd.Series] = field(default_factory=dict)
    quality: pd.DataFrame = field(default_factory=pd.DataFrame)
    quarantine: pd.DataFrame = field(default_factory=pd.DataFrame)
    rows_read: int = 0
    duplicates_merged: int = 0
    rekeyed: Rekeyed | None = None
    segments: Mapping[str, Segment] = field(default_factory=dict)
    personal: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Make every array read-only: a log never changes."""
        for array in (
            self.offsets,
            self.times,
            self.touchpoint_codes,
            self.channel_codes,
            self.stage_codes,
            self.values,
        ):
            if array is not None:
                array.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the arrays of an unpickled log read-only again: pickle forgets that they were."""
        self.__dict__.update(state)
        self.__post_init__()

    # -- size and period -------------------------------------------------------------------

    @property
    def n_customers(self) -> int:
        """Number of customers."""
        return len(self.customers)

    @property
    def n_events(self) -> int:
        """Number of interactions."""
        return len(self.times)

    @property
    def starts_at(self) -> pd.Timestamp:
        """Begin of observation, in the log's zone."""
        return as_timestamp(self.start, self.timezone)

    @property
    def ends_at(self) -> pd.Timestamp:
        """End of observation (exclusive), in the log's zone."""
        return as_timestamp(self.observed_until, self.timezone)

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages in order; empty without a stage model."""
        return () if self.stage_model is None else self.stage_model.stages

    # -- whose the units are ---------------------------------------------------------------

    @property
    def unit(self) -> str:
        """What stands in the place of a customer: `"customer"`, or what the log was re-keyed by."""
        return "customer" if self.rekeyed is None else self.rekeyed.unit

    @property
    def owners(self) -> pd.Index:
        """The customers behind the units: `customers` itself unless the log was re-keyed.

        Units of one customer are not independent: intervals are clustered,
        weights drawn and buckets cut by owner.
        """
        return self.customers if self.rekeyed is None else self.rekeyed.owners

    @property
    def owner_codes(self) -> NDArray[np.int32]:
        """Each unit's owner, as its position in `owners`."""
        return np.arange(self.n_customers, dtype=np.int32) if self.rekeyed is None else self.rekeyed.codes

    # -- columns ---------------------------------------------------------------------------

    @cached_property
    def customer_codes(self) -> NDArray[np.int32]:
        """Code of each event's customer."""
        return np.repeat(np.arange(self.n_customers, dtype=np.int32), np.diff(self.offsets))

    @cached_property
    def days(self) -> NDArray[np.int32]:
        """Local date of each event, as days since 1970-01-01."""
        edges = self.period_edges("day")
        first = as_timestamp(int(edges[0]), self.timezone).tz_localize(None).to_datetime64()
        days: NDArray[np.int32] = self.positions(edges) + first.astype("M8[D]").astype(np.int32)
        return days

    def positions(self, edges: NDArray[np.int64]) -> NDArray[np.int32]:
        """Position of the last edge at or before each event; -1 before the first edge."""
        from journeykit.loops.sorting import locate_in_edges

        out = np.empty(self.n_events, np.int32)
        over_customers(
            lambda first, last: locate_in_edges(self.times, edges, self.offsets, out, first, last), self.offsets
        )
        return out

    def period_edges(self, period: str, *, week_start: str = "monday") -> NDArray[np.int64]:
        """Instants (microseconds, UTC) at which the local periods begin that cover the observation."""
        return period_edges(
            self.start, self.observed_until, period=period, timezone=self.timezone, week_start=week_start
        )

    def require(self, *columns: str) -> None:
        """Raise LogError unless the log has these columns and none is marked personal."""
        for column in columns:
            self._check_known(column)
            if column in self.personal:
                raise LogError(f"{column!r} is marked personal: it can be filtered by, but not split by or shown")

    def _check_known(self, column: str) -> None:
        known = (*self.columns, *(self.stage_model.derived if self.stage_model else ()))
        if column not in known:
            raise LogError(f"the log has no {column!r}: {did_you_mean(column, known)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that the log has."""
        has = {"channel": self.channel_codes, "stage": self.stage_codes, "value": self.values}
        optional = [name for name, codes in has.items() if codes is not None]
        return ("customer", "time", "touchpoint", *optional, *self.properties)

    def column(self, name: str) -> pd.Series:
        """One column, an entry per event, in the log's order; names are categorical and missing ones NaN.

        Besides the log's own `columns`, those that its stage model derives:
        `phase`, `sub_stage`, and what is known of touchpoints (`media`, …).
        """
        self._check_known(name)
        if name == "customer":
            return pd.Series(self.customers.take(self.customer_codes), name=name)
        if name == "time":
            stamps = pd.DatetimeIndex(self.times.view("M8[us]"), tz="UTC").tz_convert(self.timezone)
            return pd.Series(stamps, name=name)
        if name == "touchpoint":
            return _categories(self.touchpoint_codes, self.touchpoints, name)
        if name == "channel":
            return _categories(self.channel_codes, self.channels, name)
        if name == "stage":
            return _categories(self.stage_codes, pd.Index(self.stages, dtype=object), name, ordered=True)
        if name == "value":
            return pd.Series(self.values, name=name)
        if name in self.properties:  # a copy: who changes it must not change the log
            return self.properties[name].copy()
        assert self.stage_model is not None
        return self.stage_model.derive(name, self)

    def frame(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """Return the log as a new DataFrame, one row an event, sorted by customer and time.

        Parameters
        ----------
        columns : iterable of str, optional
            Which columns; all of them by default.
        """
        names = self.columns if columns is None else tuple(columns)
        return pd.DataFrame({name: self.column(name) for name in names}, copy=True)

    # -- narrowing: see narrow.py ----------------------------------------------------------

    where = narrow.where
    between = narrow.between
    customers_where = narrow.customers_where
    sample = narrow.sample
    with_consent = narrow.with_consent

    # -- shaping: see shape.py, attributes.py, identity.py ---------------------------------

    with_touchpoints = shape.with_touchpoints
    collapse_runs = shape.collapse_runs
    with_customers = attributes.with_customers
    with_segment = attributes.with_segment
    segment = attributes.segment
    with_personal = attributes.with_personal
    with_identity = identity.with_identity

    # -- units: see units.py ---------------------------------------------------------------

    sessions = units.sessions
    journeys = units.journeys
    rekey = units.rekey

    # -- stages ----------------------------------------------------------------------------

    def with_stages(self, model: Staging) -> InteractionLog:
        """Give each event its stage by a StageModel; unmapped touchpoints stand in `unmapped`.

        Stages that depend on what came before (a visit after the first
        purchase) are decided here, on the log as it is now, and kept when the
        log is narrowed later.
        """
        staged = replace(self, stage_codes=model.codes(self), stage_model=model)
        assert staged.stage_codes is not None
        example = ", ".join(staged.unmapped["touchpoint"].head(5))
        unmapped = int((staged.stage_codes < 0).sum())
        staged = with_finding(
            staged, "stages_before_identity", 0, "kept as decided: give the stages again", replaces=True
        )
        return with_finding(staged, "unmapped_touchpoints", unmapped, "kept, without a stage", example, replaces=True)

    @property
    def unmapped(self) -> pd.DataFrame:
        """Touchpoints with events that have no stage: `touchpoint`, `events`, most events first."""
        self.require("stage")
        assert self.stage_codes is not None
        counts = np.bincount(self.touchpoint_codes[self.stage_codes < 0], minlength=len(self.touchpoints))
        table = pd.DataFrame({"touchpoint": self.touchpoints, "events": counts})
        return table[table["events"] > 0].sort_values("events", ascending=False, kind="stable", ignore_index=True)

    # -- counting --------------------------------------------------------------------------

    def tally(self, count: Tally, **params: Any) -> pd.DataFrame:
        """Count with `count(log, **params)`: what every analysis does with a log in memory.

        The function sees whole customers and returns a frame whose index is
        the key and whose columns are integers or sums, so that the tallies of
        disjoint sets of customers can be added (`Buckets`).
        """
        return count(self, **params)

    def in_buckets(self, n: int) -> Buckets:
        """Cut the log into n buckets of whole customers (with all their units), by a hash of the customer's id."""
        bucket = bucket_of(self.owners, n)[self.owner_codes]
        return Buckets(self, [self.customers_where(bucket == i) for i in range(n)])

    # -- looks and files -------------------------------------------------------------------

    def to_parquet(self, path: str | Path) -> None:
        """Write the log with its context, so that `read_log(path)` gives the same log back."""
        from journeykit.log.store import write_log

        write_log(self, path)

    to_event_log = exchange.to_event_log
    from_event_log = staticmethod(exchange.from_event_log)

    def __repr__(self) -> str:
        """Size, period and findings as text."""
        from journeykit.log.show import log_text

        return log_text(self)

    def _repr_html_(self) -> str:
        from journeykit.log.show import log_html

        return log_html(self)


def _categories(codes: Any, names: Any, name: str, *, ordered: bool = False) -> pd.Series:
    return pd.Series(pd.Categorical.from_codes(codes, categories=names, ordered=ordered), name=name)


def label_codes(log: InteractionLog, by: str) -> tuple[NDArray[np.int32], pd.Index]:
    """Codes and labels of a column to split by; missing is a label of its own, at the end.

    Returns
    -------
    codes : array of int32
        Position of each event's label.
    labels : Index of str
        The labels of the *whole* log's column, sorted (stages in their order).
    """
    log.require(by)
    if by == "channel":
        given, categories = cast("Any", (log.channel_codes, log.channels))
    else:
        column = log.column(by)
        column = column if column.dtype == "category" else column.astype("category")
        given, categories = column.cat.codes.to_numpy(), column.cat.categories
    missing = given < 0
    codes = given.astype(np.int32, copy=False)
    if missing.any():
        codes = np.where(missing, np.int32(len(categories)), codes)
    absent = UNMAPPED if by == "stage" else MISSING
    return codes, pd.Index([*(str(name) for name in categories), absent], dtype=object)
