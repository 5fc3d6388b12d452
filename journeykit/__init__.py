"""Digital customer journeys, from a raw interaction log to a published report.

Examples
--------
>>> "read_log" in dir(jk)  # the public names load when first used
True
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Name -> the module that defines it, so that `import journeykit` itself imports nothing. The block below says the same
# to type checkers and editors (tests/test_public_names.py compares the two).
_HOME = {
    "InteractionLog": "journeykit.log",
    "concat_logs": "journeykit.log",
    "read_log": "journeykit.log",
    "StageModel": "journeykit.journey",
    "Step": "journeykit.journey",
    "timeline": "journeykit.journey",
    "language": "journeykit.text",
    "conversion_curve": "journeykit.analyses.conversion",
    "funnel_trend": "journeykit.analyses.conversion",
    "conversion_drivers": "journeykit.analyses.drivers",
    "friction": "journeykit.analyses.friction",
    "stage_funnel": "journeykit.analyses.funnel",
    "funnel": "journeykit.analyses.funnel",
    "Exclude": "journeykit.analyses.funnel",
    "retention": "journeykit.analyses.retention",
    "retention_forecast": "journeykit.analyses.retention",
    "lifecycle": "journeykit.analyses.lifecycle",
    "stickiness": "journeykit.analyses.lifecycle",
    "active_customers": "journeykit.analyses.lifecycle",
    "Inactivity": "journeykit.analyses.churn",
    "Cancel": "journeykit.analyses.churn",
    "Contract": "journeykit.analyses.churn",
    "Tenures": "journeykit.analyses.churn",
    "churn_threshold": "journeykit.analyses.churn",
    "tenures": "journeykit.analyses.churn",
    "survival_curve": "journeykit.analyses.churn",
    "churn_model": "journeykit.analyses.churn",
    "buying_model": "journeykit.analyses.buying",
    "compare": "journeykit.results.comparing",
    "opportunities": "journeykit.overviews",
    "load_sample": "journeykit.datasets",
    "simulate_journeys": "journeykit.datasets",
    "list_reports": "journeykit.reports",
    "run_report": "journeykit.reports",
}

if TYPE_CHECKING:
    from journeykit.analyses.buying import buying_model as buying_model
    from journeykit.analyses.churn import Cancel as Cancel
    from journeykit.analyses.churn import Contract as Contract
    from journeykit.analyses.churn import Inactivity as Inactivity
    from journeykit.analyses.churn import Tenures as Tenures
    from journeykit.analyses.churn import churn_model as churn_model
    from journeykit.analyses.churn import churn_threshold as churn_threshold
    from journeykit.analyses.churn import survival_curve as survival_curve
    from journeykit.analyses.churn import tenures as tenures
    from journeykit.analyses.conversion import conversion_curve as conversion_curve
    from journeykit.analyses.conversion import funnel_trend as funnel_trend
    from journeykit.analyses.drivers import conversion_drivers as conversion_drivers
    from journeykit.analyses.friction import friction as friction
    from journeykit.analyses.funnel import Exclude as Exclude
    from journeykit.analyses.funnel import funnel as funnel
    from journeykit.analyses.funnel import stage_funnel as stage_funnel
    from journeykit.analyses.lifecycle import active_customers as active_customers
    from journeykit.analyses.lifecycle import lifecycle as lifecycle
    from journeykit.analyses.lifecycle import stickiness as stickiness
    from journeykit.analyses.retention import retention as retention
    from journeykit.analyses.retention import retention_forecast as retention_forecast
    from journeykit.datasets import load_sample as load_sample
    from journeykit.datasets import simulate_journeys as simulate_journeys
    from journeykit.journey import StageModel as StageModel
    from journeykit.journey import Step as Step
    from journeykit.journey import timeline as timeline
    from journeykit.log import InteractionLog as InteractionLog
    from journeykit.log import concat_logs as concat_logs
    from journeykit.log import read_log as read_log
    from journeykit.overviews import opportunities as opportunities
    from journeykit.reports import list_reports as list_reports
    from journeykit.reports import run_report as run_report
    from journeykit.results.comparing import compare as compare
    from journeykit.text import language as language

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module 'journeykit' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value  # the next look finds it without this function
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *_HOME})
