"""What every result of an analysis can do: stored without its log, asked for customers, shown in each language."""

import pickle
from collections.abc import Iterator
from typing import Any

import journeykit as jk
from journeykit.results.base import Result


def stored_and_shown(found: Result, log: Any) -> Iterator[str]:
    """Check what all results share; yield each language while it is spoken, for what this one draws."""
    metrics = found.metrics()
    assert not metrics.duplicated(["name", "segment", "period", "definition"]).any()
    assert found.left_out.columns.tolist() == ["reason", "customers"]
    stored: Any = pickle.loads(pickle.dumps(found))
    assert stored.log is None
    who: Any = found
    assert stored.customers(0, log=log).tolist() == who.customers(0).tolist()
    for code in ("en", "he"):
        with jk.language(code):
            assert found.describe()
            assert "<table" in found._repr_html_()
            yield code
