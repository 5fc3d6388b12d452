"""Who is who: events of anonymous ids are given to the customers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.errors import LogError, ParameterError
from journeykit.log.encode import encode_customers
from journeykit.log.events import ranks_of_ties, regroup, with_finding
from journeykit.log.times import read_times
from journeykit.schema import did_you_mean

if TYPE_CHECKING:
    from journeykit.log.interactions import InteractionLog

_EVER, _FOREVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_UNKNOWN, _SEVERAL = -1, -2


@dataclass(frozen=True)
class Links:
    """A mapping as read: `source[i]` is `target[i]` during [since[i], until[i]); ids are positions in `names`."""

    names: pd.Index
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    since: NDArray[np.int64]
    until: NDArray[np.int64]


@dataclass(frozen=True)
class Ends:
    """To whom ids lead, in each slice of time in which that does not change.

    Id i has the entries `base[i]` … `base[i + 1] - 1` of `end` and `linked`,
    one for each slice between `edges[i]`, in order.
    """

    base: NDArray[np.int64]
    edges: Mapping[int, NDArray[np.int64]]
    end: NDArray[np.int64]
    linked: NDArray[np.bool_]
    in_cycle: NDArray[np.bool_]


def with_identity(
    log: InteractionLog,
    mapping: pd.DataFrame | Mapping[Any, Any],
    *,
    id: str = "id",
    customer: str = "customer",
    valid_from: str | None = None,
    valid_until: str | None = None,
) -> InteractionLog:
    """Stitch identities: give the events of anonymous ids to the customers behind them.

    A row of the mapping says that what happened under `id`, from `valid_from`
    until before `valid_until`, was done by `customer`. Links are followed from
    one to the next as they are valid at the event's time: a cookie belongs to
    an e-mail address, the address to a customer. An event belongs to the one
    id, itself linked to nothing, to which all links lead. So:

    - ids whose links lead to several at that time (one device, many people)
      stay customers of their own: nobody knows whose event it was;
    - ids that lead in a circle, and to nothing else, are one customer, called
      by the first of their ids;
    - events outside of every validity stay with their id.

    What was done stands in `log.quality`: `identity_stitched` with the number
    of customers before and after, `identity_shared`, `identity_cycles`,
    `identity_not_valid`, `identity_unused`. Stitch before giving stages that
    depend on what came before: those given already stay as they are.

    Parameters
    ----------
    mapping : DataFrame or mapping
        One row a link; or id → customer, valid for ever.
    id, customer : str
        Columns of the mapping.
    valid_from, valid_until : str, optional
        Columns with times, local to the log's zone unless they say otherwise;
        missing is without limit. Columns of these names are used unless others
        are named.

    Raises
    ------
    LogError
        If a column is not there, an id is missing, a time can't be read or a
        validity ends before it begins.

    Examples
    --------
    >>> log = jk.read_log(pd.DataFrame({
    ...     "customer": ["cookie-1", "cookie-2", "ann", "kiosk"],
    ...     "time": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
    ...     "touchpoint": ["visit", "visit", "order", "visit"],
    ... }))
    >>> stitched = log.with_identity(pd.DataFrame({
    ...     "id": ["cookie-1", "cookie-2", "kiosk", "kiosk"], "customer": ["ann", "cookie-1", "ann", "bob"],
    ... }))
    >>> stitched.frame()["customer"].tolist()
    ['ann', 'ann', 'ann', 'kiosk']
    >>> stitched.quality.set_index("rule").loc["identity_stitched", "example"]
    '4 customers became 2, for example cookie-1 is ann'
    """
    if log.rekeyed is not None:
        raise ParameterError(f"the log is keyed by {log.unit!r}: stitch identities first")
    if log.segments:
        raise ParameterError(f"segments {list(log.segments)} are of the customers as they are: stitch identities first")
    columns = {"id": id, "customer": customer, "valid_from": valid_from, "valid_until": valid_until}
    links, own = _read_mapping(log, mapping, columns)
    ends = find_ends(links)
    place = _places(log, ends, own)
    before = own[log.customer_codes]
    end = ends.end[place]
    after = np.where(end < 0, before, end)
    stitched = regroup(log, after.astype(np.int32), links.names, ties=ranks_of_ties(log))
    return _with_findings(stitched, log, links, ends, place, before, after)


# -- reading ---------------------------------------------------------------------------------


def _read_mapping(
    log: InteractionLog, mapping: pd.DataFrame | Mapping[Any, Any], columns: dict[str, str | None]
) -> tuple[Links, NDArray[np.int64]]:
    """Read the links, and the position of each of the log's customers in their names."""
    if not isinstance(mapping, pd.DataFrame):
        mapping = pd.DataFrame({columns["id"]: list(mapping), columns["customer"]: list(mapping.values())})
    for role, name in columns.items():
        if name is None and role in mapping.columns:
            columns = {**columns, role: role}
        elif name is not None and name not in mapping.columns:
            raise LogError(f"the mapping has no column {name!r}: {did_you_mean(name, mapping.columns)}")
    n = len(mapping)
    together = pd.concat([mapping[columns["id"]], mapping[columns["customer"]], pd.Series(log.customers)])
    codes, names = encode_customers(together)
    blank = codes[: 2 * n].reshape(2, n) < 0
    if blank.any():
        row = int(np.argmax(blank.any(axis=0)))
        raise LogError(f"{int(blank.any(axis=0).sum())} links lack an id or a customer, for example row {row}")
    since = _read_limit(mapping, columns["valid_from"], log.timezone, _EVER)
    until = _read_limit(mapping, columns["valid_until"], log.timezone, _FOREVER)
    if (since >= until).any():
        row = int(np.argmax(since >= until))
        raise LogError(
            f"{int((since >= until).sum())} links end before they begin, for example {mapping.iloc[row].to_dict()}"
        )
    source, target = codes[:n].astype(np.int64), codes[n : 2 * n].astype(np.int64)
    kept = source != target  # that someone is themselves says nothing
    return Links(names, source[kept], target[kept], since[kept], until[kept]), codes[2 * n :].astype(np.int64)


