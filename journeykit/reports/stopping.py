"""How the thread that hears a signal ends the kernels of the others."""

from __future__ import annotations

import contextlib
import threading
from typing import Any


class _Stop:
    """Whether everything is to stop, and the kernels that run now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kernels: set[Any] = set()
        self.asked: str | None = None

    def ask(self, signal: str) -> None:
        """End every kernel, those too that are only starting."""
        with self._lock:
            self.asked = signal
            for kernel in self._kernels:
                _end(kernel)

    def clear(self) -> None:
        """Forget that it was asked."""
        self.asked = None

    def add(self, kernel: Any) -> None:
        """A kernel has started; it is ended at once if it comes too late."""
        with self._lock:
            self._kernels.add(kernel)
            if self.asked is not None:
                _end(kernel)

    def remove(self, kernel: Any) -> None:
        """A kernel has ended."""
        with self._lock:
            self._kernels.discard(kernel)

    @property
    def reason(self) -> str | None:
        """Why runs end, in words; None if nobody asked."""
        if self.asked is None:
            return None
        return "stopped before it was done" + (f" ({self.asked})" if self.asked else "")


def _end(kernel: Any) -> None:
    process = getattr(getattr(kernel, "provisioner", None), "process", None)
    if process is not None:
        with contextlib.suppress(OSError):
            process.kill()


STOP = _Stop()
