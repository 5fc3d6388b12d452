"""What several test files share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def project_root() -> Path:
    """The checkout that these tests stand in."""
    return Path(__file__).resolve().parents[1]