def _read_limit(mapping: pd.DataFrame, column: str | None, timezone: str, unlimited: int) -> NDArray[np.int64]:
    if column is None:
        return np.full(len(mapping), unlimited)
    times = read_times(mapping[column], timezone)
    if times.bad.any():
        raise LogError(f"{column!r} must hold times, got {mapping[column].iloc[int(np.argmax(times.bad))]!r}")
    return np.where(times.missing, unlimited, times.microseconds)


# -- following links -------------------------------------------------------------------------


def find_ends(links: Links) -> Ends:
    """Follow every id's links to where they end."""
    n = len(links.names)
    edges = _slices(links)
    n_slices = np.ones(n, np.int64)
    for i, cuts in edges.items():
        n_slices[i] = len(cuts) + 1
    base = np.concatenate([[0], np.cumsum(n_slices)])
    source, target = _arrows(links, edges, n_slices, base)
    node = np.repeat(np.arange(n), n_slices)
    end, in_cycle = _follow(source, target, node)
    linked = np.zeros(len(node), dtype=bool)
    linked[source] = True
    return Ends(base, edges, end, linked, in_cycle)


def _slices(links: Links) -> dict[int, NDArray[np.int64]]:
    """Cut time, for each id whose end depends on it, where a link on its way begins or ends."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(links.names)
    timed = (links.since > _EVER) | (links.until < _FOREVER)
    depends = np.zeros(n, dtype=bool)
    depends[links.source[timed]] = True
    while True:  # whoever is linked to an id that depends on time does so too
        more = depends[links.target] & ~depends[links.source]
        if not more.any():
            break
        depends[links.source[more]] = True
    both = depends[links.source] & depends[links.target]
    joined = coo_array((np.ones(both.sum()), (links.source[both], links.target[both])), shape=(n, n))
    _, group = connected_components(joined, directed=False)
    rows = pd.DataFrame({"group": group[links.source], "since": links.since, "until": links.until})[timed]
    limits = rows.melt("group")[["group", "value"]].drop_duplicates()
    limits = limits[(limits["value"] > _EVER) & (limits["value"] < _FOREVER)].sort_values(["group", "value"])
    of_group = {key: part.to_numpy() for key, part in limits.groupby("group")["value"]}
    return {int(i): of_group[group[i]] for i in np.flatnonzero(depends)}


def _arrows(
    links: Links, edges: Mapping[int, NDArray[np.int64]], n_slices: NDArray[np.int64], base: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw each link in every slice of time in which it is valid: from entry to entry of `Ends`."""
    first, count = np.zeros(len(links.source), np.int64), np.ones(len(links.source), np.int64)
    for i in np.flatnonzero(n_slices[links.source] > 1):
        cuts = edges[int(links.source[i])]
        first[i] = np.searchsorted(cuts, links.since[i], side="right")
        count[i] = np.searchsorted(cuts, links.until[i], side="left") + 1 - first[i]
    row = np.repeat(np.arange(len(links.source)), count)
    piece = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    source, target = links.source[row], links.target[row]
    # An id on the way that depends on time has the same slices; one that does not has a single one.
    return base[source] + piece, base[target] + np.where(n_slices[target] > 1, piece, 0)


