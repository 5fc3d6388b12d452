import sys
from pathlib import Path

import pytest

import journeykit as jk

# So that tests find slow_definitions.py beside them.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def shop():
    """A log, its truth, and its events as a frame with digital stages."""
    log, truth = jk.simulate_journeys(10_000, rng=5)
    staged = log.with_stages(jk.StageModel.digital())
    frame = staged.frame()
    for name in ("touchpoint", "stage"):
        frame[name] = frame[name].astype(object)
    return log, truth, frame
