import pytest

from journeykit.errors import ParameterError
from journeykit.reports.thresholds import Threshold, check_reports, judge, never_found, read_thresholds


def record(value, n=100, name="reach_rate", segment=""):
    return {"name": name, "segment": segment, "period": "", "value": value, "low": None, "high": None, "n": n}


def kinds(threshold, now, before=None):
    return [breach.kind for breach in judge([threshold], "overview", now, before)]


def test_absolute_limits_are_breached_beyond_them_not_at_them():
    assert kinds(Threshold("reach_rate", min=0.2, max=0.5), [record(0.2)]) == []
    assert kinds(Threshold("reach_rate", min=0.2, max=0.5), [record(0.5)]) == []
    assert kinds(Threshold("reach_rate", min=0.2), [record(0.199)]) == ["below"]
    assert kinds(Threshold("reach_rate", max=0.5), [record(0.501)]) == ["above"]


def test_relative_limits_compare_with_the_last_good_run():
    fall = Threshold("reach_rate", max_fall=0.1)
    assert kinds(fall, [record(0.45)], [record(0.5)]) == []
    assert kinds(fall, [record(0.44)], [record(0.5)]) == ["fall"]
    assert kinds(fall, [record(0.44)]) == []  # there is no last run
    assert kinds(Threshold("nps", max_rise=0.5), [record(-4, name="nps")], [record(-10, name="nps")]) == ["rise"]
    assert kinds(Threshold("nps", max_rise=0.5), [record(-6, name="nps")], [record(-10, name="nps")]) == []


def test_a_value_with_too_few_behind_it_is_not_judged():
    assert kinds(Threshold("reach_rate", min=0.2, min_n=50), [record(0.0, n=49)]) == []
    assert kinds(Threshold("reach_rate", min=0.2, min_n=50), [record(0.0, n=50)]) == ["below"]


def test_a_limit_never_falls_silent():
    assert kinds(Threshold("reach_rate", min=0.2), [record(None)]) == ["no_value"]
    assert kinds(Threshold("reach_rate", min=0.2, report="overview"), []) == ["missing"]
    assert kinds(Threshold("reach_rate", min=0.2, report="another"), []) == []
    assert kinds(Threshold("reach_rate", segment="email", min=0.2), [record(0.1), record(0.3, segment="email")]) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[threshold]]\nmetric = 'a'\nmni = 1", "did you mean 'min'"),
        ("[[threshold]]\nmetric = 'a'", "must set one of"),
        ("[[threshold]]\nmin = 1", "must name its metric"),
        ("[[threshold]]\nmetric = 'a'\nmin = 'low'", "min must be a number"),
        ("[[limit]]\nmetric = 'a'", "and nothing else"),
        ("[[threshold", "cannot read"),
    ],
)
def test_a_misspelt_limit_is_refused(tmp_path, text, said):
    (tmp_path / "thresholds.toml").write_text(text)
    with pytest.raises(ParameterError, match=said):
        read_thresholds(tmp_path / "thresholds.toml")


def test_thresholds_are_read_from_toml(tmp_path):
    (tmp_path / "t.toml").write_text("[[threshold]]\nmetric = 'a'\nmin = 1\nmin_n = 20\nreport = 'overview'\n")
    assert read_thresholds(tmp_path / "t.toml") == [Threshold("a", min=1, min_n=20, report="overview")]


def test_a_limit_for_any_report_that_no_report_has_is_told():
    unknown = Threshold("reach_rat", min=0.2)
    assert [breach.kind for breach in judge([unknown], "overview", [record(0.1)], None, alone=True)] == ["missing"]
    assert kinds(unknown, [record(0.1)]) == []  # another report may have it
    (said,) = never_found([unknown], [[record(0.1)], [record(0.1, name="nps")]])
    assert said == "reach rat has a limit but is not in the report (did you mean 'reach_rate'?)"
    assert never_found([Threshold("nps", min=1)], [[record(0.1)], [record(0.1, name="nps")]]) == []
    (said,) = never_found([Threshold("nps", segment="shop", min=1)], [[record(0.1)], [record(1, name="nps")]])
    assert said.endswith("(nps has segment '' period '')")


def test_a_limit_for_a_report_that_there_is_not_is_refused():
    check_reports([Threshold("nps", report="stage_funnel", min=1), Threshold("nps", report="mine", min=1)], ["mine"])
    with pytest.raises(ParameterError, match="did you mean 'stage_funnel'"):
        check_reports([Threshold("nps", report="stage_funel", min=1)], ["mine"])
