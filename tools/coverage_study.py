"""Write docs/coverage.md and its picture: whether the first analyses find what is true.

    python -m tools.coverage_study [--logs 500] [--processes 2] [--keep FOLDER]

Simulates many logs whose true answers are known, analyses each as a user would and by the usual shortcuts, and
compares. The studies are those of tests/truth, which assert what this page shows.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import scipy

import journeykit as jk

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # also when run as a file

from tests.truth import shop, study  # noqa: E402

PAGE = ROOT / "docs" / "coverage.md"
PICTURE = ROOT / "docs" / "images" / "coverage.png"
BLUE, ORANGE, GREY = "#1f5f8b", "#e07b00", "#6b6b6b"


@dataclass(frozen=True)
class Line:
    """A line of the picture and of the first table: one cell of a study."""

    study: str
    quantity: str
    segment: str
    cell: Any
    words: str


LINES = (
    Line("funnel", "first_reach_rate", shop.ALL, "purchase", "Funnel: bought within 30 days"),
    Line("funnel", "first_reach_rate", shop.ALL, "retention", "Funnel: bought and came back within 30 days"),
    Line("funnel", "curve_rate", shop.ALL, "purchase", "Conversion curve: bought within 30 days"),
    Line("funnel", "curve_rate", shop.ALL, "retention", "Conversion curve: bought and came back"),
    Line("funnel", "trend_rate", shop.ALL, "2023-02", "Trend: bought within 22 days, a finished month"),
    Line("funnel", "trend_rate", shop.ALL, "2023-03", "Trend: the same, estimated for a running month"),
    Line("retention", "overall", shop.ALL, 1, "Retention: back in month 1"),
    Line("retention", "overall", shop.ALL, 6, "Retention: back in month 6"),
    Line("churn", "inactivity survival", "player", 90, "Inactivity: still there on day 90"),
    Line("churn", "inactivity survival", "player", 180, "Inactivity: still there on day 180"),
    Line("churn", "cancel survival", "player", 60, "Subscription: still there on day 60"),
    Line("churn", "cancel survival", "player", 180, "Subscription: still there on day 180"),
)

QUANTITIES = {
    "reach_rate": ("funnel", "funnel, best attempt: reach of a stage"),
    "step_rate": ("funnel", "funnel, best attempt: from stage to stage"),
    "first_reach_rate": ("funnel", "funnel, first entry: reach of a stage"),
    "first_step_rate": ("funnel", "funnel, first entry: from stage to stage"),
    "curve_rate": ("funnel", "conversion curve: share within 30 days"),
    "trend_rate": ("funnel", "trend: finished months and the estimate of a running one"),
    "cell": ("retention", "retention: finished cells"),
    "overall": ("retention", "retention: overall row"),
    "inactivity survival": ("churn", "inactivity: survival at an age"),
    "inactivity mean_days": ("churn", "inactivity: mean days up to 180"),
    "inactivity median_days": ("churn", "inactivity: median"),
    "cancel survival": ("churn", "cancellation: survival at an age"),
    "cancel mean_days": ("churn", "cancellation: mean days up to 180"),
    "cancel median_days": ("churn", "cancellation: median"),
}

SHORTCUTS = {
    "immature as lost": "all who got this far, over all who entered, those with time left included",
    "late converters kept": "those still on their way are left out, those who were quick stay in",
    "running month counted": "the running month is averaged as if it were over",
    "everyone in the base": "over all who ever started, whether or not the month has come for them",
    "no censoring": "who has not left by the end of the log stays for ever",
    "gone at last activity": "what was seen of a customer is all there is",
    "dropping those still there": "only those who left have a tenure",
    "event at last activity": "who is silent for 45 days at the end left at the last activity; the others are censored "
    "at the end of the log",
}


def rows_of(cells: pd.DataFrame, line: Line) -> pd.DataFrame:
    chosen = (cells["quantity"] == line.quantity) & (cells["segment"] == line.segment)
    return cells[chosen & (cells["cell"].astype(str) == str(line.cell))]


def points(value: float, error: float) -> str:
    """Return a bias in percentage points with its Monte Carlo error."""
    return f"{100 * value:+.2f} ± {100 * error:.2f}".replace("-", "−")


def too(value: float) -> str:
    """Return a bias as words."""
    return f"{100 * abs(value):.1f} points too {'low' if value < 0 else 'high'}"


def share(value: float, error: float | None = None) -> str:
    return f"{100 * value:.1f}%" if error is None else f"{100 * value:.1f} ± {100 * error:.1f}%"


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(each) + " |" for each in lines)


def headline_table(cells: dict[str, pd.DataFrame]) -> str:
    rows = []
    for line in LINES:
        for row in rows_of(cells[line.study], line).itertuples():
            numbers = [points(row.bias, row.bias_error), share(row.coverage)]
            if row.route == study.OURS:
                whose = "" if line.segment == shop.ALL else f" ({line.segment})"
                first, numbers = f"**{line.words}{whose}**: {share(row.truth)}", [f"**{each}**" for each in numbers]
            else:
                first = f"*{row.route}*"
            rows.append([first, f"{row.n:,.0f}", *numbers])
    return markdown(["what is true, and *shortcuts*", "customers", "bias, points", "95% interval covers"], rows)


def coverage_table(rows: dict[str, pd.DataFrame], cells: dict[str, pd.DataFrame]) -> str:
    lines = []
    for quantity, (name, words) in QUANTITIES.items():
        ours = rows[name][(rows[name]["quantity"] == quantity) & (rows[name]["route"] == study.OURS)]
        ours = ours.dropna(subset=["truth", "covers"])
        each = cells[name]
        each = each[(each["quantity"] == quantity) & (each["route"] == study.OURS) & (each["logs"] > 0)]
        sizes = f"{each['n'].min():,.0f}–{each['n'].max():,.0f}"
        lowest, highest = share(each["coverage"].min()), share(each["coverage"].max())
        worst = (each["bias"] / each["bias_error"]).abs().max()
        off = "–" if quantity.endswith("median_days") else f"{worst:.1f}"
        lines.append([words, str(len(each)), sizes, share(*study.pooled(ours)), lowest, highest, off])
    header = [
        "",
        "cells",
        "customers",
        "95% interval covers",
        "lowest cell",
        "highest cell",
        "largest bias ÷ its error",
    ]
    return markdown(header, lines)


def page(rows: dict[str, pd.DataFrame], cells: dict[str, pd.DataFrame]) -> str:
    logs = rows["funnel"]["seed"].nunique()
    chance = 100 * 1.96 * np.sqrt(0.95 * 0.05 / logs)
    bought, _, _, _, _, _, _, month_6, _, silent, _, _ = (
        rows_of(cells[line.study], line).set_index("route")[["bias", "truth"]] for line in LINES
    )
    return f"""# Do the first analyses find what is true?

