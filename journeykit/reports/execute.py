"""Execute one notebook with papermill, and decide whether it really ended well."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from journeykit.reports.stopping import STOP

CELL_LIMIT: Final = 30 * 60
"""Seconds that one cell may take."""

Log = Callable[[str], None]

_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Limits:
    """How long a report may take, in seconds: each cell, and in all (None: no end)."""

    cell: float = CELL_LIMIT
    total: float | None = None


@dataclass(frozen=True)
class Executed:
    """What came of executing a notebook.

    Attributes
    ----------
    failure : str or None
        Why it failed, in one line; None if it is ok.
    cells : int
        How many code cells ran.
    notebook : dict
        With all outputs that arrived.
    """

    failure: str | None
    cells: int
    notebook: dict[str, Any]


class Stopped(KeyboardInterrupt):
    """Someone asked the run to stop.

    A KeyboardInterrupt, since an event loop lets nothing else through.
    """


def execute(
    notebook: dict[str, Any],
    target: Path,
    parameters: Mapping[str, Any],
    *,
    folder: Path,
    limits: Limits,
    log: Log,
) -> Executed:
    """Run a notebook in a kernel of its own, writing it to `target` after each cell.

    Parameters
    ----------
    notebook : dict
        The notebook; it is not changed.
    target : Path
        Where the executed notebook goes.
    parameters : mapping
        Name → value, all of them, already checked.
    folder : Path
        The kernel's working directory.
    limits : Limits
        How long it may take.
    log : callable
        Gets one line per cell.

    Returns
    -------
    Executed
        Never raises for what the notebook does; `Stopped` passes through.
    """
    import nbformat
    import papermill

    from journeykit.reports.kernel import own_kernel

    code = sum(cell["cell_type"] == "code" for cell in notebook["cells"])
    watch = _Watch(limits, log, code + bool(parameters))  # papermill adds a cell for the values
    _quiet_papermill()
    problem: str | None = None
    try:
        with own_kernel(target.with_name("run.log")) as manager:
            papermill.execute_notebook(
                nbformat.from_dict(notebook),
                str(target).replace("{", "{{").replace("}", "}}"),  # papermill formats the path
                parameters=dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                kernel_manager_class=manager,
                resources={"metadata": {"path": str(folder)}},
                timeout_func=watch.seconds_left,
                force_raise_errors=True,
                store_widget_state=False,
                iopub_timeout=60,
                on_cell_execute=watch.began,
                on_cell_executed=watch.ended,
            )
    except papermill.PapermillExecutionError as error:  # the cell's own error: told by verdict
        log(_plain(str(error)))
    except Exception as error:  # whatever it is, the report failed and its reason belongs into the log
        problem = _one_line(error, watch)
        log(_trace(error))
    done = _read_back(target, notebook)
    ran = sum(cell.get("execution_count") is not None for cell in done["cells"])
    failure = verdict(done, problem)
    return Executed(failure and (STOP.reason or failure), ran, done)


def _read_back(target: Path, notebook: dict[str, Any]) -> dict[str, Any]:
    """Read what was written; a full disk may have cut it short, then nothing counts as run."""
    import nbformat

    try:
        done: dict[str, Any] = nbformat.read(target, as_version=4)
    except (OSError, ValueError):
        return notebook
    return done


def verdict(notebook: Mapping[str, Any], problem: str | None = None) -> str | None:
    """Say why an executed notebook is not to be trusted, or None if it is.

    papermill calls cells completed that never ran when a kernel dies or
    leaves with SystemExit(0). Here a notebook is ok if nothing was raised,
    no cell shows an error, and every code cell that isn't empty has run.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> verdict(new_notebook(cells=[new_code_cell("1 + 1")]))
    'code cell 1 did not run'
    """
    if problem is not None:
        return problem
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        for output in cell["outputs"]:
            if output["output_type"] == "error":
                said = output["evalue"].strip().splitlines()
                return f"code cell {number} raised {': '.join([output['ename'], *said[:1]])}"
    for number, cell in enumerate(code, start=1):
        if cell["source"].strip() and cell.get("execution_count") is None:
            return f"code cell {number} did not run"
    return None


class _Watch:
    """Keeps the time of a run and writes a line per cell."""

    def __init__(self, limits: Limits, log: Log, cells: int) -> None:
        self.limits = limits
        self.log = log
        self.cells = cells
        self.started = time.monotonic()
        self.number = 0
        self.cell_started = self.started
        self.allowed = round(limits.cell)

    def seconds_left(self, cell: object) -> int:
        """Seconds the next cell may take; at least one, since 0 means endless to nbclient."""
        left = self.limits.cell
        if self.limits.total is not None:
            left = min(left, self.limits.total - (time.monotonic() - self.started))
        self.allowed = max(1, round(left))
        return self.allowed

    def began(self, cell: Any, cell_index: int) -> None:
        self.number += 1
        self.cell_started = time.monotonic()

    def ended(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        seconds = time.monotonic() - self.cell_started
        status = execute_reply["content"]["status"]
        first = next((line for line in cell.source.splitlines() if line.strip()), "")
        self.log(f"cell {self.number} of {self.cells}  {status}  {seconds:6.2f} s  {first[:70]}")


def _one_line(error: BaseException, watch: _Watch) -> str:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    if isinstance(error, DeadKernelError):
        return f"the kernel died in code cell {watch.number} (killed, out of memory, or it left by itself)"
    if isinstance(error, CellTimeoutError):
        return f"code cell {watch.number} was stopped: it took longer than {watch.allowed} s"
    text = _plain(str(error)).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _trace(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error)).rstrip()


def _plain(text: str) -> str:
    """A traceback without its colours."""
    return _COLOURS.sub("", text).rstrip()


def _quiet_papermill() -> None:
    """Silence papermill on the terminal: run.log has a line per cell."""
    for name in ("papermill", "papermill.translators", "papermill.utils"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
