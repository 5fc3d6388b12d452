"""A funnel in two or three sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from journeykit.text import say, word

if TYPE_CHECKING:
    from journeykit.analyses.funnel.result import FunnelResult
    from journeykit.analyses.funnel.stages import StageFunnelResult


def describe_funnel(result: FunnelResult) -> str:
    """Say how many converted, where most were lost, who is still on the way, and how groups differ."""
    summary = result.summary
    assert result.plan is not None
    if not len(summary) or not summary[result.plan.counted].sum():
        return say("funnel.nobody", step=_first(result))
    if len(summary) == 1:
        return " ".join(_one_group(result, _row(summary.iloc[0])))
    return " ".join(_several_groups(result, summary))


def _one_group(result: FunnelResult, row: dict[str, Any]) -> list[str]:
    assert result.plan is not None
    counted = result.plan.counted
    over = result.params["rates_over"]
    within, n = result.params["within_seconds"], row[result.base_column]
    words = {**row, "n": n, "first": _first(result), "last": _last(result), "within_seconds": within}
    words |= {name: word(str(row[name])) for name in ("leak_step", "leak_next_step")}
    lost = row[f"leak_{counted}"]
    of = "" if counted == "customers" else "_of"
    words |= {"things": things(counted, n), "lost": things(counted, lost), "leak_customers": lost}
    if not n:
        words |= {"things": things(counted, row[counted])}
        return [say(f"funnel.none_mature{of}", **words)]
    key = "headline_so_far" if over == "so_far" else "headline_all" if within is None else f"headline_{over}"
    sentences = [say(f"funnel.{key}{of}", **words)]
    if pd.notna(row["median_seconds"]):
        sentences.append(say("funnel.half_within", **words))
    if lost:
        sentences.append(say(f"funnel.leak_so_far{of}" if over == "so_far" else f"funnel.leak{of}", **words))
    late = result.left_out.loc[result.left_out["reason"] == "funnel.immature", counted].sum()
    if late:
        sentences.append(say(f"funnel.too_late_{counted}" if of else "funnel.too_late", late=int(late)))
    elif over == "so_far":
        sentences.append(say("core.so_far_note"))
    if result.params["rows_without_unit"]:
        sentences.append(say("funnel.rows_without_unit", events=result.params["rows_without_unit"]))
    return sentences


def things(counted: str, n: Any) -> str:
    """Say how many attempts, sessions, journeys, units or customers."""
    return say(f"funnel.things_{counted}", n=n)


def _several_groups(result: FunnelResult, summary: pd.DataFrame) -> list[str]:
    known = summary[summary[result.base_column] > 0].sort_values("conversion_rate", kind="stable")
    if not len(known):
        return [say("funnel.none_mature_in_groups")]
    first, last = _first(result), _last(result)
    sentences = []
    if len(known) > 1:
        best, worst = known.iloc[-1], known.iloc[0]
        words = {f"best_{name}": value for name, value in _row(best).items()}
        words |= {f"worst_{name}": value for name, value in _row(worst).items()}
        assert result.plan is not None
        counted = result.plan.counted
        words |= {
            "n_best": things(counted, best[result.base_column]),
            "n_worst": things(counted, worst[result.base_column]),
        }
        sentences.append(say("funnel.groups", first=first, last=last, **words))
    else:
        sentences += _one_group(result, _row(known.iloc[0]))
    clear = result.comparison[result.comparison["p_value_holm"] < 1 - result.params["confidence"]]
    if len(clear):
        widest = clear.loc[clear["difference_rate"].abs().idxmax()].to_dict()
        words = {f"rate_difference{end}": widest[f"difference_rate{end}"] for end in ("", "_low", "_high")}
        key = "funnel.difference_reach" if widest["rate"] == "reach_rate" else "funnel.difference_step"
        sentences.append(
            say(
                key,
                step=word(widest[result.step_column]),
                a=widest["a"],
                b=widest["b"],
                p_value=widest["p_value_holm"],
                **words,
            )
        )
    elif len(known) > 1:
        sentences.append(say("funnel.no_difference"))
    return sentences


def _row(row: pd.Series[Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _first(result: FunnelResult) -> str:
    assert result.plan is not None
    return word(result.plan.names[result.plan.first_shown - 1])


def _last(result: FunnelResult) -> str:
    assert result.plan is not None
    return word(result.plan.names[result.plan.last_required - 1])


def describe_stages(result: StageFunnelResult) -> str:
    """Say the funnel, then what those did who stopped at its biggest leak, and who skipped a stage."""
    sentences = [describe_funnel(result)]
    summary, table = result.summary, result.table
    if len(summary) != 1:
        return sentences[0]
    leak = summary["leak_step"].iloc[0]
    if leak is not None:
        at = table.loc[table["stage"] == leak].iloc[0].to_dict()
        column = "open" if result.params["rates_over"] == "so_far" else "dropped"
        if at[column]:
            assert result.plan is not None
            words = {
                **at,
                "stage": word(leak),
                "stopped": things(result.plan.counted, at[column]),
                "nothing_rate": at["nothing"] / at[column],
            }
            words |= {"stayed_rate": at["stayed"] / at[column]}
            key = "funnel.instead_nothing" if at["next_touchpoint"] is None else "funnel.instead"
            sentences.append(say(key, **words))
    most = table.iloc[int(table["skipped"].to_numpy().argmax())]
    if most["skipped"]:
        sentences.append(say("funnel.skipped", stage=word(most["stage"]), skipped=int(most["skipped"])))
    return " ".join(sentences)