We simulate {logs} logs of a guitar shop for each of three studies, with {study.CUSTOMERS:,} customers a log, and
compare what `stage_funnel`, `conversion_curve`, `retention` and `survival_curve` say with the truth. The truth is
computed from the shop's parameters, never from its events; for `funnel_trend`, which no formula has, two million
customers are followed to the end of their windows. Beside it stand the usual shortcuts, which forget that a log ends.

![How far off journeykit and the shortcuts are, and how often their intervals cover the truth](images/coverage.png)

- journeykit's rates, survival and mean days are the truth on average over all logs, but for chance, and its 95%
  intervals cover it about 95% of the time.
{followed(rows["funnel"])}
- {share(bought["truth"].iloc[0])} of the customers buy within 30 days. Counting as lost who still has time left comes
  out {too(bought.loc["immature as lost", "bias"])}; leaving them out, but not those who were quick to buy,
  {too(bought.loc["late converters kept", "bias"])}.
- Retention in month 6 over all who ever started is {too(month_6.loc["everyone in the base", "bias"])}.
- {share(silent["truth"].iloc[0])} of a segment have had no silence of {shop.SILENCE_DAYS} days by day 180. Without
  censoring that comes out {too(silent.loc["no censoring", "bias"])}.

## Some of the numbers

Bias is estimate minus truth, in percentage points, ± one Monte Carlo standard error. In {logs} logs a coverage of 95%
shows as {95 - chance:.1f}% to {95 + chance:.1f}%, 19 times out of 20.

