"""Models in files: JSON that holds numbers and words, and nothing that runs."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from journeykit.analyses.churn.model.covariates import Term
from journeykit.analyses.churn.model.hazard import Hazard
from journeykit.analyses.churn.model.landmark import Bends, Landmark
from journeykit.analyses.churn.model.result import ChurnModel
from journeykit.analyses.churn.question import Query
from journeykit.analyses.churn.rules import Cancel, Contract, Inactivity
from journeykit.errors import ParameterError
from journeykit.estimators.aft import AftFit
from journeykit.estimators.cloglog import CloglogFit
from journeykit.estimators.cox_prediction import Baseline
from journeykit.journey.steps import Step

FORMAT = "journeykit churn model"
VERSION = 2

# All that a file may hold: reading makes these from their fields and runs nothing else.
KINDS = {
    kind.__name__: kind
    for kind in (Term, Hazard, Baseline, AftFit, Landmark, Bends, CloglogFit, Query, Step, Inactivity, Cancel, Contract)
}


def write_model(model: ChurnModel, path: Path) -> None:
    """Write a model with what it was trained on, and some of its predictions to check it by."""
    query = model.query
    if query is not None and isinstance(query.signed_up, pd.Series):
        query = None  # the sign-up dates of customers do not belong into a model
    content = {
        "params": dict(model.params),
        "query": query,
        "terms": model.terms,
        "hazard": model.hazard,
        "others": model.others,
        "usual": dict(model.usual),
        "landmarks": list(model.landmarks.values()),
        "table": model.table,
        "summary": model.summary,
        "left_out": model.left_out,
        "checks": model.checks,
        "tests": model.tests,
    }
    packed = {name: pack(value) for name, value in content.items()}
    whole = {
        "format": FORMAT,
        "version": VERSION,
        "written_by": {"journeykit": version("journeykit"), "python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "pandas", "scipy")},
        "trained_on": _trained_on(model),
        "model": packed,
        "predictions": [pack(each) for each in _probe(model)],
    }
    whole["sha256"] = _hash(whole)
    text = json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=1)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def read_model(path: Path) -> ChurnModel:
    """Read a model, and check that it is whole and predicts what it did."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"no model can be read from {str(path)!r}: {error}") from error
    except json.JSONDecodeError as error:
        raise ParameterError(f"{str(path)!r} is no model: {error}") from error
    if not isinstance(whole, dict) or whole.get("format") != FORMAT:
        raise ParameterError(f"{str(path)!r} is no model that journeykit wrote")
    if whole.get("version") != VERSION:
        raise ParameterError(
            f"{str(path)!r} has form {whole.get('version')}, this journeykit ({version('journeykit')}) reads {VERSION}"
        )
    if whole.get("sha256") != _hash(whole):
        raise ParameterError(f"{str(path)!r} was changed after it was written: its checksum differs")
    content = {name: unpack(value) for name, value in whole["model"].items()}
    model = ChurnModel(
        content["table"],
        content["summary"],
        pd.DataFrame(),
        content["left_out"],
        content["params"] | {"trained_on": whole["trained_on"], "written_by": whole["written_by"]},
        None,
        tuple(content["terms"]),
        content["hazard"],
        content["others"],
        content["checks"],
        content["tests"],
        content["usual"],
        content["query"],
        None,
        {each[-1].horizon: each for each in content["landmarks"]},
    )
    for then, now in zip([unpack(each) for each in whole["predictions"]], _probe(model), strict=True):
        if not np.allclose(then, now, rtol=1e-9, atol=1e-12, equal_nan=True):
            raise ParameterError(
                f"{str(path)!r} does not predict here what it did when it was written: the packages it was written "
                f"with were {whole['written_by']}"
            )
    return model


