"""What is counted for frictions over any set of whole customers.

A customer's first attempt is walked page by page. From each page a customer
who has not met the cause so far either meets it before the next page (exposed)
or does not (other); the outcome is whether the attempt converts after that
page. A row is such a page, and a stratum holds pages that are alike: the same steps reached,
as many pages since the last of them, as many visits before the attempt, and
the same values known at its entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.analyses.friction.causes import Cause
from journeykit.estimators.odds import CELLS
from journeykit.journey.first_attempts import Attempts
from journeykit.journey.kinds import step_kinds
from journeykit.journey.steps import Step
from journeykit.journey.units import cut
from journeykit.log.interactions import InteractionLog, label_codes
from journeykit.loops import over_customers
from journeykit.loops.frictions import CAUSE, IGNORED, NEVER, PAGE, walk_pages

PAGES = (0, 1, 2, 3, 4, 5, 6, 10)
"""Pages since the last step, where each class begins."""

VISITS = ("0", "1", "2+")
LONGEST = 20
"""Pages since the last step that are told apart in the table of pages."""


@dataclass(frozen=True)
class Asked:
    """What is asked.

    The attempts, the causes, the silence that ends a visit, what else strata
    keep apart, and which events are no pages.
    """

    attempts: Attempts
    causes: tuple[Cause, ...]
    gap: int
    adjust: tuple[str, ...]
    no_page: Step

    @property
    def keys(self) -> list[str]:
        """Names of what makes a stratum."""
        return ["stage", "page", "visits", *(f"at_entry_{name}" for name in self.adjust)]


@dataclass(frozen=True)
class Base:
    """The mature first attempts of a log; arrays have one entry a customer, -1 in `entry_event` for who has none."""

    entry_event: NDArray[np.int64]
    until: NDArray[np.int64]
    ends: NDArray[np.int64]
    reached: NDArray[np.int64]
    converted: NDArray[np.bool_]
    entered: int
    immature: int


@dataclass(frozen=True)
class Pages:
    """Pages of attempts, an entry each, and the event at which each customer met the cause (-1: never)."""

    who: NDArray[np.int32]
    stage: NDArray[np.int16]
    page: NDArray[np.int32]
    met: NDArray[np.bool_]
    met_event: NDArray[np.int64]


def find_base(log: InteractionLog, attempts: Attempts) -> Base:
    """Find the mature first attempts."""
    found = attempts.find(log)
    mature = found[found["mature"]]
    who, n = mature["customer_code"].to_numpy(), log.n_customers
    entry_event, until, ends = np.full(n, -1, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    reached = np.full((n, len(attempts.steps) - 1), NEVER)
    entry_event[who] = mature["entry_event"]
    ends[who] = mature["entered_at"] + attempts.within
    # What comes at the instant of the conversion is not before it.
    until[who] = np.minimum(mature["converted_at"] - 1, ends[who])
    reached[who] = mature[attempts.columns].to_numpy()
    return Base(entry_event, until, ends, reached, reached[:, -1] != NEVER, len(found), int((~found["mature"]).sum()))


@dataclass(frozen=True)
class Kinds:
    """A code of each event, and what events of a code are to the walk that looks for a cause (None: for none)."""

    codes: NDArray[np.int32]
    of_cause: Mapping[str | None, NDArray[np.uint8]]


def find_kinds(log: InteractionLog, asked: Asked) -> Kinds:
    """Tell pages from causes, and from what is neither."""
    steps = asked.attempts.steps
    codes, has = step_kinds(log, [*steps, asked.no_page, *(each.step for each in asked.causes)])
    way, no_page, causes = has[:, 1 : len(steps) + 1].any(axis=1), has[:, len(steps) + 1] > 0, has[:, len(steps) + 2 :]
    # Other causes are no pages: who meets one first must not be taken for having been spared another.
    plain = np.where((no_page & ~way) | causes.any(axis=1), IGNORED, PAGE).astype(np.uint8)
    kinds: dict[str | None, NDArray[np.uint8]] = {None: plain}
    for i, cause in enumerate(asked.causes):
        kinds[cause.name] = np.where(causes[:, i] > 0, CAUSE, plain).astype(np.uint8)
    return Kinds(codes, kinds)


def walk(log: InteractionLog, base: Base, kinds: Kinds, cause: Cause | None) -> Pages:
    """Walk all attempts until each meets the cause; with none, to their end."""
    n, needed = log.n_events, 1 if cause is None else cause.times
    kind_of = kinds.of_cause[None if cause is None else cause.name]
    who, stage, page = np.empty(n, np.int32), np.empty(n, np.int16), np.empty(n, np.int32)
    met, met_event = np.empty(n, np.uint8), np.empty(log.n_customers, np.int64)
    over_customers(
        lambda a, b: walk_pages(
            kinds.codes, kind_of, log.times, log.offsets, base.entry_event, base.until, base.reached, needed,
            who, stage, page, met, met_event, a, b,
        ),
        log.offsets,
    )  # fmt: skip
    rows = np.flatnonzero(who >= 0)
    return Pages(who[rows], stage[rows], page[rows], met[rows] > 0, met_event)


@dataclass(frozen=True)
class Strata:
    """Each customer's part of a stratum that is known at the entry: a code, and what the codes mean."""

    code: NDArray[np.int64]
    labels: list[tuple[str, ...]]