{headline_table(cells)}

The shortcuts:

{chr(10).join(f"- *{name}*: {words}." for name, words in SHORTCUTS.items())}

A shortcut can be near the truth by luck, where two errors pull against each other, or where a log is so long that its
end hardly matters. If all entries of a customer count, not the first alone, late ones lend second chances to early
customers: *immature as lost* is then {too(reach(cells, "purchase"))} for the purchase, and
{too(reach(cells, "retention"))} for the stage after it.

## Every interval

Each stage and segment; each cohort and month, each month and segment; each segment on days
{listed(shop.SILENT_AGES)} of inactivity and {listed(shop.CANCEL_AGES)} of a subscription.
± is one Monte Carlo standard error, which allows for cells of one log depending on each other. By chance one of 22
cells is more than two errors off; here it is {beyond(cells)}.

{coverage_table(rows, cells)}

{NEARLY_TRUE}

{how_it_was_made(rows["funnel"], logs)}
"""


def beyond(cells: dict[str, pd.DataFrame]) -> str:
    """Count the cells, medians aside, whose bias is more than two Monte Carlo errors."""
    each = pd.concat(cells.values())
    each = each[(each["route"] == study.OURS) & each["quantity"].isin(QUANTITIES) & (each["bias_error"] > 0)]
    each = each[~each["quantity"].str.endswith("median_days")]
    return f"{int((each['bias'].abs() > 2 * each['bias_error']).sum())} of {len(each)}"


NEARLY_TRUE = """What is only nearly true:

- Wilson's interval covers a little more or less than 95%, as n and p have it. The tests compare with the exact number.
- Kaplan–Meier's interval is one for large samples. Where few have left it covers a little more than it says.
- A median at which the curve jumps over one half, as on the day when yearly plans end, is nearly always inside its
  interval; where the curve is flat or jumps, the average of many medians is some days from the truth.
- Survival is compared by segment: where segments are censored differently, a pooled curve is not their mix."""


def followed(rows: pd.DataFrame) -> str:
    """Say whether mature rates are those of the same entries in the same logs, followed for a month more."""
    compared = rows[rows["quantity"] == "followed_rate"]
    same = f"{int((compared['estimate'] == compared['truth']).sum()):,} of {len(compared):,}"
    return f"""- What comes later changes no mature rate. Logs of four months were cut after three: {same} rates of
  `stage_funnel` (each stage and segment) are exactly those of the same entries in the whole log."""


def how_it_was_made(rows: pd.DataFrame, logs: int) -> str:
    shares = rows[rows["segment"] == shop.ALL].groupby("quantity")["estimate"].agg(["mean", "min"])
    immature, again = (
        f"{share(each['mean'])} (at least {share(each['min'])} in each log)"
        for each in (shares.loc[name] for name in ("immature_share", "reentering_share"))
    )
    seeds = ", ".join(f"{name} {first:,}–{first + logs - 1:,}" for name, first in study.FIRST_SEED.items())
    versions = {"journeykit": jk.__version__, "numpy": np.__version__, "pandas": pd.__version__}
    versions |= {"scipy": scipy.__version__, "Python": platform.python_version()}
    return f"""## How it was made

- Funnel: {shop.FUNNEL_MONTHS} months of customers who soon try again. Of all entries {immature} are immature; of the
  customers {again} begin anew. Windows: {shop.WITHIN} for the best attempt,
  {shop.FIRST_WITHIN} for the first entry and for the curve. Trend: four months of as many customers a month, of which
  three are seen.