def _hash(whole: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in whole.items() if name != "sha256"}
    text = json.dumps(rest, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _trained_on(model: ChurnModel) -> dict[str, Any]:
    """Say what a model was trained on: how many, until when, and how covariates were spread."""
    row = model.summary.iloc[0]
    known: dict[str, Any] = {name: int(row[name]) for name in ("customers", "events")}
    known["observed_until"] = str(model.params.get("observed_until") or "")
    known["definition"] = model.definition
    if model.tenures is None:
        return dict(model.params.get("trained_on", known))
    table = model.tenures.table
    spread: dict[str, Any] = {}
    for term in model.terms:
        values = table[term.name]
        if term.is_number:
            quantiles = values.quantile([0, 0.25, 0.5, 0.75, 1]).tolist()
            spread[term.name] = {"quantiles": quantiles, "missing": int(values.isna().sum())}
        else:
            spread[term.name] = {str(k): int(v) for k, v in values.astype(str).value_counts().head(100).items()}
    return known | {"rows": len(table), "covariates": spread}


def _probe(model: ChurnModel) -> list[Any]:
    """Predict for made-up customers: by the hazard, and by each landmark model."""
    names = [column for term in model.terms for column in term.columns]
    usual = np.array([model.usual[name] for name in names])
    design = np.vstack([usual, usual + 1, np.zeros(len(names))])
    assert model.hazard is not None
    place = np.zeros(3, np.int64)
    found: list[Any] = [np.concatenate(model.hazard.between(design, 1.0, [5.0, 30.0, 400.0], place)[:2])]
    for landmark in (each for kept in model.landmarks.values() for each in kept):
        rows = pd.DataFrame(
            {
                "recency_days": [0, landmark.limit // 2, landmark.limit - 1],
                "age_days": [landmark.limit, 400, 1000],
                "active_days": [1, 5, 60],
                "comebacks": [0, 1, 0],
            }
        )
        for term in landmark.terms:
            rows[term.name] = [term.usual] * 3
        score, se = landmark.predict(rows)
        found.append(np.concatenate([np.where(np.isfinite(score), score, np.nan), se]))
    return found


# -- values as JSON --------------------------------------------------------------------------


def pack(value: Any) -> Any:
    """Put a value into JSON; what is more than a plain number, word or list says its kind under "$"."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else {"$": "number", "is": str(float(value))}
    if isinstance(value, np.ndarray):
        return {"$": "array", "type": value.dtype.str if value.dtype.kind != "O" else "O", "shape": list(value.shape),
                "values": [pack(each) for each in value.ravel().tolist()]}  # fmt: skip
    if isinstance(value, pd.DataFrame):
        columns = {str(name): pack(np.asarray(value[name].astype(object) if value[name].dtype.kind not in "iufb"
                                              else value[name])) for name in value}  # fmt: skip
        return {"$": "frame", "columns": columns}
    if isinstance(value, pd.Timestamp):
        return {"$": "instant", "is": value.isoformat(), "zone": None if value.tz is None else str(value.tz)}
    if isinstance(value, pd.Timedelta) or hasattr(value, "total_seconds"):
        return {"$": "duration", "seconds": value.total_seconds()}
    if is_dataclass(value) and type(value).__name__ in KINDS:
        kept = {each.name: pack(getattr(value, each.name)) for each in fields(value) if each.init}
        return {"$": type(value).__name__, "fields": kept}
    if isinstance(value, Mapping):
        return {"$": "mapping", "items": [[pack(key), pack(each)] for key, each in value.items()]}
    if isinstance(value, tuple | list):
        return {"$": type(value).__name__, "items": [pack(each) for each in value]}
    if isinstance(value, frozenset | set):
        return {"$": "frozenset", "items": [pack(each) for each in sorted(value)]}
    raise ParameterError(f"a model with {type(value).__name__} in it can't be written")


def unpack(value: Any) -> Any:
    """Take a value out of JSON."""
    if not isinstance(value, dict):
        return value
    kind = value.get("$")
    if kind == "number":
        return float(value["is"])
    if kind == "array":
        values = [unpack(each) for each in value["values"]]
        if value["type"] == "O":
            found = np.empty(len(values), dtype=object)
            found[:] = values
            return found.reshape(value["shape"])
        return np.array(values, dtype=np.dtype(value["type"])).reshape(value["shape"])
    if kind == "frame":
        return pd.DataFrame({name: unpack(each) for name, each in value["columns"].items()})
    if kind == "instant":
        found_at = pd.Timestamp(value["is"])
        return found_at if value["zone"] is None else found_at.tz_convert(value["zone"])
    if kind == "duration":
        return pd.Timedelta(value["seconds"], "s")
    if kind == "mapping":
        return {unpack(key): unpack(each) for key, each in value["items"]}
    if kind in ("tuple", "list", "frozenset"):
        items = [unpack(each) for each in value["items"]]
        return {"tuple": tuple, "list": list, "frozenset": frozenset}[kind](items)
    if kind in KINDS:
        return KINDS[kind](**{name: unpack(each) for name, each in value["fields"].items()})
    raise ParameterError(f"a model holds {kind!r}, which this journeykit does not know")
