"""Whether two results may be compared: one kind, one definition, the same options."""

from __future__ import annotations

from typing import Any

import numpy as np

from journeykit.errors import ParameterError
from journeykit.results.base import Result

FREE = ("by", "between", "observed_until", "timezone", "definition", "starts_at")
"""Options in which results may differ: who and when, not what."""


def check_agreement(a: Result, b: Result) -> None:
    """Raise unless both are of one kind and were asked the same, of whomever and whenever."""
    for name, result in (("a", a), ("b", b)):
        if not isinstance(result, Result):
            raise ParameterError(f"{name} must be a result, such as jk.funnel(…) returns, got {type(result).__name__}")
    if type(a) is not type(b):
        raise ParameterError(f"two results of one kind are compared, got {type(a).__name__} and {type(b).__name__}")
    kinds = [result.definition.split(" ")[0] for result in (a, b)]
    if kinds[0] != kinds[1]:
        raise ParameterError(f"the definitions differ: {kinds[0]} and {kinds[1]}")
    free = {*FREE, *a.may_differ}
    names = [name for name in dict.fromkeys([*a.params, *b.params]) if name not in free]
    differ = [name for name in names if not _same(a.params.get(name), b.params.get(name))]
    if differ:
        said = "; ".join(f"{name}={a.params.get(name)!r} and {name}={b.params.get(name)!r}" for name in differ)
        raise ParameterError(f"the two were asked differently, so a difference would have no meaning: {said}")


def _same(one: Any, other: Any) -> bool:
    if hasattr(one, "equals"):  # a table or a column
        return type(one) is type(other) and bool(one.equals(other))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other))
    if isinstance(one, float) and isinstance(other, float) and np.isnan(one) and np.isnan(other):
        return True
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_same(x, y) for x, y in zip(one, other, strict=True))
    return bool(one == other)
