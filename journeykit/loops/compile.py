"""Compile every loop once, at set-up: `python -m journeykit.loops.compile`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import journeykit.loops as room
from journeykit.loops.engine import LOOPS


def compile_all() -> int:
    """Compile the loops of this room into numba's cache; return how many there are."""
    for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
        if not module.name.endswith(".compile"):
            import_module(module.name)
    for each in LOOPS:
        _ = each.compiled
    return len(LOOPS)


if __name__ == "__main__":
    print(f"journeykit: {compile_all()} loops compiled")
