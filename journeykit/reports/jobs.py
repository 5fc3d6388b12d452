"""Several reports side by side, and an orderly end for all of them."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Final, TypeVar

from journeykit.reports.execute import Stopped
from journeykit.reports.stopping import STOP
from journeykit.text import current_language, language

_LOOK: Final = 0.2
"""Seconds until a waiting main thread looks for a signal again."""

T = TypeVar("T")


def side_by_side(tasks: Sequence[Callable[[], T]], jobs: int) -> list[T]:
    """Do tasks, so many at a time; return what they gave, in their order.

    Threads are enough: the work is done by a kernel each, which is a process
    of its own. When somebody asks to stop, every kernel is ended, each task
    puts its own things in order, and only then the request to stop goes on.

    Parameters
    ----------
    tasks : sequence of callable
    jobs : int
        How many at a time; one at a time runs them here.
    """
    if jobs == 1 or len(tasks) == 1:
        return [task() for task in tasks]
    spoken = current_language()

    def do(task: Callable[[], T]) -> T:
        with language(spoken):  # a new thread speaks English; an event loop of this one must not go along
            return task()

    with ThreadPoolExecutor(min(jobs, len(tasks)), thread_name_prefix="report") as pool:
        running = [pool.submit(do, task) for task in tasks]
        try:
            while wait_for(running, timeout=_LOOK).not_done:
                pass
        except KeyboardInterrupt as error:
            STOP.ask("SIGTERM" if isinstance(error, Stopped) else "")
            for each in running:
                each.cancel()
            wait_for(running)
            STOP.clear()
            raise
    return [each.result() for each in running]


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Turn SIGTERM into an orderly end; a second one changes nothing any more."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals arrive in the main thread only
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