- Retention: {shop.RETENTION_MONTHS} months of the sample shop, read on {shop.READ_ON}, in the middle of a month. The
  first order starts a customer, a product page brings them back.
- Churn: {shop.CHURN_MONTHS} months; segments more alike in size and with more lessons, so that each has subscriptions.
  Inactivity is {shop.SILENCE_DAYS} days without a product page, from the first order on.
- Seeds: {seeds}.
- Versions: {", ".join(f"{name} {version}" for name, version in versions.items())}.
- `python -m tools.coverage_study --logs {logs}` writes this page; `tests/truth` asserts it on the first of the logs."""


def listed(ages: tuple[int, ...]) -> str:
    return ", ".join(map(str, ages[:-1])) + f" and {ages[-1]}"


def reach(cells: dict[str, pd.DataFrame], stage: str) -> float:
    """Bias of a shortcut for the best attempt."""
    rows = rows_of(cells["funnel"], Line("funnel", "reach_rate", shop.ALL, stage, "")).set_index("route")
    return float(rows["bias"]["immature as lost"])


def draw(cells: dict[str, pd.DataFrame], logs: int) -> None:
    """Draw bias and coverage of each line: journeykit and the shortcuts."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(11, 5.2), width_ratios=(1, 1))
    places = []
    for place, line in enumerate(LINES):
        y = place + 0.45 * (place // 2)  # the lines of a study stand together
        places.append(y)
        rows = rows_of(cells[line.study], line)
        for ours, color, size, marker in ((False, ORANGE, 55, "D"), (True, BLUE, 95, "o")):
            some = rows[(rows["route"] == study.OURS) == ours]
            for axes, values in ((left, some["bias"]), (right, some["coverage"])):
                axes.scatter(100 * values, [y] * len(some), s=size, c=color, marker=marker, zorder=3, clip_on=False)
    band = 100 * 1.96 * np.sqrt(0.95 * 0.05 / logs)
    left.axvline(0, color=GREY, linewidth=1)
    right.axvspan(95 - band, 95 + band, color=BLUE, alpha=0.15, linewidth=0)
    left.set_yticks(places, [line.words for line in LINES])
    left.set_xlabel("percentage points below or above the truth")
    left.set_title("How far off on average", loc="left", fontsize=11)
    right.set_xlabel("% of the logs")
    right.set_title("How often its “95%” interval covers the truth", loc="left", fontsize=11)
    right.set_xlim(-3, 103)
    right.set_xticks([0, 25, 50, 75, 95], ["0", "25", "50", "75", "95"])
    for axes in (left, right):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", color="#e6e6e6", zorder=0)
    left.invert_yaxis()
    title = {"x": 0.01, "ha": "left", "va": "top", "weight": "bold"}
    figure.text(y=0.985, s=f"{logs} simulated logs: who finds the truth?", fontsize=15, **title)
    figure.text(y=0.92, s="● journeykit", color=BLUE, fontsize=12, **title)
    figure.text(
        y=0.92,
        s="◆ the usual shortcuts, which forget that a log ends",
        color=ORANGE,
        fontsize=12,
        **title | {"x": 0.13},
    )
    figure.tight_layout(rect=(0, 0, 1, 0.88))
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None})
    plt.close(figure)


def write(rows: dict[str, pd.DataFrame]) -> None:
    cells = {name: study.by_cell(each) for name, each in rows.items()}
    draw(cells, rows["funnel"]["seed"].nunique())
    PAGE.write_text(page(rows, cells), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--logs", type=int, default=500, help="logs of each study")
    parser.add_argument("--processes", type=int, default=2, help="how many work at once")
    parser.add_argument("--keep", type=Path, help="folder in which what was found is kept, to go on after a stop")
    asked = parser.parse_args()
    rows = {}
    for name in study.STUDIES:
        print(f"{name}: {asked.logs} logs", flush=True)
        rows[name] = study.run(name, asked.logs, processes=asked.processes, keep=asked.keep)
    write(rows)
    print(f"{PAGE.relative_to(ROOT)} and {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
