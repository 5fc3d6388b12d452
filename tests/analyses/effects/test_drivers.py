"""What goes with converting: the definition by hand, a slow reference, noise, and the biased form."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import journeykit as jk
from journeykit.analyses.drivers import conversion_drivers
from tests.analyses.effects.drivers_reference import slow_drivers
from tests.helpers import event_rows, make_log
from tests.result_methods import stored_and_shown

DAY = 86_400_000_000


def counts_of(found):
    return {row.driver: (row.customers, row.converted, row.without) for row in found.table.itertuples()}


# -- the definition, by hand -----------------------------------------------------------------------


def test_exposure_lies_between_entry_and_landmark_and_the_outcome_after_it():
    log = make_log(
        [
            ("a", "V", 0), ("a", "X", 2), ("a", "B", 5),  # X exactly at the landmark: has it; converts after it
            ("b", "V", 0), ("b", "X", 3), ("b", "B", 5),  # X after the landmark: has it not
            ("c", "X", 0), ("c", "V", 0), ("c", "Y", 1),  # X at the instant of the entry: not after it
            ("d", "X", 0), ("d", "V", 1), ("d", "Y", 2),  # X before the entry
            ("e", "V", 0), ("e", "X", 1), ("e", "B", 11),  # converts after the window: lost
            ("f", "V", 0), ("f", "X", 1), ("f", "B", 10),  # exactly at its end: converted
        ],
        observed_until=40,
    )  # fmt: skip
    found = conversion_drivers(log, ["V", "B"], within="10d", landmark="2d", min_n=1)
    assert counts_of(found) == {"X": (3, 2, 3), "Y": (2, 0, 4)}
    assert found.summary["base"].tolist() == [6]
    assert found.customers("X").tolist() == ["a", "e", "f"]
    assert found.customers("X", converted=True).tolist() == ["a", "f"]
    assert found.customers("X", converted=False).tolist() == ["e"]


def test_who_converts_by_the_landmark_or_is_immature_is_left_out_and_counted():
    log = make_log(
        [
            ("a", "V", 0), ("a", "X", 1), ("a", "B", 2),  # exactly at the landmark
            ("b", "V", 29), ("b", "X", 30), ("b", "B", 33),  # 29 + 10 < 40: mature
            ("c", "V", 30), ("c", "X", 31), ("c", "B", 33),  # 30 + 10 is not before the end: immature
            ("d", "X", 5),  # never entered
        ],
        observed_until=40,
    )  # fmt: skip
    found = conversion_drivers(log, ["V", "B"], within="10d", landmark="2d", min_n=1)
    assert counts_of(found) == {"X": (1, 1, 0)}
    assert dict(found.left_out.itertuples(index=False)) == {
        "funnel.not_entered": 1,
        "funnel.immature": 1,
        "drivers.converted_before": 1,
    }
    assert np.isnan(found.table["odds_ratio"]).all()  # nobody is without it


def test_the_landmark_is_the_median_time_to_convert():
    # Three convert after 1, 4 and 6 days; a fourth after the window, a fifth is immature.
    rows = [(c, "V", 0) for c in "abcd"] + [("a", "B", 1), ("b", "B", 4), ("c", "B", 6), ("d", "B", 11)]
    log = make_log([*rows, ("e", "V", 35), ("e", "B", 36)], observed_until=40)
    found = conversion_drivers(log, ["V", "B"], within="10d")
    assert found.summary["landmark_seconds"].tolist() == [4 * 86_400]
    assert found.summary["converted_before"].tolist() == [2]


def test_where_the_median_is_the_end_of_the_window_those_who_convert_then_convert_after_the_landmark():
    log = make_log([("a", "V", 0), ("a", "X", 1), ("a", "B", 10), ("b", "V", 0)], observed_until=40)
    found = conversion_drivers(log, ["V", "B"], within="10d", min_n=1)
    assert counts_of(found) == {"X": (1, 1, 1)}


def test_the_way_itself_is_no_driver_but_entering_again_is():
    log = make_log([("a", "V", 0), ("a", "C", 1), ("a", "V", 1), ("a", "B", 1), ("a", "X", 2)], observed_until=40)
    found = conversion_drivers(log, ["V", "C", jk.Step("D")], within="10d", landmark="3d", min_n=1)
    assert set(found.table["driver"]) == {"V", "B", "X"}


def test_the_odds_ratio_and_its_p_value_are_those_of_the_definition():
    rows = [(f"c{i}", "V", 0) for i in range(60)]
    rows += [(f"c{i}", "X", 1) for i in range(25)]
    rows += [(f"c{i}", "B", 5) for i in [*range(10), *range(25, 32)]]  # 10 of 25 with X, 7 of 35 without
    found = conversion_drivers(make_log(rows, observed_until=40), ["V", "B"], within="10d", landmark="2d")
    (row,) = found.table.itertuples()
    assert row.odds_ratio == pytest.approx((10 + 1) * (43 - 15 + 1) / ((17 - 10 + 1) * (15 + 1)))
    from scipy.stats import fisher_exact

    assert row.p_value == pytest.approx(fisher_exact([[10, 15], [7, 28]]).pvalue)
    assert (row.with_rate, row.without_rate, row.difference_rate) == pytest.approx((0.4, 0.2, 0.2))


@pytest.mark.parametrize(("size", "tested"), [(24, False), (25, True)])
def test_at_least_25_customers_must_have_it(size, tested):
    rows = [(f"c{i}", "V", 0) for i in range(200)] + [(f"c{i}", "X", 1) for i in range(size)]
    found = conversion_drivers(make_log(rows, observed_until=40), ["V", jk.Step("B")], within="10d", landmark="2d")
    assert len(found.table) == tested
    assert found.summary["too_rare"].tolist() == [not tested]


@pytest.mark.parametrize(("size", "tested"), [(29, False), (30, True)])
def test_and_two_percent(size, tested):
    rows = [(f"c{i}", "V", 0) for i in range(1500)] + [(f"c{i}", "X", 1) for i in range(size)]
    found = conversion_drivers(make_log(rows, observed_until=40), ["V", jk.Step("B")], within="10d", landmark="2d")
    assert len(found.table) == tested


def test_drivers_may_be_channels_or_any_column_and_missing_is_none():
    rows = [
        ("a", "V", 0, "web", None),
        ("a", "X", 1, "app", "red"),
        ("b", "V", 0, "web", "red"),
        ("b", "Y", 1, None, 7),
    ]
    log = make_log(rows, columns=["channel", "colour"], channel="channel", observed_until=40)
    by_channel = conversion_drivers(log, ["V", jk.Step("B")], within="10d", landmark="2d", of="channel", min_n=1)
    assert by_channel.table["driver"].tolist() == ["app"]
    by_colour = conversion_drivers(log, ["V", jk.Step("B")], within="10d", landmark="2d", of="colour", min_n=1)
    assert set(by_colour.table["driver"]) == {"red", "7"}


def test_only_entries_inside_the_range_count():
    log = make_log([("a", "V", 0), ("a", "V", 5), ("a", "X", 6), ("b", "V", 0), ("b", "X", 1)], observed_until=40)
    found = conversion_drivers(
        log, ["V", jk.Step("B")], within="10d", landmark="2d", between=("2024-01-03", None), min_n=1
    )
    assert found.summary["customers"].tolist() == [1]
    assert found.customers("X").tolist() == ["a"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"landmark": "10d"}, "before the end of the window"),
        ({"landmark": "1d", "method": "whole_attempt"}, "for method"),
        ({"method": "cox"}, "must be one of"),
        ({"min_n": 0}, "whole number"),
        ({"of": "colour"}, "no 'colour'"),
    ],
)
def test_what_cannot_be_asked_is_said(options, says):
    log = make_log([("a", "V", 0), ("a", "B", 1)], observed_until=40)
    with pytest.raises(ValueError, match=says):
        conversion_drivers(log, ["V", "B"], within="10d", **options)


def test_where_nobody_can_be_compared_it_is_said():
    log = make_log([("a", "V", 0), ("a", "B", 1)], observed_until=5)
    found = conversion_drivers(log, ["V", "B"], within="10d")
    assert found.table.empty
    assert np.isnan(found.summary["conversion_rate"].iloc[0])
    assert "Nobody" in found.describe()


# -- a slow, obvious version, and pieces -------------------------------------------------------------


@given(
    rows=event_rows(max_time=14),
    landmark=st.integers(1, 4),
    rest=st.sampled_from([["B"], ["B", "C"], ["A"], ["B", "A"]]),
    whole=st.booleans(),
)
def test_the_loops_count_what_the_definition_says(rows, landmark, rest, whole):
    log = make_log([*rows, ("z", "A", 0), ("z", "B", 9), ("z", "C", 9)], observed_until=20)
    method = {"method": "whole_attempt"} if whole else {"landmark": f"{landmark}d"}
    found = conversion_drivers(log, ["A", *rest], within="6d", min_n=1, **method)
    base, drivers = slow_drivers(log, "A", rest, within=6 * DAY, landmark=landmark * DAY, of="touchpoint", whole=whole)
    expected = {name: (sum(n), n[1], base["lost"] + base["converted"] - sum(n)) for name, n in drivers.items()}
    assert counts_of(found) == expected
    row = found.summary.iloc[0]
    assert (row["customers"], row["converted_before"], row["base"], row["converted"]) == (
        base["entered"], base["early"], base["lost"] + base["converted"], base["converted"],
    )  # fmt: skip
    for name, n in drivers.items():
        assert len(found.customers(name)) == sum(n)
        assert len(found.customers(name, converted=True)) == n[1]


@given(rows=event_rows(customers="abcdefgh", max_time=14, max_size=60), of=st.sampled_from(["touchpoint", "channel"]))
def test_seven_buckets_are_one_piece(rows, of):
    named = [(*row, "web" if i % 3 else "app") for i, row in enumerate(rows)]
    log = make_log([*named, ("z", "A", 0, "web"), ("z", "B", 3, "web")], columns=["channel"], channel="channel",
                   observed_until=20)  # fmt: skip
    options = {"within": "6d", "of": of, "min_n": 1}
    whole, pieces = (conversion_drivers(each, ["A", "B"], **options) for each in (log, log.in_buckets(7)))
    for name in ("table", "summary", "left_out"):
        assert_frame_equal(getattr(whole, name), getattr(pieces, name))
    assert whole.params == pieces.params
    for driver in whole.table["driver"]:
        assert whole.customers(driver).tolist() == pieces.customers(driver).tolist()


def test_a_bucket_where_nobody_has_a_driver_lists_nobody():
    # Of a column, a bucket knows the values of its own customers only.
    rows = [(f"c{i}", name, day, None) for i in range(30) for day, name in enumerate("VX")]
    log = make_log([*rows, ("c3", "X", 1, "red")], columns=["colour"], observed_until=40)
    options = {"within": "10d", "landmark": "2d", "of": "colour", "min_n": 1}
    for each in (log, log.in_buckets(7)):
        assert conversion_drivers(each, ["V", jk.Step("B")], **options).customers("red").tolist() == ["c3"]


# -- truth --------------------------------------------------------------------------------------------


def noise_log(customers, rng):
    """Half convert, soon or late; everyone meets N at a time of its own, whatever they do."""
    enters = np.zeros(customers)
    frames = [pd.DataFrame({"customer": range(customers), "time": enters, "touchpoint": "V"})]
    converts = rng.random(customers) < 0.5
    frames.append(
        pd.DataFrame({"time": rng.exponential(2, customers), "touchpoint": "B"})[converts]
        .rename_axis("customer")
        .reset_index()
    )
    frames.append(
        pd.DataFrame({"time": rng.exponential(5, customers), "touchpoint": "N"}).rename_axis("customer").reset_index()
    )
    rows = pd.concat(frames)
    rows["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rows["time"], unit="D")
    return jk.read_log(rows, observed_until="2024-03-01")


def test_pure_noise_has_an_odds_ratio_of_1_and_the_usual_form_says_otherwise():
    rng = np.random.default_rng(11)
    found = [
        [
            conversion_drivers(log, ["V", "B"], within="30d", method=method).table.set_index("driver").loc["N"]
            for method in ("landmark", "whole_attempt")
        ]
        for log in (noise_log(1500, rng) for _ in range(12))
    ]
    logs = np.log([[row["odds_ratio"] for row in pair] for pair in found])
    mean, error = logs.mean(axis=0), logs.std(axis=0, ddof=1) / np.sqrt(len(logs))
    assert abs(mean[0]) < 3 * error[0]
    assert np.exp(mean[1]) < 0.05  # "N keeps people from buying"
    covers = [pair[0]["odds_ratio_low"] < 1 < pair[0]["odds_ratio_high"] for pair in found]
    assert np.mean(covers) >= 0.75


@pytest.mark.slow
def test_the_interval_of_a_noise_driver_covers_1_as_often_as_it_says():
    rng = np.random.default_rng(12)
    covers, p_values = [], []
    for _ in range(400):
        row = conversion_drivers(noise_log(400, rng), ["V", "B"], within="30d").table.set_index("driver").loc["N"]
        covers.append(row["odds_ratio_low"] < 1 < row["odds_ratio_high"])
        p_values.append(row["p_value"])
    assert 0.93 <= np.mean(covers) <= 0.99
    assert np.mean(np.array(p_values) < 0.05) <= 0.07


def test_a_driver_that_does_something_is_found():
    rng = np.random.default_rng(5)
    n = 3000
    has = rng.random(n) < 0.3
    rows = [pd.DataFrame({"customer": range(n), "time": 0.0, "touchpoint": "V"})]
    rows.append(pd.DataFrame({"customer": np.flatnonzero(has), "time": 1.0, "touchpoint": "X"}))
    converts = np.flatnonzero(rng.random(n) < np.where(has, 0.5, 0.25))  # an odds ratio of 3
    rows.append(pd.DataFrame({"customer": converts, "time": 5.0, "touchpoint": "B"}))
    frame = pd.concat(rows)
    frame["time"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(frame["time"], unit="D")
    log = jk.read_log(frame, observed_until="2024-03-01")
    found = conversion_drivers(log, ["V", "B"], within="30d", landmark="2d")
    (row,) = found.table.itertuples()
    assert row.odds_ratio_low < 3 < row.odds_ratio_high
    assert "X" in found.describe()
    assert "association" in found.describe()


# -- the result ----------------------------------------------------------------------------------------


def test_the_result_has_every_method_in_both_languages():
    log = jk.load_sample("guitar_shop_small").with_stages(jk.StageModel.digital())
    found = conversion_drivers(log, ["awareness", "order"], within="30d", min_n=12)
    assert found.metrics()["definition"].unique().tolist() == ["conversion_drivers/1"]
    for _ in stored_and_shown(found, log):
        ax = found.plot()
        assert [text.get_text() for text in ax.get_yticklabels()] == found.table["driver"].tolist()
        assert len(found.figure().axes) == 2


def test_plot_draws_the_table():
    log = jk.load_sample("guitar_shop_small").with_stages(jk.StageModel.digital())
    found = conversion_drivers(log, ["awareness", "order"], within="30d", min_n=12)
    drawn = [line.get_xdata()[0] for line in found.plot().lines if line.get_marker() == "o"]
    assert drawn == pytest.approx(found.table["odds_ratio"].tolist())


def test_of_many_drivers_the_least_likely_by_chance_are_drawn_and_it_is_said():
    from journeykit.plots.drivers import MOST_ROWS

    log = jk.load_sample("guitar_shop_small").with_stages(jk.StageModel.digital())
    found = conversion_drivers(log, ["awareness", "order"], within="30d", min_n=2)
    ax = found.plot()
    drawn = {text.get_text() for text in ax.get_yticklabels()}
    assert drawn == set(found.table.nsmallest(MOST_ROWS, "p_value")["driver"])
    assert any(f"{len(found.table) - MOST_ROWS} more rows" in text.get_text() for text in ax.texts)
