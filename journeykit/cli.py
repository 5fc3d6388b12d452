"""The `journeykit` command."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

import journeykit
from journeykit.errors import JourneykitError, LogError, ParameterError

FAILED, USAGE, BREACHED, LOG = 1, 2, 3, 4
"""Exit codes: a report failed, wrong usage or parameters, a number is outside its limit, the log failed its checks."""

WELCOME: Final = """\
journeykit: customer journeys from raw interaction logs.

  journeykit report list                       which reports there are
  journeykit report show journey_overview      what a report can be asked
  journeykit report run journey_overview       run it on the sample data
  journeykit report run all --log events.parquet --customer user_id --time ts --touchpoint event
  journeykit report new my_report              start one of your own
  journeykit check events.csv                  what is wrong with a log

--help after any of them says more. Completion for bash (or zsh, fish):
  eval "$(_JOURNEYKIT_COMPLETE=bash_source journeykit)"
"""

COLUMNS: Final = ("customer", "time", "touchpoint", "channel", "value")


class Exits(click.Group):
    """A group whose commands end with the exit code that fits what went wrong."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; say what went wrong in a line, without a trace."""
        try:
            return super().invoke(context)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except JourneykitError as error:
            click.echo(f"Error: {error}", err=True)
            context.exit(exit_code(error))
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            context.exit(FAILED)


def exit_code(error: JourneykitError) -> int:
    """Return the exit code of an error.

    Examples
    --------
    >>> exit_code(LogError("no customer")), exit_code(ParameterError("unknown"))
    (4, 2)
    """
    from journeykit.reports.refusal import NotebookError

    if isinstance(error, LogError):
        return LOG
    return USAGE if isinstance(error, ParameterError | NotebookError) else FAILED


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say how a log is to be read."""
    for name in reversed(COLUMNS):
        command = click.option(f"--{name}", metavar="COLUMN", help=f"Column of the {name}.")(command)
    command = click.option("--observed-until", metavar="TIME", help="Exclusive end of observation.")(command)
    return click.option("--timezone", metavar="ZONE", help="Zone in which days begin, such as Europe/Istanbul.")(
        command
    )


@click.group(cls=Exits, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(journeykit.__version__, prog_name="journeykit")
@click.pass_context
def main(context: click.Context) -> None:
    """Customer journeys from raw interaction logs."""
    if context.invoked_subcommand is None:
        click.echo(WELCOME)
    context.default_map = _settings()


@main.group(cls=Exits)
def report() -> None:
    """Run notebooks as reports, and publish their pages."""


@report.command("list")
def list_command() -> None:
    """Name the standard reports and what they answer."""
    listed = journeykit.list_reports()
    width = max(map(len, listed["report"]), default=0)
    for row in listed.itertuples():
        click.echo(f"{row.report:<{width}}  {row.about}")


@report.command()
@click.argument("name")
def show(name: str) -> None:
    """Show a report's parameters: types, defaults, help."""
    from journeykit.reports.listing import about
    from journeykit.reports.plan import find_reports

    source = find_reports([name])[0]
    click.echo(f"{source.name}: {about(source)}\n")
    for parameter in source.parameters.values():
        default = "must be given" if parameter.required else f"default {parameter.default!r}"
        click.echo(f"  {parameter.name}: {parameter.kind}, {default}")
        if parameter.help:
            click.echo(f"      {parameter.help}")


@report.command()
@click.argument("name")
def new(name: str) -> None:
    """Start a report of your own: writes NAME.ipynb here."""
    from journeykit.reports.starting import new_report

    path = new_report(name, Path.cwd())
    click.echo(f"{path.name} is there. Try it: journeykit report run {path.name}")


@report.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option(
    "--log",
    metavar="FILE",
    help="A file, a pattern, a sample, or a TOML file that says how to read it. Default: the sample data.",
)
@log_options
@click.option("--start", metavar="DAY", help="First day: 2024-01-31, last-month, -7d.")
@click.option("--end", metavar="DAY", help="The day after the last; last-month ends when that month does.")
@click.option("--as-of", metavar="DAY", help="The day that relative days count from: a date, or today.")
@click.option("--param", multiple=True, metavar="NAME=VALUE", help="A parameter of the report.")
@click.option("--params", type=click.Path(exists=True, dir_okay=False), help="Parameters in a TOML file.")
@click.option("--language", metavar="CODE", help="Language of the page.")
@click.option("--out", metavar="FOLDER", help="Folder of all reports, or an address. Default: reports in the project.")
@click.option("--keep", type=click.IntRange(min=1), help="Keep so many good and so many failed runs of each report.")
@click.option("--deadline", type=click.FloatRange(min=1), metavar="SECONDS", help="How long each report may take.")
@click.option(
    "--thresholds", type=click.Path(exists=True, dir_okay=False), help="Limits for the numbers, in a TOML file."
)
@click.option(
    "--on-alert", metavar="COMMAND", help="Run this when a limit is breached or a report failed: JSON on its input."
)
@click.option("--compare", type=click.Choice(["previous"]), help="Show each number beside that of the period before.")
@click.option("--jobs", "-j", type=click.IntRange(min=1), default=1, help="How many reports run side by side.")
@click.option("--pdf", is_flag=True, help="Print each page as PDF too, with the Chromium of this machine.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what failed.")
@click.option("--verbose", "-v", is_flag=True, help="Say a line per cell.")
def run(names: tuple[str, ...], **options: Any) -> None:
    """Run reports: standard ones by NAME, notebooks of your own by their file, or all."""
    from journeykit.reports.execute import Limits
    from journeykit.reports.pdf import find_browser
    from journeykit.reports.request import Request, named_parameters, read_as_of, read_out
    from journeykit.reports.run import run_reports
    from journeykit.reports.thresholds import read_thresholds

    request = Request(
        names=names,
        source=_source(options["log"], options),
        parameters=named_parameters(
            {**_from_file(options["params"]), **_from_words(options["param"])},
            start=options["start"],
            end=options["end"],
            language=options["language"],
        ),
        out=read_out(options["out"]),
        as_of=read_as_of(options["as_of"]),
        limits=Limits(total=options["deadline"]),
        keep=options["keep"],
        thresholds=read_thresholds(Path(options["thresholds"])) if options["thresholds"] else (),
        browser=find_browser() if options["pdf"] else None,
        compare=options["compare"],
        jobs=options["jobs"],
    )
    results = run_reports(request, say=click.echo if options["verbose"] else lambda line: None)
    for result in results:
        _tell(result, quiet=options["quiet"])
    bad = [result for result in results if result.breaches or not result.ok]
    if bad and options["on_alert"]:
        _alert(options["on_alert"], bad)
    if bad:
        sys.exit(BREACHED if all(result.ok for result in results) else FAILED)


