"""What a report notebook calls: begin with a log, show results, end with a headline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import pandas as pd

from journeykit.errors import JourneykitError, LogError
from journeykit.reports.about_log import quality_sentence, size_line
from journeykit.reports.asked import log_as_asked, with_stages
from journeykit.reports.blocks import figure_block, show_block
from journeykit.reports.comparing import Before, comparison_records, differences, find_before
from journeykit.reports.headlines import Headline
from journeykit.reports.masking import Mask, whole_numbers
from journeykit.reports.pseudonyms import lists_customers, with_names
from journeykit.reports.questions import Absent, Questions
from journeykit.reports.sources import LogSource
from journeykit.schema import check_one_of
from journeykit.text import direction, html_table, say, word
from journeykit.text import language as speaking

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from journeykit.log import InteractionLog
    from journeykit.results import Result


Picture = Literal["full", "main", "none"]
Names = Literal["no", "pseudonyms", "ids"]

_BESIDE: Final = (6.4, 3.9)
"""Inches of a picture beside the headline: it ends above the fold."""

_BELOW: Final = (8.0, 4.2)
_BARS: Final = 20


class Report(Questions):
    """A page in the making: each call shows a part of it below the running cell.

    The words are those of the report's language, whatever the cell's; numbers
    come from results only, and what a result shows is also what
    `metrics.json` gets.

    Parameters
    ----------
    title : str
        The page's title: a message such as `reports.journey_overview`, or
        plain words.
    log : InteractionLog, str, Path or None
        What to report on: a log, a sample, a file that `read_log` can read
        without being told its columns, or a TOML file that tells them (see
        `LogSource`); by default the sample data.
    stages : str, optional
        `digital`, `ecommerce` or a TOML file; by default the log's own
        stages, or `digital` where it has none.
    start, end : str, optional
        First day, and the day after the last, in the log's timezone.
    timezone : str, optional
        Zone in which days begin; the log's own by default.
    segment : str, optional
        `column=value`: only customers whose first known value it is.
    language : str
        Code of the page's language.
    min_n : int
        Counts of fewer customers are not shown, nor what they could be worked
        out from; 0 shows everything.

    Attributes
    ----------
    log : InteractionLog
        With its stages, up to the period's end. What was before its start
        stays: who bought last year is no new customer this month.
    between : tuple of str, or None
        The period's start, for analyses that judge those who start in it
        (`between=`); None if the report begins with the log.

    Examples
    --------
    >>> report = Report("Visits", log=visits)  # doctest: +SKIP
    >>> report.show(jk.stage_funnel(report.log, within="30d"), title="Stages")  # doctest: +SKIP
    """

    def __init__(
        self,
        title: str,
        *,
        log: InteractionLog | str | Path | None = None,
        stages: str | None = None,
        start: str | None = None,
        end: str | None = None,
        timezone: str | None = None,
        segment: str | None = None,
        language: str = "en",
        min_n: int = 5,
        compare: str | None = None,
        customers: str = "no",
    ) -> None:
        self.language = language
        read = log_as_asked(LogSource.of(log).read(), timezone=timezone, segment=segment)
        whole = self.log = with_stages(read, stages)
        if end is not None:
            self.log = self.log.between(None, end)
        self.between = None if start is None else (start, None)
        self._before = find_before(whole, start, self.log.ends_at) if compare else None
        self._earlier: dict[int, Callable[[], Any]] = {}
        inside = self.log if start is None else self.log.between(start)
        check_one_of("customers", customers, get_args(Names))
        self._names = customers
        self._mask = Mask(min_n, self.log.n_customers)
        with speaking(language):
            shown = word(title)
            cover = {
                "kind": "cover",
                "title": shown,
                "language": language,
                "direction": direction(),
                "period": {
                    "start": inside.starts_at.isoformat(),
                    "end": inside.ends_at.isoformat(),
                    "timezone": inside.timezone,
                },
                "period_line": say(
                    "reports.period_line",
                    starts_at=inside.starts_at.date(),
                    ends_at=(inside.ends_at - pd.Timedelta(1, "us")).date(),  # the last day, not the one after
                    timezone=inside.timezone,
                ),
                "size_line": size_line(inside, segment),
                "quality_line": quality_sentence(self.log),
            }
            if self._before is not None:
                cover["comparison"] = self._compared_with()
        show_block(cover, text=shown)

    def _compared_with(self) -> dict[str, Any]:
        """What the page says of the period before: its days, or why it has none."""
        if not isinstance(self._before, Before):
            return {"start": None, "end": None, "line": None, "reason": say(str(self._before))}
        last = (self._before.end - pd.Timedelta(1, "us")).date()
        line = say("reports.compared_with", starts_at=self._before.start.date(), ends_at=last)
        days = {"start": self._before.start.isoformat(), "end": self._before.end.isoformat()}
        return {**days, "line": line, "reason": None}

    def section(self, title: str) -> None:
        """Begin a part of the page, listed in its contents."""
        with speaking(self.language):
            words = word(title)
        show_block({"kind": "section", "title": words}, text=words)

    def say(self, *sentences: str) -> None:
        """Show sentences, each a paragraph: messages or plain words."""
        with speaking(self.language):
            words = [word(sentence) for sentence in sentences]
        _show_words("text", words)

    def compute(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call an analysis, on the report's log unless arguments are given; Absent if the log does not allow it.

        Parameters
        ----------
        function : callable
            An analysis such as `jk.stage_funnel`.
        *arguments
            What it works on.
        **options
            Its options. If anything given is Absent, so is the answer.

        Returns
        -------
        Result or Absent
        """
        absent = next((each for each in (*arguments, *options.values()) if isinstance(each, Absent)), None)
        if absent is not None:
            return absent
        try:
            with speaking(self.language):
                result = function(*(arguments or (self.log,)), **options)
        except LogError as error:
            return Absent(str(error))
        shown = self._mask.over(result)
        if isinstance(self._before, Before) and self.between is not None and options.get("between") == self.between:
            log, earlier = self._before.log, {**options, "between": self._before.between}
            again = (log, *arguments[1:]) if not arguments or arguments[0] is self.log else arguments
            self._earlier[id(shown)] = partial(function, *again, **earlier)
        return shown

    def attempt(self, function: Callable[..., Any] | str, *arguments: Any, **options: Any) -> Any:
        """Call what may find too little in a log to work with; Absent with the reason if it does.

        Parameters
        ----------
        function : callable or str
            What to call; or the name of a method of the result that comes
            first, such as `"evaluate"`.
        *arguments, **options
            What it gets; nothing more.
        """
        absent = next((each for each in (*arguments, *options.values()) if isinstance(each, Absent)), None)
        if absent is not None:
            return absent
        given = [self._mask.original(each) for each in arguments]
        call = getattr(given.pop(0), function) if isinstance(function, str) else function
        try:
            with speaking(self.language):
                return self._mask.over(call(*given, **options))
        except JourneykitError as error:
            return Absent(str(error))

    def show(
        self,
        result: Result | Absent | None,
        *,
        title: str | None = None,
        caption: str | None = None,
        picture: Picture = "full",
    ) -> None:
        """Show a result: its sentences, its picture, its table, and who was left out.

        Parameters
        ----------
        result : Result, Absent or None
            What an analysis returned; of one that the log does not allow, the
            reason is shown; of one that nobody asked for, nothing.
        title : str, optional
            Begin a section with this title: a message or plain words.
        caption : str, optional
            What stands below the picture; by default the result's title.
        picture : {"full", "main", "none"}
            The full picture, with what belongs beside it; only the main one;
            or none, where the headline has it already.
        """
        check_one_of("picture", picture, get_args(Picture))
        if result is None:
            return
        if title is not None:
            self.section(title)
        with speaking(self.language):
            if isinstance(result, Absent):
                words = say("reports.absent", reason=result.reason)
                _show_words("note", [words])
                return
            self._show_result(self._mask.over(result), caption, picture)

    def _show_result(self, result: Result, caption: str | None, picture: Picture) -> None:
        mask, name = self._mask, word(caption or f"{result.topic}.title")
        records = mask.records(result)
        sentences = mask.words(result, lambda each: each.describe())
        if sentences:
            _show_words("text", [sentences])
        shown = mask.try_to(result, lambda: whole_numbers(result.shown()))
        # Else axes without anything, and a table of zeros.
        found = any(record["value"] for record in records) and (shown is None or len(shown) > 0)
        # A bar of a few customers is as good as their count.
        few = lists_customers(result.table) and len(result.table) < _BARS * mask.min_n
        if found and picture != "none" and not few:
            drawn = mask.try_to(
                result, lambda: result.figure() if picture == "full" else _main_picture(result.plot, _BELOW)
            )
            if drawn is not None:
                self.figure(drawn, alt=self._alt(result, name), caption=name)
        if found and shown is not None and not (lists_customers(shown) and self._names == "no"):
            self.table(shown, caption=name, max_rows=20 if lists_customers(shown) else 50)
        notes = _left_out(result) if mask.hides(result) else result.left_out_sentences()
        if mask.hides(result) and (found or len(mask.original(result).shown())):
            notes.append(say("reports.suppressed" if found else "reports.too_few", min_n=mask.min_n))
        if notes:
            _show_words("note", notes)
        show_block({"kind": "metrics", "records": records})
        if id(result) in self._earlier and "segment" not in result.table:
            self._show_differences(result, name)

    def _show_differences(self, result: Result, name: str) -> None:
        """Show how a result differs from that of the period before, with intervals that know who is in both."""
        assert isinstance(self._before, Before)
        try:
            before = self._earlier[id(result)]()
        except JourneykitError as error:
            _show_words("note", [say("reports.not_compared", reason=str(error))])
            return
        mask = Mask(self._mask.min_n, self._before.log.n_customers)
        now = self._mask.original(result)
        found = differences(now, before, (result, mask.over(before)))
        if found is None:
            _show_words("note", [say("reports.not_compared", reason=say("reports.nothing_in_common"))])
            return
        self.table(found.shown(), caption=say("reports.against_before", name=name), max_rows=None)
        show_block({"kind": "comparison", "records": comparison_records(found)})

    def _alt(self, result: Result, name: str) -> str:
        """What a picture shows, in words without the numbers that are not shown."""
        return self._mask.words(result, lambda each: each.alt_text()) or say(
            "reports.alt_suppressed", name=name, min_n=self._mask.min_n
        )

    def sensitivity(self, curve: Any, *, caption: str) -> None:
        """Show what shorter and longer silences would give, below a survival curve."""
        if curve:
            with speaking(self.language):
                self.table(whole_numbers(self._mask.sensitivity(curve)), caption=caption)

    def figure(self, figure: Figure, *, alt: str, caption: str) -> None:
        """Show a figure, with what it shows in words and a caption: both are needed."""
        from matplotlib import pyplot

        block, png = figure_block(figure, alt=alt, caption=caption)
        pyplot.close(figure)  # or the kernel shows it a second time
        show_block(block, text=alt, png=png)

    def table(self, frame: pd.DataFrame, *, caption: str, max_rows: int | None = 50) -> None:
        """Show a table, escaped, with its caption: a message or plain words."""
        frame = with_names(frame, self._names)
        with speaking(self.language):
            html, caption = html_table(frame, max_rows=max_rows), word(caption)
        rows = len(frame) if max_rows is None else min(len(frame), max_rows)
        show_block({"kind": "table", "html": html, "caption": caption, "rows": rows}, text=caption, html=html)

    def headline(self, headline: Headline | str, *, picture: Result | None = None) -> None:
        """Show what a reader gets in ten seconds: one sentence and one picture, on top of the page.

        Parameters
        ----------
        headline : Headline or str
            What `journey_headline` and its like return; or a message, or
            plain words: at most 25, with the number and its interval.
        picture : Result, optional
            Whose main picture stands beside a headline in words.
        """
        if isinstance(headline, str):
            with speaking(self.language):
                headline = Headline(word(headline), picture)
        block: dict[str, Any] = {"kind": "headline", "sentence": headline.sentence, "figure": None}
        block["metrics"] = list(headline.metrics)
        png = None
        if headline.picture is not None:
            with speaking(self.language):
                shown = self._mask.over(headline.picture)
                caption = word(f"{shown.topic}.title")
                drawn = self._mask.try_to(shown, lambda: _main_picture(getattr(shown, headline.draw), _BESIDE))
                if drawn is not None:
                    block["figure"], png = figure_block(drawn, alt=self._alt(shown, caption), caption=caption)
        show_block(block, text=headline.sentence, png=png)

    def about_data(self) -> None:
        """Show what was found in the data, rule by rule; examples stay out, they may name customers."""
        with speaking(self.language):
            self.section("reports.about_data")
            words = [quality_sentence(self.log)]
            unseen = [word(stage) for stage in self.log.stages if stage not in self._seen_stages]
            if unseen:
                words.append(say("reports.unseen_stages", names=unseen))
            _show_words("text", words)
            findings = self.log.quality
            if len(findings):
                self.table(findings[["rule", "rows", "share", "action"]], caption=say("reports.quality"))


def _left_out(result: Result) -> list[str]:
    """Who is not counted, where some of these counts are not shown."""
    known = result.left_out["customers"].notna()
    some = [say("reports.some_left_out", reason=word(str(reason))) for reason in result.left_out.loc[~known, "reason"]]
    return [*replace(result, left_out=result.left_out[known].astype({"customers": int})).left_out_sentences(), *some]


def _show_words(kind: str, words: list[str]) -> None:
    """Show sentences that are ready: what `say` made has its directions settled."""
    show_block({"kind": kind, "paragraphs": words}, text="\n".join(words))


def _main_picture(draw: Callable[..., Axes], size: tuple[float, float]) -> Figure:
    """Draw the main picture of a result on a figure of that size, in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(ax=figure.add_subplot())
    return figure
