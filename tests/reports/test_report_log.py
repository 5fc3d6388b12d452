"""What a report is computed from: its period, and what counts as the customers' own doing."""

import journeykit as jk
from journeykit.reports import Report
from tests.helpers import make_log


def test_who_bought_before_the_reports_period_is_no_new_customer_in_it():
    rows = [("old", "order", 0), ("old", "order", 40), ("new", "order", 41), ("new", "visit", 75)]
    log = make_log(rows, observed_until=121)  # from 1 January to 1 May 2024
    report = Report("Test", log=log, start="2024-02-01", end="2024-05-01", min_n=0)
    result = report.compute(jk.retention, start="order", between=report.between)
    cohorts = result.table[result.table["age"] == 0].set_index("cohort")["customers"]
    assert {str(cohort): int(customers) for cohort, customers in cohorts.items() if customers} == {"2024-02": 1}


def test_what_the_shop_does_is_not_the_customers_doing():
    rows = [("a", "order", 0), ("a", "reminder", 1), ("a", "visit", 2), ("a", "yoga", 3)]
    report = Report("Test", log=make_log(rows))
    assert report.own_doing.mask(report.log).tolist() == [True, False, True, True]
    own_stages = make_log(rows).with_stages(jk.StageModel.of({"all": "*"}))
    assert Report("Test", log=own_stages).own_doing is None