def _tell(result: Any, *, quiet: bool) -> None:
    """Say what came of a run; what is bad goes to the errors."""
    if not result.ok:
        click.echo(f"{result.report}: failed: {result.reason}", err=True)
        if result.run:
            click.echo(f"  what it left: {result.folder}", err=True)
    elif not quiet:
        click.echo(f"{result.report}: ok, {result.seconds:.1f} s, {result.page}")
    for breach in result.breaches:
        click.echo(f"{result.report}: {breach}", err=True)


def _alert(command: str, results: list[Any]) -> None:
    """Hand what is bad to a command; that the command fails must not hide it."""
    from journeykit.reports.thresholds import tell

    alerts = [
        {
            "report": result.report,
            "run": result.run,
            "outcome": result.outcome,
            "reason": result.reason,
            "breaches": result.breaches,
            "page": str(result.page) if result.page else None,
        }
        for result in results
    ]
    try:
        code = tell(command, {"alerts": alerts})
    except (OSError, ValueError) as error:
        click.echo(f"--on-alert could not be run: {error}", err=True)
        return
    if code:
        click.echo(f"--on-alert ended with {code}: {command}", err=True)


@main.command()
@click.argument("log")
@log_options
@click.option(
    "--limit", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Share of rows that may be set aside."
)
@click.option("--max", "limits", multiple=True, metavar="RULE=SHARE", help="Share (0 to 1) that a rule may find.")
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
def check(log: str, limit: float, limits: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Check a LOG: what was found, and how many rows had to be set aside; exit 4 if a limit is broken."""
    from journeykit.log import check_log
    from journeykit.text import text_table

    read = _source(log, options).read()
    found = check_log(read, limit=limit, limits=_limits(limits))
    found["example"] = found["example"].mask(found.pop("personal").to_numpy(bool), "")
    aside = len(read.quarantine)
    if as_json:
        size = {"rows_read": read.rows_read, "events": read.n_events, "set_aside": aside}
        size["duplicates_merged"] = read.duplicates_merged
        findings = json.loads(found.to_json(orient="records"))
        click.echo(json.dumps({**size, "findings": findings}, ensure_ascii=False, indent=2))
    else:
        shown = found.drop(columns=["broken", *([] if found["limit"].notna().any() else ["limit"])])
        click.echo(text_table(shown) if len(found) else repr(read))
        share = aside / read.rows_read if read.rows_read else 0.0
        click.echo(f"\n{read.n_events:,} of {read.rows_read:,} rows used, {aside:,} set aside ({share:.1%})")
    broken = found[found["broken"]]
    if len(broken):
        said = [
            f"{str(rule).replace('_', ' ')}: {share:.1%} of the rows, at most {most:.1%} may be"
            for rule, share, most in broken[["rule", "share", "limit"]].values.tolist()
        ]
        raise LogError("; ".join(said))


def _limits(words: tuple[str, ...]) -> dict[str, float]:
    limits = {}
    for word in words:
        rule, _, share = word.partition("=")
        try:
            limits[rule] = float(share)
        except ValueError as error:
            raise ParameterError(f"--max takes RULE=SHARE, such as near_duplicates=0.01, got {word!r}") from error
    return limits


def _settings() -> dict[str, Any]:
    """Read journeykit.toml into the defaults of the commands' options."""
    from journeykit.reports.settings import find_settings, read_settings

    path = find_settings(Path.cwd())
    if path is None:
        return {}
    commands = {"report.run": run, "check": check}
    known = {name: {_long_name(option) for option in command.params} for name, command in commands.items()}
    read = read_settings(path, known)
    return {"report": {"run": read.get("report.run", {})}, "check": read.get("check", {})}


def _long_name(option: click.Parameter) -> str:
    return max(option.opts, key=len).removeprefix("--")


def _source(log: str | None, options: dict[str, Any]) -> Any:
    from journeykit.reports.sources import SAMPLES, LogSource

    named = {name: options[name] for name in (*COLUMNS, "timezone", "observed_until") if options[name] is not None}
    if named and (log is None or log in SAMPLES):
        said = ", ".join(f"--{name.replace('_', '-')}" for name in named)
        raise ParameterError(f"{said} say how to read a file: name it with --log")
    return LogSource.of(log, named)


def _from_words(words: tuple[str, ...]) -> dict[str, object]:
    """Read NAME=VALUE; what a value means is decided by the parameter's annotation."""
    given: dict[str, object] = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise ParameterError(f"--param takes NAME=VALUE, got {word!r}")
        if name in given:
            raise ParameterError(f"--param {name} given twice")
        given[name] = value
    return given


def _from_file(path: str | None) -> dict[str, object]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"cannot read {path}: {error}") from error
