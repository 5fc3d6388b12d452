import pytest

from journeykit.errors import ParameterError
from journeykit.reports.pdf import find_browser, print_page
from journeykit.reports.plan import read_source
from journeykit.reports.starting import new_report


def test_a_new_report_is_a_notebook_that_runs(tmp_path, run):
    from journeykit.reports.sources import LogSource

    path = new_report("my_report", tmp_path)
    source = read_source(path)
    assert source.title == "My report"
    assert {"log", "start", "end", "language"} <= set(source.parameters)
    result = run(path, source=LogSource("guitar_shop_small"))
    assert result.ok, result.reason
    assert "How far customers come" in result.page.read_text()


@pytest.mark.parametrize("name", ["../up", "a b", "1st", ""])
def test_a_reports_name_is_plain(tmp_path, name):
    with pytest.raises(ParameterError, match="a report's name has letters"):
        new_report(name, tmp_path)


def test_nothing_is_overwritten(tmp_path):
    new_report("mine.ipynb", tmp_path)
    with pytest.raises(ParameterError, match="is there already"):
        new_report("mine", tmp_path)


def test_without_a_browser_a_pdf_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setenv("JOURNEYKIT_BROWSER", "no-such-browser")
    with pytest.raises(ParameterError, match="JOURNEYKIT_BROWSER=no-such-browser was not found"):
        find_browser()


@pytest.mark.browser
def test_a_page_is_printed(tmp_path):
    try:
        browser = find_browser()
    except ParameterError as error:
        pytest.skip(str(error))
    (tmp_path / "report.html").write_text("<!DOCTYPE html><title>x</title><p>hello")
    print_page(tmp_path / "report.html", tmp_path / "report.pdf", browser)
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
