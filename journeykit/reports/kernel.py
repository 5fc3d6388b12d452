"""The kernel that runs a report: this very Python, whatever kernels the machine knows."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

import journeykit
from journeykit.log.progress import SWITCH as PROGRESS_BARS
from journeykit.reports.stopping import STOP

_SOCKET_PATH_LIMIT: Final = 80
"""A Unix socket's path may have 103 characters on some systems; Jupyter adds names of its own."""


class OwnKernelManager(AsyncKernelManager):
    """Start `sys.executable -m ipykernel_launcher`, without asking the machine's kernel specs.

    A notebook's kernel name may be unknown here, and a user's own `python3`
    spec would start some other Python. Sockets lie in a private folder, so
    no port is opened and none can be taken by another run. The kernel has an
    IPYTHONDIR of its own: a user's start-up files do not run, and no history
    is kept. It watches its parent and ends with it, even after a kill -9.
    """

    folder: ClassVar[Path]
    errors: ClassVar[BinaryIO]

    def __init__(self, **options: Any) -> None:
        options["transport"] = "tcp" if sys.platform == "win32" else "ipc"
        options["connection_file"] = str(self.folder / "kernel.json")
        super().__init__(**options)

    @property
    def kernel_spec(self) -> KernelSpec:
        """The command, made here instead of looked up."""
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        await super()._async_launch_kernel(kernel_cmd, **options)
        STOP.add(self)

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        STOP.remove(self)
        await super()._async_cleanup_resources(restart)

    async def _async_pre_start_kernel(self, **options: Any) -> tuple[list[str], dict[str, Any]]:
        options["env"] = kernel_environment(dict(os.environ), self.folder)
        options["stdout"] = options["stderr"] = self.errors
        started: tuple[list[str], dict[str, Any]] = await super()._async_pre_start_kernel(**options)
        return started


@contextlib.contextmanager
def own_kernel(log: Path) -> Iterator[type[OwnKernelManager]]:
    """A kernel manager class with a private folder, gone when the block ends.

    Parameters
    ----------
    log : Path
        The file that gets what the kernel's process itself has to say, such
        as the trace of a crash.
    """
    shown = tempfile.gettempdir()
    place = "/tmp" if len(shown) > _SOCKET_PATH_LIMIT and os.access("/tmp", os.W_OK) else shown
    with (
        tempfile.TemporaryDirectory(prefix="jk-", dir=place, ignore_cleanup_errors=True) as private,
        log.open("ab") as errors,
    ):
        yield type("Kernel", (OwnKernelManager,), {"folder": Path(private), "errors": errors})


def kernel_environment(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """What the kernel finds in its environment.

    Parameters
    ----------
    environment : dict
        The environment to start from.
    folder : Path
        A private folder that disappears with the kernel.

    Returns
    -------
    dict
        The same with a private IPYTHONDIR, a drawing backend that needs no
        screen, and this journeykit first where it is not an installed one.
    """
    own = {"IPYTHONDIR": str(folder / "ipython"), "MPLBACKEND": "agg", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    own[PROGRESS_BARS] = "off"  # nobody watches, and the cell's output is published
    environment = {**environment, **own}
    home = Path(journeykit.__file__).resolve().parent.parent
    if home != Path(sysconfig.get_path("purelib")).resolve():  # a checkout: the kernel must import the same one
        paths = [str(home), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
