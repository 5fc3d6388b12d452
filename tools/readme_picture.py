"""Draw the README's picture: `python tools/readme_picture.py`."""

from __future__ import annotations

from pathlib import Path

import journeykit as jk

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "stage_funnel.png"


def main() -> None:
    """Draw the stage funnel of the guitar shop."""
    log = jk.load_sample("guitar_shop")
    axes = jk.stage_funnel(log, within="60d").plot()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    axes.figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