def strata_at_entry(log: InteractionLog, base: Base, asked: Asked) -> Strata:
    """Tell customers apart by the visits before their attempt and by their values at its entry."""
    rows = np.maximum(base.entry_event, 0)
    sessions = cut(log, asked.gap)
    code = np.minimum(sessions[rows] - sessions[log.offsets[:-1]], len(VISITS) - 1).astype(np.int64)
    labels: list[tuple[str, ...]] = [(name,) for name in VISITS]
    for column in asked.adjust:
        codes, names = label_codes(log, column)
        code = code * len(names) + codes[rows]
        labels = [(*label, str(name)) for label in labels for name in names]
    return Strata(code, labels)


def cell_of(pages: Pages, strata: Strata, converted: NDArray[np.bool_], n_steps: int) -> NDArray[np.int64]:
    """Number the cell of each row: stratum times four, plus its place in `CELLS`."""
    bins = np.searchsorted(PAGES, pages.page, side="right") - 1
    stratum = (strata.code[pages.who] * n_steps + pages.stage) * len(PAGES) + bins
    place = np.where(pages.met, 0, 2) + np.where(converted[pages.who], 0, 1)
    return np.asarray(stratum * len(CELLS) + place, dtype=np.int64)


def small_unique(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers that occur, sorted, and the place of each entry among them: quick for small numbers."""
    occurs = np.bincount(numbers) > 0
    return np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[numbers]


def stratum_keys(stratum: NDArray[np.int64], strata: Strata, n_steps: int) -> list[tuple[Any, ...]]:
    """Say what numbers of strata mean: stage, page, visits and values at the entry."""
    bins, rest = stratum % len(PAGES), stratum // len(PAGES)
    stages, codes = rest % n_steps, rest // n_steps
    return [
        (int(stage), PAGES[place], *strata.labels[code])
        for stage, place, code in zip(stages.tolist(), bins.tolist(), codes.tolist(), strict=True)
    ]


def count_cells(log: InteractionLog, asked: Asked) -> pd.DataFrame:
    """Tally: rows in each cell, by cause and stratum."""
    base = find_base(log, asked.attempts)
    kinds, strata, n_steps = find_kinds(log, asked), strata_at_entry(log, base, asked), len(asked.attempts.steps)
    keys: list[tuple[Any, ...]] = []
    numbers = []
    for cause in asked.causes:
        cells = cell_of(walk(log, base, kinds, cause), strata, base.converted, n_steps)
        counts = np.bincount(cells, minlength=len(CELLS))
        counts = np.append(counts, np.zeros(-len(counts) % len(CELLS), np.int64)).reshape(-1, len(CELLS))
        some = np.flatnonzero(counts.sum(axis=1))
        keys += [(cause.name, *key) for key in stratum_keys(some, strata, n_steps)]
        numbers.append(counts[some])
    return _frame(keys, ["cause", *asked.keys], numbers, CELLS)


def count_influence(log: InteractionLog, asked: Asked, influence: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tally: squares of the influence of each row, and of each customer's sum, on the two pooled estimates.

    `influence` holds for each cause a frame by stratum, with columns for
    (estimate, cell).
    """
    base = find_base(log, asked.attempts)
    kinds, strata, n_steps = find_kinds(log, asked), strata_at_entry(log, base, asked), len(asked.attempts.steps)
    numbers = []
    for cause in asked.causes:
        pages = walk(log, base, kinds, cause)
        cells = cell_of(pages, strata, base.converted, n_steps)
        used, place = small_unique(cells // len(CELLS))
        keys = pd.MultiIndex.from_tuples(stratum_keys(used, strata, n_steps), names=asked.keys)
        values = influence[cause.name].reindex(keys).to_numpy().reshape(len(used), 2, len(CELLS))
        row = []
        for estimate in range(2):
            each = values[place, estimate, cells % len(CELLS)]
            # By owner: sessions of one customer are not independent either.
            total = np.bincount(log.owner_codes[pages.who], weights=each)
            row += [float(each @ each), float(total @ total)]
        numbers.append([row])
    columns = ("ratio_own", "ratio_customers", "difference_own", "difference_customers")
    return _frame([(cause.name,) for cause in asked.causes], ["cause"], numbers, columns)


def count_met(log: InteractionLog, asked: Asked) -> pd.DataFrame:
    """Tally: who met each cause at which step, for how long, who converted, and who left the visit there.

    Index: `cause`, `stage` (steps reached), `microseconds` (until the next
    step, or the end of the window), `moved_on`; columns `customers`,
    `converted`, `watched` (long enough to tell whether they left) and `exits`.
    """
    base, kinds = find_base(log, asked.attempts), find_kinds(log, asked)
    next_time = np.append(log.times[1:], NEVER)
    next_time[log.offsets[1:] - 1] = NEVER
    parts = []
    for cause in asked.causes:
        event = walk(log, base, kinds, cause).met_event
        who = np.flatnonzero(event >= 0)
        at, reached = log.times[event[who]], base.reached[who]
        stage = 1 + (reached <= at[:, None]).sum(axis=1)
        following = reached[np.arange(len(who)), stage - 1]
        silence = np.where(next_time[event[who]] == NEVER, log.observed_until - at, next_time[event[who]] - at)
        exits = silence >= asked.gap
        known = exits | (next_time[event[who]] != NEVER)
        parts.append(
            pd.DataFrame(
                {
                    "cause": cause.name,
                    "stage": stage,
                    "microseconds": np.where(following == NEVER, base.ends[who], following) - at,
                    "moved_on": following != NEVER,
                    "customers": 1,
                    "converted": base.converted[who].astype(np.int64),
                    "watched": known.astype(np.int64),
                    "exits": exits.astype(np.int64),
                }
            )
        )
    rows = pd.concat(parts, ignore_index=True)
    return rows.groupby(["cause", "stage", "microseconds", "moved_on"]).sum()


def count_steps(log: InteractionLog, asked: Asked) -> pd.DataFrame:
    """Tally: how far attempts came, and what lay between their steps.

    Index: `part`, `stage`, `number`; columns `customers`, `moved_on` (to the
    next step). Parts: "step" (customers who reached it); "page" (who came to
    that page since it); "seconds" and "pages" (from it to the next step, of
    those who moved on); "total".
    """
    base = find_base(log, asked.attempts)
    pages = walk(log, base, find_kinds(log, asked), None)
    n_steps = len(asked.attempts.steps)
    moved = base.reached[pages.who, np.minimum(pages.stage, n_steps - 1) - 1] != NEVER
    few = pages.page <= LONGEST
    parts = [_grouped("page", pages.stage[few], pages.page[few], moved[few])]
    inside = base.entry_event >= 0
    times = np.column_stack([log.times[np.maximum(base.entry_event, 0)], base.reached])
    n_pages = np.zeros((log.n_customers, n_steps + 1), np.int64)
    np.add.at(n_pages, (pages.who, pages.stage), 1)
    for k in range(1, n_steps):
        on = inside & (times[:, k] != NEVER)
        here = on[inside & (times[:, k - 1] != NEVER)]
        parts.append(_grouped("step", np.full(len(here), k), np.zeros(len(here)), here))
        stage = np.full(int(on.sum()), k)
        parts.append(_grouped("seconds", stage, times[on, k] - times[on, k - 1], np.ones(len(stage), bool)))
        parts.append(_grouped("pages", stage, n_pages[on, k], np.ones(len(stage), bool)))
    total = {"entered": base.entered, "immature": base.immature, "mature": int(inside.sum())}
    index = pd.MultiIndex.from_tuples([("total", 0, i) for i in range(3)], names=["part", "stage", "number"])
    parts.append(pd.DataFrame({"customers": list(total.values()), "moved_on": 0}, index=index))
    return pd.concat(parts)


def list_met(log: InteractionLog, asked: Asked, cause: str, converted: bool | None) -> pd.DataFrame:
    """Tally: the customers who met a cause, by id."""
    base = find_base(log, asked.attempts)
    (one,) = [each for each in asked.causes if each.name == cause]
    chosen = walk(log, base, find_kinds(log, asked), one).met_event >= 0
    if converted is not None:
        chosen &= base.converted == converted
    return pd.DataFrame({"n": 1}, index=log.customers[chosen])


def _grouped(part: str, stage: Any, number: Any, moved: NDArray[np.bool_]) -> pd.DataFrame:
    rows = pd.DataFrame({"stage": np.asarray(stage, np.int64), "number": np.asarray(number, np.int64)})
    rows = rows.assign(part=part, customers=1, moved_on=moved.astype(np.int64))
    return rows.groupby(["part", "stage", "number"]).sum()


def _frame(keys: list[tuple[Any, ...]], names: list[str], numbers: list[Any], columns: Any) -> pd.DataFrame:
    if not keys:
        empty = pd.MultiIndex.from_arrays([[]] * len(names), names=names)
        return pd.DataFrame(np.zeros((0, len(columns))), index=empty, columns=list(columns))
    index: pd.Index = pd.MultiIndex.from_tuples(keys, names=names)
    if len(names) == 1:
        index = index.get_level_values(0)
    return pd.DataFrame(np.vstack(numbers), index=index, columns=list(columns))