def _follow(
    source: NDArray[np.int64], target: NDArray[np.int64], node: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find where each entry leads: the one id at the end, itself in a closed circle, or several."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(node)
    end = node.copy()
    end[source] = _UNKNOWN
    arrows = coo_array((np.ones(len(source)), (source, target)), shape=(n, n))
    _, circle = connected_components(arrows, directed=True, connection="strong")
    in_cycle = np.bincount(circle, minlength=n)[circle] > 1
    leaves = np.zeros(n, dtype=bool)
    leaves[circle[source[circle[source] != circle[target]]]] = True
    closed = in_cycle & ~leaves[circle]
    first = np.full(n, n, np.int64)
    np.minimum.at(first, circle[closed], node[closed])
    end[closed] = first[circle[closed]]
    open_arrows = ~closed[source]
    source, target = source[open_arrows], target[open_arrows]
    while True:
        known = end[target] != _UNKNOWN
        low, high = np.full(n, n, np.int64), np.full(n, _UNKNOWN, np.int64)
        np.minimum.at(low, source[known], end[target[known]])  # several is the least
        np.maximum.at(high, source[known], end[target[known]])
        found = np.where(low == n, end, np.where((low == high) & (low >= 0), low, _SEVERAL))
        if (found == end).all():
            return end, in_cycle
        end = found


def _places(log: InteractionLog, ends: Ends, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Entry of `ends` for each event: that of its id at its time."""
    place = ends.base[own][log.customer_codes]
    for customer in np.flatnonzero([int(i) in ends.edges for i in own]) if ends.edges else ():
        events = slice(log.offsets[customer], log.offsets[customer + 1])
        place[events] += np.searchsorted(ends.edges[int(own[customer])], log.times[events], side="right")
    return place


# -- findings --------------------------------------------------------------------------------


def _with_findings(
    stitched: InteractionLog,
    log: InteractionLog,
    links: Links,
    ends: Ends,
    place: NDArray[np.int64],
    before: NDArray[np.int64],
    after: NDArray[np.int64],
) -> InteractionLog:
    names = links.names
    moved = before != after
    is_source = np.zeros(len(names), dtype=bool)
    is_source[links.source] = True
    used = np.zeros(len(names), dtype=bool)
    used[before] = True
    example = ""
    if moved.any():
        row = int(np.argmax(moved))
        sizes = f"{log.n_customers} customers became {stitched.n_customers}"
        example = f"{sizes}, for example {names[before[row]]} is {names[after[row]]}"
    found = [
        ("identity_stitched", moved, "given to their customer", example),
        ("identity_shared", ends.end[place] == _SEVERAL, "kept with their id", None),
        ("identity_cycles", ends.in_cycle[place], "taken as linked to each other", None),
        ("identity_not_valid", is_source[before] & ~ends.linked[place], "kept with their id", None),
    ]
    for rule, events, action, said in found:
        if said is None:
            said = f"id {names[before[int(np.argmax(events))]]}" if events.any() else ""
        stitched = with_finding(stitched, rule, int(events.sum()), action, said, personal=True)
    unused = ~used[links.source]
    said = f"id {names[links.source[int(np.argmax(unused))]]}" if unused.any() else ""
    stitched = with_finding(
        stitched,
        "identity_unused",
        int(unused.sum()),
        "counted in links",
        said,
        of=len(unused),
        personal=True,
    )
    rules = log.stage_model.to_dict().get("rules", ()) if log.stage_model else ()
    stale = int(moved.sum()) if any(rule.get("after") for rule in rules) else 0
    # What an earlier stitching left stale is stale still.
    return with_finding(stitched, "stages_before_identity", stale, "kept as decided: give the stages again")
