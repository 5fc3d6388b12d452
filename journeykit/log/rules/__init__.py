"""What the door looks for. Each rule has its formula, default and source in its docstring.

`ROW_RULES` judge one row by itself, while it is read; `LOG_RULES` look at the
log as a whole. Thresholds are the keyword arguments of the functions:
`read_log(..., rules={"near_duplicates": {"seconds": 2}, "clock_skew": False})`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from journeykit.errors import ParameterError
from journeykit.log.quality import Finding
from journeykit.log.rules.clocks import before_2000, clock_skew
from journeykit.log.rules.names import dominant_touchpoint, many_touchpoints, placeholder_names, similar_touchpoints
from journeykit.log.rules.repeats import absurd_rates, near_duplicates
from journeykit.log.rules.rows import out_of_range_time
from journeykit.log.rules.seen import Seen
from journeykit.log.rules.volume import days_without_events, stray_times, unfinished_last_period, volume_jumps
from journeykit.loops.engine import n_threads
from journeykit.schema import did_you_mean

LOG_RULES: Final[Mapping[str, Callable[..., list[Finding]]]] = {
    rule.__name__: rule
    for rule in (
        near_duplicates,
        before_2000,
        clock_skew,
        days_without_events,
        stray_times,
        volume_jumps,
        unfinished_last_period,
        absurd_rates,
        similar_touchpoints,
        many_touchpoints,
        dominant_touchpoint,
        placeholder_names,
    )
}

ROW_RULES: Final[Mapping[str, Callable[..., Any]]] = {"out_of_range_time": out_of_range_time}

FOUND: Final = (
    *("missing_customer", "missing_time", "unparseable_time", "missing_touchpoint", "unparseable_value"),
    *("after_observed_until", "exact_duplicates", "same_instant", "placeholder_customers", "placeholder_touchpoints"),
    *("observed_until_guessed", "guessed_column", "renamed_property", "unmapped_touchpoints"),
    *("read_as", "broken_line", "unclosed_quote", "undecodable_line", "cells_of_several_lines", "invalid_json"),
    *("epoch_seconds", "epoch_milliseconds", "epoch_microseconds", "epoch_nanoseconds", "spreadsheet_days"),
    *("digits_as_date", "day_before_month", "month_before_day", "month_by_name", "year_with_slashes"),
    *("finer_than_microseconds", "repeated_local_time", "skipped_local_time", "decimal_comma"),
    *("collapsed_runs", "without_consent", "without_unit", "other_lifecycle"),
    *("customers_without_attributes", "attributes_without_customers"),
    *("identity_stitched", "identity_shared", "identity_cycles", "identity_not_valid", "identity_unused"),
    *("stages_before_identity", "customer_ids_as_text", "no_shared_customers", "duplicates_across_sources"),
    *("outside_observation", "partly_observed", "not_observed"),
)
"""What can stand in the column `rule` without a function of its own: found while reading, shaping, or joining logs."""

Options = Mapping[str, Mapping[str, Any] | bool]


def every_rule() -> tuple[str, ...]:
    """Every word that can stand in the column `rule` of `log.quality`."""
    return (*ROW_RULES, *(rule for rule in LOG_RULES if rule != "placeholder_names"), *FOUND)


def check_options(options: Options) -> None:
    """Refuse options of rules or parameters that do not exist, naming those that do."""
    rules = {**ROW_RULES, **LOG_RULES}
    for rule, given in options.items():
        if rule not in rules:
            raise ParameterError(f"rules has no {rule!r}: {did_you_mean(rule, rules)}")
        if isinstance(given, bool):
            continue
        if not isinstance(given, Mapping):
            raise ParameterError(f"rules[{rule!r}] must be a dict of thresholds, or False, got {given!r}")
        known = [
            name for name, each in inspect.signature(rules[rule]).parameters.items() if each.kind == each.KEYWORD_ONLY
        ]
        for name in given:
            if name not in known:
                raise ParameterError(f"{rule} has no threshold {name!r}: {did_you_mean(name, known)}")


def thresholds(options: Options, rule: str) -> Mapping[str, Any] | None:
    """Return the thresholds given for a rule; None if it is switched off."""
    given = options.get(rule, {})
    if given is False:
        return None
    return given if isinstance(given, Mapping) else {}


def run_rules(seen: Seen, options: Options) -> list[Finding]:
    """Look at a log with every rule that is not switched off."""
    asked = [(rule, given) for name, rule in LOG_RULES.items() if (given := thresholds(options, name)) is not None]
    with ThreadPoolExecutor(n_threads()) as pool:
        found = pool.map(lambda each: each[0](seen, **each[1]), asked)
        return [finding for some in found for finding in some]
