"""Rules about names: touchpoints that may be one, too many, too few, and ids that are no ids."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from journeykit.log.quality import Finding
from journeykit.log.rules.seen import Seen

PLACEHOLDERS = (
    *("null", "none", "nan", "na", "n/a", "nil", "undefined", "unknown", "missing", "(none)", "(null)", "(not set)"),
    *("guest", "anonymous", "test", "-", "?"),
)
"""What programs and people write where there is no name; compared in small letters, capitals and with a capital."""


def similar_touchpoints(seen: Seen) -> list[Finding]:
    """Find touchpoints that differ only by case, spaces, hyphens or Unicode form.

    Formula: equal after NFKC and case folding, without invisible characters
    (Unicode category Cf: zero-width, right-to-left marks), with runs of spaces,
    `_` and `-` as one space, and with the Turkish dotted and dotless i taken as
    one letter.

    Rows: those of all but the most frequent spelling. Kept apart.
    """
    spellings: dict[str, list[int]] = {}
    for i, name in enumerate(seen.log.touchpoints):
        spellings.setdefault(bare(name), []).append(i)
    counts = seen.per_touchpoint
    groups = [group for group in spellings.values() if sum(counts[i] > 0 for i in group) > 1]
    rows = sum(int(counts[group].sum() - counts[group].max()) for group in groups)
    example = " | ".join(repr(str(seen.log.touchpoints[i])) for i in groups[0]) if groups else ""
    return [Finding("similar_touchpoints", rows, "kept apart", example)]


def bare(name: str) -> str:
    """Reduce a name to what a reader takes in."""
    visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    folded = unicodedata.normalize("NFKC", visible).casefold()
    decomposed = unicodedata.normalize("NFKD", folded.replace("ı", "i")).replace("i\u0307", "i")
    return " ".join(unicodedata.normalize("NFC", decomposed).replace("_", " ").replace("-", " ").split())


def many_touchpoints(seen: Seen, *, names: int = 500) -> list[Finding]:
    """Find a touchpoint column that holds addresses, search words or ids.

    Formula: more than `names` distinct touchpoints. Default: 500, the number of
    distinctly named events that Google Analytics keeps for an app ("Event
    collection limits").

    Rows: those of touchpoints beyond the `names` most frequent. Kept; grouping
    them by a pattern is the remedy.
    """
    counts = seen.per_touchpoint
    distinct = int((counts > 0).sum())
    if distinct <= names:
        return []
    rare = np.argsort(counts, kind="stable")[: len(counts) - names]
    example = f"{distinct} distinct, such as {seen.log.touchpoints[rare[-1]]!r}"
    return [Finding("many_touchpoints", int(counts[rare].sum()), "kept", example)]


def dominant_touchpoint(seen: Seen, *, share: float = 0.9, events: int = 100) -> list[Finding]:
    """Find one touchpoint that leaves no room for others: a heartbeat, or a column that says nothing.

    Formula: its share of the events is above `share`, in a log of at least
    `events`. Defaults: 0.9 and 100, ours: with nine in ten events at one
    touchpoint, paths and funnels show little else.

    Rows: those at it. Kept.
    """
    counts = seen.per_touchpoint
    top = int(np.argmax(counts))
    if seen.log.n_events < events or counts[top] <= share * seen.log.n_events:
        return []
    return [Finding("dominant_touchpoint", int(counts[top]), "kept", str(seen.log.touchpoints[top]))]


def placeholder_names(seen: Seen, *, share: float = 0.01) -> list[Finding]:
    """Find customers and touchpoints named "null", "unknown", "guest" and the like: many people under one id.

    Formula: the name is among `PLACEHOLDERS`; for ids that are numbers, 0 or -1
    with more than `share` of all events. Default: 0.01: a real customer may be
    number 0, but does not make one event in a hundred.

    Rows: those of such names, customers and touchpoints in a finding each.
    Kept; `customers_where` leaves such customers out.
    """
    log = seen.log
    found = _among(log.customers)
    events = np.diff(log.offsets)
    if pd.api.types.is_integer_dtype(log.customers.dtype):
        found = found[events[found] > share * log.n_events]
    findings = []
    if found.size:
        example = ", ".join(repr(each) for each in log.customers[found[:3]].tolist())
        findings.append(Finding("placeholder_customers", int(events[found].sum()), "kept", example))
    named = _among(log.touchpoints)
    rows = int(seen.per_touchpoint[named].sum())
    example = ", ".join(repr(str(log.touchpoints[i])) for i in named[:3])
    return [*findings, Finding("placeholder_touchpoints", rows, "kept", example)]


def _among(names: pd.Index) -> NDArray[np.int64]:
    """Positions of placeholders in a sorted index of names or numbers."""
    if pd.api.types.is_integer_dtype(names.dtype):
        words = np.array([-1, 0], dtype=np.int64)
    else:
        spelt = {form for word in PLACEHOLDERS for form in (word, word.upper(), word.capitalize(), word.title())}
        words = np.array(sorted({*spelt, "NaN", "0", "-1"}), dtype=object)
    if not len(names):
        return np.empty(0, np.int64)
    places = np.searchsorted(names.to_numpy(), words)
    inside = places < len(names)
    places, words = places[inside], words[inside]
    found: NDArray[np.int64] = places[names.to_numpy()[places] == words]
    return found
