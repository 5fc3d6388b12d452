"""Over a few hundred logs the 95% intervals cover the truth as often as they say, and the usual shortcuts don't.

Every bound below is what chance leaves over so many logs (`family_z`: once in a thousand such tests), and where an
interval is approximate, what is known of it. tools/coverage_study.py writes the same numbers to docs/coverage.md.
"""

import numpy as np
import pytest

from tests.truth import shop, study
from tests.truth.chance import family_z, wilson_coverage

LOGS = 300
CELL = ["quantity", "segment", "cell"]

pytestmark = pytest.mark.slow


def of_ours(rows, *quantities):
    return rows[(rows["route"] == study.OURS) & rows["quantity"].isin(quantities)]


def assert_covers_as_wilson(rows):
    """Counts and coverage of each cell are those of binomials with the true probability.

    The chance that Wilson's interval covers p is known for every n: summed
    over the outcomes. It is near 95%, a little more or less with n and p.
    """
    assert rows["covers"].notna().all()
    exact = np.array([wilson_coverage(int(n), p) for n, p in zip(rows["n"], rows["truth"], strict=True)])
    each = rows.assign(
        hit_off=rows["covers"].astype(float) - exact,
        hit_variance=exact * (1 - exact),
        count_off=rows["n"] * (rows["estimate"] - rows["truth"]),
        count_variance=rows["n"] * rows["truth"] * (1 - rows["truth"]),
    )
    cells = each.groupby(CELL)[["hit_off", "hit_variance", "count_off", "count_variance"]].sum()
    for name in ("count", "hit"):
        off = cells[f"{name}_off"] / np.sqrt(cells[f"{name}_variance"])
        assert off.abs().max() <= family_z(len(cells)), off[off.abs() > 3]
    assert exact.mean() == pytest.approx(0.95, abs=0.003)
    assert_pooled(rows)


def assert_covers_as_greenwood(rows, truth_error=0.0):
    """Unbiased, and covering 95% give or take chance and a point: intervals of curves are for large samples."""
    cells = study.by_cell(rows)
    z = family_z(len(cells))
    assert (cells["bias"].abs() <= z * np.hypot(cells["bias_error"], truth_error)).all(), cells
    chance = z * np.sqrt(0.95 * 0.05 / LOGS)
    assert ((cells["coverage"] - 0.95).abs() <= chance + 0.01).all(), cells
    assert_pooled(rows, known=0.01)


def assert_pooled(rows, known=0.003):
    """Over all cells the coverage is 95%, give or take chance and what is known of the interval."""
    coverage, error = study.pooled(rows)
    assert abs(coverage - 0.95) <= family_z(1) * error + known, (coverage, error)


def assert_off(rows, *, quantity, route, sign, least, cells, misses=True):
    """A shortcut is off in this direction by so much; its intervals cover less than they say if it `misses`."""
    found = study.by_cell(rows[(rows["quantity"] == quantity) & (rows["route"] == route)]).set_index(
        ["segment", "cell"]
    )
    for cell in cells:
        row = found.loc[cell]
        assert sign * row["bias"] - family_z(len(cells)) * row["bias_error"] > least, (route, cell, row["bias"])
        if misses:
            assert row["coverage"] + family_z(len(cells)) * row["coverage_error"] < 0.95, (route, cell, row["coverage"])


def test_funnel_intervals_cover_the_truth_and_counting_the_immature_does_not():
    rows = study.run("funnel", LOGS)
    assert set(rows["segment"]) == {*shop.SEGMENTS, shop.ALL}
    assert_covers_as_wilson(of_ours(rows, "reach_rate", "step_rate"))
    assert_covers_as_wilson(of_ours(rows, "first_reach_rate", "first_step_rate"))
    assert_covers_as_greenwood(of_ours(rows, "curve_rate"))
    assert_covers_as_greenwood(of_ours(rows, "trend_rate"), truth_error=0.0006)
    month = [(shop.ALL, shop.TREND_MONTHS[-1])]
    assert_off(rows, quantity="trend_rate", route="immature as lost", sign=-1, least=0.02, cells=month)
    whole = [(shop.ALL, stage) for stage in ("consideration", "purchase", "retention")]
    # Of first entries, the immature are lost; with all entries, later ones also add second chances to the old.
    assert_off(rows, quantity="first_reach_rate", route="immature as lost", sign=-1, least=0.005, cells=whole)
    assert_off(rows, quantity="reach_rate", route="immature as lost", sign=-1, least=0.005, cells=whole[2:])
    assert_off(rows, quantity="reach_rate", route="immature as lost", sign=1, least=0.005, cells=whole[:2])
    for quantity in ("first_reach_rate", "reach_rate", "curve_rate"):
        assert_off(rows, quantity=quantity, route="late converters kept", sign=1, least=0.03, cells=whole)


def test_the_funnel_study_is_demanding():
    logs = [shop.funnel_log(study.CUSTOMERS, study.FIRST_SEED["funnel"] + i) for i in range(5)]
    assert min(shop.immature_share(log) for log in logs) >= 0.3
    assert min(shop.share_who_reenter(log) for log in logs) >= 0.3


def test_retention_intervals_cover_the_truth_and_unfinished_cells_pull_it_down():
    rows = study.run("retention", LOGS)
    assert_covers_as_wilson(of_ours(rows, "cell"))
    assert_covers_as_wilson(of_ours(rows, "overall"))
    whole = [(shop.ALL, age) for age in shop.AGES]
    # One month of eleven is not over: a point too low, which the interval of 400 customers can hide.
    route = "running month counted"
    assert_off(rows, quantity="overall", route=route, sign=-1, least=0.004, cells=whole[:2], misses=False)
    assert_off(rows, quantity="overall", route="everyone in the base", sign=-1, least=0.03, cells=whole)


def test_survival_intervals_cover_the_truth_and_ignoring_censoring_does_not():
    rows = study.run("churn", LOGS)
    for rule in ("inactivity", "cancel"):
        ours = of_ours(rows, f"{rule} survival", f"{rule} mean_days")
        assert ours["covers"].notna().all()
        cells = study.by_cell(ours)
        z = family_z(len(cells))
        assert (cells["bias"].abs() <= z * cells["bias_error"]).all(), cells
        # Large-sample intervals of 80 to 180 customers, of whom 10 leave in the smallest cell: right to a point or so.
        chance = z * np.sqrt(0.95 * 0.05 / LOGS)
        assert ((cells["coverage"] - 0.95).abs() <= chance + 0.01).all(), cells
        for quantity in ("survival", "mean_days"):
            assert_pooled(of_ours(rows, f"{rule} {quantity}"), known=0.01)
        # Where the curve jumps over one half, on one day, the median is nearly always inside: at least 95%, then.
        medians = study.by_cell(of_ours(rows, f"{rule} median_days").dropna(subset="truth"))
        assert len(medians) >= 2
        assert (medians["coverage"] >= 0.95 - chance - 0.01).all(), medians
    for group in shop.SEGMENTS:
        silent = [(group, age) for age in shop.SILENT_AGES]
        for route in ("no censoring", "event at last activity"):
            assert_off(rows, quantity="inactivity survival", route=route, sign=1, least=0.04, cells=silent)
        late = [(group, age) for age in shop.CANCEL_AGES[1:]]
        assert_off(rows, quantity="cancel survival", route="dropping those still there", sign=-1, least=0.1, cells=late)
    lasting = [(group, age) for group in ("player", "professional") for age in shop.SILENT_AGES]
    route = "dropping those still there"
    assert_off(rows, quantity="inactivity survival", route=route, sign=-1, least=0.05, cells=lasting)
