"""The standard report, on sample data and on a log that allows hardly anything."""

import json
import re

import jsonschema
import nbformat
import numpy as np
import pandas as pd
import pytest

from journeykit.reports.headlines import journey_headline
from journeykit.reports.metrics import metrics_schema
from journeykit.reports.plan import find_reports, standard_reports
from journeykit.reports.questions import Absent
from journeykit.reports.request import Request
from journeykit.reports.run import run_reports
from journeykit.reports.sources import LogSource


def run(out, **options):
    result = run_reports(Request(names=["journey_overview"], out=out, **options))[0]
    assert result.ok, result.reason
    return result


@pytest.fixture(scope="module")
def overview(tmp_path_factory):
    return run(tmp_path_factory.mktemp("overview"), source=LogSource("guitar_shop_small"))


def test_the_page_says_its_point_in_25_words_with_an_interval(overview):
    assert len(overview.headline.split()) <= 25
    assert re.search(r"\[\d", overview.headline)
    page = overview.page.read_text(encoding="utf-8")
    assert page.index("30.") > 0
    assert len(page.encode()) < 300_000


def test_every_part_is_there_with_its_picture_and_its_numbers(overview):
    page = overview.page.read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="part-\d+-title">(.*?)</h2>', page) == [
        "Where customers are lost",
        "What to fix first",
        "Who comes back",
        "Who leaves",
        "About the data",
    ]
    pictures = re.findall(r"<img [^>]*>", page)
    assert len(pictures) >= 4
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    names = {record["name"].rpartition(".")[2] for record in overview.metrics}
    assert {"reach_rate", "median_days", "retention_month_1_rate"} <= names


def test_metrics_follow_the_schema_and_say_the_headlines_number(overview):
    document = json.loads(overview.metrics_path.read_text())
    jsonschema.validate(document, metrics_schema())
    reach = next(record for record in document["records"] if record["name"] == "purchase.reach_rate")
    assert f"{reach['value']:.1%}" in overview.headline


def test_no_customer_is_named_anywhere_in_what_is_published(tmp_path):
    """Every report, on a log with rows that could not be used: findings and quarantine quote such rows."""
    rng = np.random.default_rng(3)
    who = [f"person{n:03d}@example.org" for n in range(60)]
    rows = pd.DataFrame(
        {
            "customer": rng.choice(who, 900),
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 180 * 86_400, 900), unit="s"),
            "touchpoint": rng.choice(["search", "product_page", "cart", "order", "review_written"], 900),
            "channel": rng.choice(["web", "app"], 900),
        }
    ).astype({"time": str})
    rows.loc[:30, "time"] = "never"
    rows.loc[31:60, "touchpoint"] = ""
    rows = pd.concat([rows, rows.iloc[100:130]])
    rows.to_csv(tmp_path / "events.csv", index=False)
    source = LogSource(tmp_path / "events.csv", {"observed_until": "2024-08-01"})
    results = run_reports(Request(names=["all"], out=tmp_path / "out", source=source, compare="previous", jobs=2))
    assert [result.reason for result in results] == [None] * len(results)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(written) > 20
    for path in written:
        assert "@example.org" not in path.read_text(encoding="utf-8"), path
        assert not re.search(r"person\d{3}", path.read_text(encoding="utf-8")), path


def _but_for_run_and_commit(result, name):
    """Others may commit while this runs."""
    text = (result.folder / name).read_text(encoding="utf-8").replace(result.run, "RUN")
    return re.sub(r"<dd>[0-9a-f]{12}( \+ changes)?</dd>", "", text)


def test_the_same_log_parameters_and_versions_give_the_same_bytes(overview, tmp_path):
    again = run(tmp_path, source=LogSource("guitar_shop_small"))
    for name in ("metrics.json", "report.html"):
        one, two = (_but_for_run_and_commit(each, name) for each in (overview, again))
        assert one == two, name


def test_a_log_that_allows_hardly_anything_still_ends_well_and_says_so(tmp_path):
    rows = pd.DataFrame(
        {
            "customer": ["ann", "bob", "cem"],
            "time": ["2024-01-01 10:00", "2024-01-02 11:00", "2024-01-02 12:00"],
            "touchpoint": ["<script>alert(1)</script>", "something else", "a third thing"],
        }
    )
    rows.to_csv(tmp_path / "thin.csv", index=False)
    source = LogSource(tmp_path / "thin.csv", {"observed_until": "2024-01-10"})
    result = run(tmp_path / "out", source=source, parameters={"language": "he", "min_n": 0})
    page = result.page.read_text(encoding="utf-8")
    assert 'dir="rtl"' in page
    assert "<script" not in page
    assert "ann" not in re.findall(r"\w+", page)
    assert page.count("<img") == 1  # who is still there; nobody came to a stage, and no month has finished


def test_without_results_the_headline_says_how_much_there_is():
    log = LogSource("guitar_shop_small").read()

    class Begun:
        language = "en"

    Begun.log = log
    absent = Absent("the log has no stages")
    headline = journey_headline(Begun, funnel=absent, retention=absent, churn=absent)
    assert headline.sentence.startswith(f"{log.n_customers:,} customers and {log.n_events:,} interactions")
    assert headline.picture is None


@pytest.mark.parametrize("name", standard_reports())
def test_a_standard_notebook_is_thin_and_committed_without_outputs(name):
    source = find_reports([name])[0]
    nbformat.validate(nbformat.from_dict(source.notebook))
    assert {"log", "stages", "start", "end", "language"} <= set(source.parameters)
    assert all(parameter.help for parameter in source.parameters.values())
    for cell in source.notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            assert not re.search(r"^\s*(def|class|for|while)\b", cell["source"], re.M), "a module is missing"


def test_of_a_log_of_a_handful_a_page_says_next_to_nothing(tmp_path):
    rows = pd.DataFrame(
        {
            "customer": ["ann", "ann", "bob", "cem"],
            "time": ["2024-01-01 10:00", "2024-01-02 10:00", "2024-01-02 11:00", "2024-01-02 12:00"],
            "touchpoint": ["search", "order", "search", "search"],
        }
    )
    rows.to_csv(tmp_path / "thin.csv", index=False)
    result = run(tmp_path / "out", source=LogSource(tmp_path / "thin.csv", {"observed_until": "2024-07-10"}))
    page = result.page.read_text(encoding="utf-8")
    assert "fewer than 5 customers" in page
    assert "<img" not in page
    assert not [record for record in result.metrics if record["unit"] == "customers" and record["value"]]
