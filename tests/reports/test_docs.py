"""What docs/scheduling.md shows is read by what it is shown for."""

import ast
import configparser
import re
from pathlib import Path

import pytest
import yaml

from journeykit.cli import check, main
from journeykit.cli import run as run_command
from journeykit.reports.settings import read_settings
from journeykit.reports.sources import LogSource
from journeykit.reports.thresholds import read_thresholds

PAGE = Path(__file__).parents[2] / "docs" / "scheduling.md"
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)


def blocks(language):
    return [text for name, text in BLOCKS if name == language]


def known_options(command):
    return {max(option.opts, key=len).removeprefix("--") for option in command.params}


def test_settings_limits_and_log_files_are_read(tmp_path):
    seen = set()
    for text in blocks("toml"):
        path = tmp_path / "x.toml"
        path.write_text(text)
        if "[report.run]" in text:
            found = read_settings(path, {"report.run": known_options(run_command), "check": known_options(check)})
            assert found["report.run"]["compare"] == "previous"
            seen.add("settings")
        elif "[[threshold]]" in text:
            assert read_thresholds(path)[0].report == "journey_overview"
            seen.add("limits")
        else:
            assert LogSource.of(path).options["customer"] == "user_id"
            seen.add("log")
    assert seen == {"settings", "limits", "log"}


def test_the_workflow_is_yaml_with_a_schedule_and_steps():
    (text,) = blocks("yaml")
    flow = yaml.safe_load(text)
    assert re.fullmatch(r"(\S+ ){4}\S+", flow[True]["schedule"][0]["cron"])  # YAML reads `on` as true
    steps = flow["jobs"]["reports"]["steps"]
    assert all({"uses", "run"} & set(step) for step in steps)
    assert any(step.get("run", "").startswith("journeykit report run") for step in steps)


def test_units_are_read_by_systemds_rules():
    (text,) = blocks("ini")
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(text)
    assert parser["Service"]["ExecStart"].endswith("journeykit report run all")
    assert parser["Timer"]["OnCalendar"] == "*-*-* 02:15"


@pytest.mark.parametrize("text", blocks("python"))
def test_operators_are_called_with_arguments_that_they_have(text):
    call = ast.parse(text).body[0].value
    # BaseOperator's task_id; what BashOperator and PapermillOperator (apache-airflow-providers-papermill 3) add.
    known = {
        "BashOperator": {"task_id", "bash_command", "env", "append_env", "cwd"},
        "PapermillOperator": {"task_id", "input_nb", "output_nb", "parameters", "kernel_name", "language_name"},
    }
    assert {keyword.arg for keyword in call.keywords} <= known[call.func.id]


def test_every_command_of_the_page_has_its_options():
    import click

    for words in re.findall(r"journeykit (report run [^`\n|&]*)", PAGE.read_text(encoding="utf-8")):
        for option in re.findall(r"--([a-z-]+)", words):
            assert option in known_options(run_command), option
    assert isinstance(main, click.Group)


def test_the_line_for_cron_has_five_fields_and_a_command():
    (line,) = (each for name, text in BLOCKS for each in text.splitlines() if name == "" and each.startswith("15 2"))
    assert re.match(r"15 2 \* \* \*  cd /srv/shop && \.venv/bin/journeykit report run all", line)
