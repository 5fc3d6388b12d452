import pytest

from journeykit.errors import ParameterError
from journeykit.reports.settings import find_settings, read_settings

KNOWN = {"report.run": {"log", "out", "as-of", "param", "start"}, "check": {"limit"}}


def read(tmp_path, text):
    (tmp_path / "journeykit.toml").write_text(text)
    return read_settings(tmp_path / "journeykit.toml", KNOWN)


def test_the_nearest_file_above_is_found(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "journeykit.toml").touch()
    assert find_settings(tmp_path / "a" / "b") == tmp_path / "journeykit.toml"
    (tmp_path / "a" / "journeykit.toml").touch()
    assert find_settings(tmp_path / "a" / "b") == tmp_path / "a" / "journeykit.toml"


def test_options_of_commands_are_read_and_paths_are_the_files(tmp_path):
    found = read(
        tmp_path,
        "[report.run]\nlog = 'events/*.parquet'\nout = 's3://bucket/x'\nas-of = 'today'\nstart = 2024-01-01\n"
        "param = {within = '30d', top = 3, all = true, tags = ['a', 'b']}\n[check]\nlimit = 0.1\n",
    )
    run = found["report.run"]
    assert run["log"] == str(tmp_path / "events" / "*.parquet")
    assert run["out"] == "s3://bucket/x"
    assert run["as_of"] == "today"
    assert str(run["start"]) == "2024-01-01"
    assert run["param"] == ["within=30d", "top=3", "all=true", 'tags=["a", "b"]']
    assert found["check"] == {"limit": 0.1}


def test_a_sample_is_not_a_path(tmp_path):
    assert read(tmp_path, "[report.run]\nlog = 'guitar_shop'")["report.run"]["log"] == "guitar_shop"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[report.run]\nlogg = 'x'", "did you mean 'log'"),
        ("[report.rum]\nlog = 'x'", "did you mean 'report.run'"),
        ("[chek]\nlimit = 1", "did you mean 'check'"),
        ("[report]\nrun = 1", "is a command"),
        ("[report.run", "cannot read"),
    ],
)
def test_a_misspelt_setting_is_refused(tmp_path, text, said):
    with pytest.raises(ParameterError, match=said):
        read(tmp_path, text)
