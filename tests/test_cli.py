import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from journeykit.cli import main


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Return a function that runs `journeykit …` in tmp_path: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(main, list(map(str, arguments)))
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def notebook(tmp_path):
    import json

    cells = [
        {
            "cell_type": "code",
            "id": f"c{number}",
            "metadata": {"tags": ["parameters"] if number == 0 else []},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for number, source in enumerate(["top: int = 3  # rows to show\nstart: 'date | None' = None", "1 / (top - 1)"])
    ]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_without_arguments_it_shows_what_it_can_do(command):
    code, said, _ = command()
    assert code == 0
    for word in ("report list", "report show", "report run", "check"):
        assert word in said


def test_every_command_that_the_welcome_shows_exists(command):
    from journeykit.cli import WELCOME

    lines = [line.split() for line in WELCOME.splitlines() if line.startswith("  journeykit")]
    assert len(lines) >= 5
    for words in lines:
        names = [word for word in words[1:3] if not word.endswith(".csv")]
        assert command(*names, "--help")[0] == 0


def test_python_m_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "journeykit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("journeykit, version ")


def test_show_lists_parameters_with_type_default_and_help(command, notebook):
    code, said, _ = command("report", "show", notebook)
    assert code == 0
    assert "top: int, default 3" in said
    assert "rows to show" in said
    assert "start: date or None, default None" in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["report", "run", "journey_overvew"], "did you mean 'journey_overview'"),
        (["report", "run", "nowhere.ipynb"], "there is no notebook nowhere.ipynb"),
        (["report", "run", "mine.ipynb", "--param", "topp=1"], "did you mean 'top'"),
        (["report", "run", "mine.ipynb", "--param", "top=many"], "top must be int, got 'many'"),
        (["report", "run", "mine.ipynb", "--param", "top"], "NAME=VALUE"),
        (["report", "run", "mine.ipynb", "--param", "top=1", "--param", "top=2"], "given twice"),
        (["report", "run", "mine.ipynb", "--start", "last-month"], "say to which day"),
        (["report", "run", "mine.ipynb", "--start", "2024-01-01", "--param", "start=2024-01-01"], "given twice"),
        (["report", "run", "mine.ipynb", "--as-of", "soon"], "as of must be a date"),
        (["report", "run", "mine.ipynb", "--language", "he"], "unknown parameter 'language'"),
        (["report", "run", "mine.ipynb", "--log", "nowhere.csv"], "takes no log"),
        (["report", "run", "mine.ipynb", "--customer", "user"], "name it with --log"),
        (["report", "run", "mine.ipynb", "--param", "log=x.csv"], "give the log as the argument"),
        (["report", "run"], "Missing argument"),
        (["check", "nowhere.csv"], "there is no file"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_why(command, notebook, arguments, reason):
    code, _, said = command(*arguments)
    assert code == 2
    assert reason in said
    assert "Traceback" not in said


def test_a_notebook_without_the_tag_is_wrong_usage(command, notebook):
    notebook.write_text(notebook.read_text().replace('"parameters"', '"other"'))
    code, _, said = command("report", "run", "mine.ipynb")
    assert code == 2
    assert "no cell tagged `parameters`" in said


def test_check_ends_with_4_when_too_much_had_to_be_set_aside(command, tmp_path):
    rows = ["customer,time,touchpoint", "ann,2024-01-01,visit", ",2024-01-02,visit", "bob,2024-01-03,visit"]
    (tmp_path / "events.csv").write_text("\n".join(rows))
    code, said, why = command("check", "events.csv", "--observed-until", "2024-02-01")
    assert code == 4
    assert "missing_customer" in said
    assert "2 of 3 rows used, 1 set aside (33.3%)" in said
    assert "at most 5.0% may be" in why
    assert command("check", "events.csv", "--observed-until", "2024-02-01", "--limit", "0.5")[0] == 0


def test_check_ends_with_4_when_a_rule_finds_more_than_it_may(command, tmp_path):
    rows = ["customer,time,touchpoint", "ann,2024-01-01 10:00:00,visit", "ann,2024-01-01 10:00:01,visit"]
    (tmp_path / "events.csv").write_text("\n".join(rows))
    assert command("check", "events.csv")[0] == 0
    assert command("check", "events.csv", "--max", "near_duplicates=0.6")[0] == 0
    code, _, why = command("check", "events.csv", "--max", "near_duplicates=0.4")
    assert code == 4
    assert "near duplicates: 50.0% of the rows, at most 40.0% may be" in why
    for wrong, says in [("near_duplicates", "RULE=SHARE"), ("near_duplicate=0.1", "did you mean 'near_duplicates'")]:
        code, _, why = command("check", "events.csv", "--max", wrong)
        assert code == 2
        assert says in why


def test_check_says_it_as_json_without_anybodys_id(command, tmp_path):
    rows = "".join(f"ann,2024-01-01 10:{i // 60:02d}:{i % 60:02d},visit {i}\n" for i in range(600))
    (tmp_path / "events.csv").write_text(f"customer,time,touchpoint\n{rows}x,y\n")
    code, said, _ = command("check", "events.csv", "--json")
    assert code == 0
    told = json.loads(said)
    assert (told["rows_read"], told["events"], told["set_aside"]) == (601, 600, 1)
    found = {each["rule"]: each for each in told["findings"]}
    assert found["absurd_rates"]["rows"] == 600
    assert found["set_aside"]["limit"] == 0.05
    assert "ann" not in said


def test_a_corrupt_log_ends_with_4(command, tmp_path):
    (tmp_path / "events.parquet").write_bytes(b"PAR1 this is not parquet PAR1")
    code, _, said = command("check", "events.parquet")
    assert code == 4
    assert "events.parquet" in said
    (tmp_path / "other.csv").write_text("who,when\nann,2024-01-01\n")
    assert command("check", "other.csv")[0] == 4


def test_run_says_where_the_page_is_and_failing_ends_with_1(command, notebook, tmp_path):
    (tmp_path / "params.toml").write_text("top = 2\nstart = 2024-01-01\n")
    code, said, _ = command("report", "run", "mine.ipynb", "--params", "params.toml", "--out", "pages")
    assert code == 0
    page = said.strip().split(", ")[-1]
    assert page.startswith(str(tmp_path / "pages" / "mine"))
    assert page.endswith("report.html")
    code, said, why = command("report", "run", "mine.ipynb", "--param", "top=1", "--out", "pages")
    assert code == 1
    assert "mine: failed: code cell 3 raised ZeroDivisionError: division by zero" in why
    assert ".failed" in why


def test_settings_come_from_journeykit_toml_and_the_command_line_wins(command, notebook, tmp_path):
    (tmp_path / "journeykit.toml").write_text("[report.run]\nout = 'pages'\nparam = {top = 1}\nquiet = true\n")
    assert command("report", "run", "mine.ipynb", "--param", "top=2") == (0, "", "")
    assert (tmp_path / "pages" / "mine" / "latest").exists()
    (tmp_path / "journeykit.toml").write_text("[report.run]\noutt = 'pages'\n")
    code, _, said = command("report", "run", "mine.ipynb")
    assert code == 2
    assert "did you mean 'out'" in said


def test_a_breached_limit_ends_with_3_and_tells_who_waits_for_it(command, notebook, tmp_path):
    import json

    cells = json.loads(notebook.read_text())
    cells["cells"][1]["source"] = (
        "from journeykit.reports.blocks import show_block\n"
        "show_block({'kind': 'metrics', 'records': [{'name': 'reach_rate', 'value': 0.1, 'low': None, 'high': None,"
        " 'n': 9, 'unit': 'rate', 'segment': '', 'period': '', 'definition': 'a/1'}]})"
    )
    notebook.write_text(json.dumps(cells))
    (tmp_path / "limits.toml").write_text("[[threshold]]\nmetric = 'reach_rate'\nmin = 0.25\n")
    listener = f"{sys.executable} -c \"import sys; open('heard.json', 'w').write(sys.stdin.read())\""
    arguments = ["report", "run", "mine.ipynb", "--thresholds", "limits.toml", "--out", "pages"]
    code, _, why = command(*arguments, "--on-alert", listener)
    assert code == 3
    assert "reach rate is 10.0%, below its limit of 25.0%" in why
    heard = json.loads((tmp_path / "heard.json").read_text())
    assert heard["alerts"][0]["breaches"] == ["reach rate is 10.0%, below its limit of 25.0%"]
    page = (tmp_path / "pages" / "mine" / "latest" / "report.html").read_text()
    assert "below its limit of 25.0%" in page
    assert "1 limit breached" in (tmp_path / "pages" / "index.html").read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_can_complete_commands(shell):
    environment = {**os.environ, "_JOURNEYKIT_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", "from journeykit.cli import main; main(prog_name='journeykit')"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if "Bash version" in done.stderr or "Couldn't detect Bash" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert "_JOURNEYKIT_COMPLETE" in done.stdout, done.stderr
