"""Compile a loop, and run it over ranges of customers on our own threads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, update_wrapper
from hashlib import blake2b
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_EVENTS_PER_THREAD = 200_000
"""Below this a second thread costs more than it saves."""

LOOPS: list[Loop] = []
"""Every loop of the package, so that set-up can compile them all."""


class Loop:
    """A function over arrays that is compiled when it is first called.

    Parameters
    ----------
    function : callable
        What to compile; it uses numpy arrays and numbers only.
    arguments : sequence of str
        What each argument is, in the words of `loop`.
    """

    def __init__(self, function: Callable[..., Any], arguments: Sequence[str]) -> None:
        self.function = function
        self.arguments = list(arguments)
        update_wrapper(self, function)
        LOOPS.append(self)

    @cached_property
    def compiled(self) -> Callable[..., Any]:
        """The machine code, from the cache where there is one."""
        from numba import njit

        folder = Path(self.function.__code__.co_filename).parent
        _keep_cache_writable(folder)
        # nogil lets our threads run side by side. parallel=True would start
        # OpenMP, which kills a child that a user's program forks later.
        signature = tuple(_numba_type(word) for word in self.arguments)
        compiled: Callable[..., Any] = njit([signature], nogil=True, cache=True)(_with_parts(self.function))
        return compiled

    def __call__(self, *args: Any) -> Any:
        """Run the compiled loop."""
        return self.compiled(*args)


class Part:
    """A piece of a loop under a name of its own, compiled into the loops (and parts) that call it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        update_wrapper(self, function)

    @cached_property
    def compiled(self) -> Callable[..., Any]:
        """What numba compiles a call to, by the types of the caller."""
        from numba import njit

        compiled: Callable[..., Any] = njit(nogil=True)(_with_parts(self.function))
        return compiled

    def __call__(self, *args: Any) -> Any:
        """Run it by itself."""
        return self.compiled(*args)


def part(function: Callable[..., Any]) -> Part:
    """Mark a piece of a loop.

    It may stand in a module of its own, with the parts that it calls itself:
    the cache of compiled loops knows when that file changes.
    """
    return Part(function)


def _with_parts(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function call the compiled form of the parts that it names."""
    names = function.__globals__
    parts = {name: names[name] for name in function.__code__.co_names if isinstance(names.get(name), Part)}
    if not parts:
        return function
    compiled = {name: each.compiled for name, each in parts.items()}
    same = update_wrapper(
        FunctionType(function.__code__, {**names, **compiled}, function.__name__, function.__defaults__), function
    )
    # The cache looks at the date of the function's own file only: what other files hold goes into its name.
    files = {each.function.__code__.co_filename for each in parts.values()} - {function.__code__.co_filename}
    if files:
        content = b"".join(Path(file).read_bytes() for file in sorted(files))
        same.__qualname__ += f"_{blake2b(content, digest_size=6).hexdigest()}"
    return same


def loop(*arguments: str) -> Callable[[Callable[..., Any]], Loop]:
    """Mark a function as an inner loop.

    Parameters
    ----------
    *arguments : str
        What each argument is: `"i8"`, `"i4"`, `"i2"`, `"u1"`, `"b1"`, `"f8"`
        for an array that is only read (numpy's letters for the type; it must
        be contiguous), with `"out "` before it for one that is written and
        `" 2d"` behind it for two dimensions; `"int"`, `"float"` or `"bool"`
        for a number.
    """

    def mark(function: Callable[..., Any]) -> Loop:
        return Loop(function, arguments)

    return mark


def _numba_type(word: str) -> Any:
    from numba import from_dtype, types

    numbers = {"int": types.int64, "float": types.float64, "bool": types.boolean}
    if word in numbers:
        return numbers[word]
    written = word.startswith("out ")
    letters, _, dimensions = word.removeprefix("out ").partition(" ")
    return types.Array(from_dtype(np.dtype(letters)), 2 if dimensions == "2d" else 1, "C", readonly=not written)


def _keep_cache_writable(folder: Path) -> None:
    """Send numba's cache to a temporary folder where the package and the home are read-only."""
    import numba

    config: Any = numba.config  # its settings are made at run time
    if config.CACHE_DIR or _writable(folder / "__pycache__"):
        return
    home_cache = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"
    if not _writable(home_cache):
        user = os.getuid() if hasattr(os, "getuid") else "user"
        config.CACHE_DIR = str(Path(tempfile.gettempdir()) / f"journeykit-loops-{user}")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def n_threads() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def over_customers(run: Callable[[int, int], Any], offsets: NDArray[np.int64]) -> list[Any]:
    """Run a loop over all customers, in parallel where it pays; return the answers in order.

    Parameters
    ----------
    run : callable
        `run(first, last)` handles the customers with codes first … last − 1.
        It writes to rows of its own or returns something to be merged.
    offsets : array of int64, shape (n_customers + 1,)
        Where each customer's events begin.

    Returns
    -------
    list
        One answer a range, in the order of the customers.
    """
    n_customers = len(offsets) - 1
    n_events = int(offsets[-1]) if n_customers else 0
    threads = min(n_threads(), max(1, n_events // MIN_EVENTS_PER_THREAD))
    if threads == 1:
        return [run(0, n_customers)]
    # Cut where the events, not the customers, split evenly.
    targets = np.linspace(0, n_events, threads + 1)[1:-1].astype(np.int64)  # floats would make all offsets floats
    cuts = [0, *np.searchsorted(offsets, targets).tolist(), n_customers]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, cuts[:-1], cuts[1:]))
