"""What every test and every doctest of the package and the README can count on."""

import os

import pytest
from hypothesis import settings

# Before anything imports matplotlib: no test opens a window.
os.environ["MPLBACKEND"] = "Agg"

# A busy machine is not a counter-example; `--hypothesis-profile=thorough` looks longer.
settings.register_profile("quick", deadline=None, max_examples=50)
settings.register_profile("thorough", deadline=None, max_examples=500)
settings.load_profile("quick")


@pytest.fixture(autouse=True, scope="session")
def _doctest_names(doctest_namespace):
    """Examples in docstrings begin where a reader begins: with jk, pd and np imported."""
    import numpy as np
    import pandas as pd

    import journeykit as jk

    doctest_namespace.update(jk=jk, pd=pd, np=np)


@pytest.fixture(autouse=True)
def _close_figures():
    """Leave no figure open behind a test."""
    yield
    import sys

    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
