"""What a notebook shows on a page: blocks in its outputs, which the publisher reads back.

A block is a small JSON object under a media type of its own, beside the
plain forms (HTML, PNG, text) that JupyterLab shows. The page is made from
blocks, so nothing has to be guessed from HTML.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from journeykit.errors import ReportError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BLOCK: Final = "application/vnd.journeykit.block+json"

_DPI: Final = 144
"""Three dots for two CSS pixels: sharp on a screen of today and on paper, and nearly half as heavy as two for one."""

_DOTS: Final = 2_000_000
"""More than a large figure needs: it is shown smaller than drawn, and would make the page heavy."""

_COLOURS: Final = 128


def show_block(block: Mapping[str, Any], *, text: str = "", html: str | None = None, png: str | None = None) -> None:
    """Put a block into the output of the running cell."""
    from IPython.display import display

    data: dict[str, Any] = {BLOCK: dict(block), "text/plain": text}
    if html is not None:
        data["text/html"] = html
    if png is not None:
        data["image/png"] = png
    display(data, raw=True)


def figure_block(figure: Figure, *, alt: str, caption: str) -> tuple[dict[str, Any], str]:
    """Turn a figure into a block and its picture.

    Parameters
    ----------
    figure : Figure
        Drawn, and left open.
    alt : str
        What it shows, for who cannot see it.
    caption : str
        What stands below it.

    Returns
    -------
    block, png : dict and str
        The block, and the picture in base64.

    Raises
    ------
    ReportError
        If the alternative text or the caption is empty.
    """
    for name, words in (("alternative text", alt), ("caption", caption)):
        if not words.strip():
            raise ReportError(f"a figure needs {name}: not every reader sees it")
    picture, width, height = encode_figure(figure)
    block = {"kind": "figure", "alt": alt, "caption": caption, "width": width, "height": height}
    return block, base64.b64encode(picture).decode("ascii")


def encode_figure(figure: Figure) -> tuple[bytes, int, int]:
    """Draw a figure as a small PNG; return it with its width and height in CSS pixels.

    A chart has few colours: a palette of 128 takes a fifth of the bytes of
    full colour (a survival curve with bands: 147 → 32 kB, as SVG 270 kB). It
    makes greys lighter than #f0f0f0 white; what a reader has to see is darker.
    The same figure gives the same bytes.
    """
    from PIL import Image

    inches = figure.get_figwidth() * figure.get_figheight()
    dpi = min(_DPI, round((_DOTS / inches) ** 0.5))
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight", facecolor="white", metadata={"Software": None})
    image = Image.open(drawn).convert("RGB")
    small = image.quantize(_COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    packed = io.BytesIO()
    small.save(packed, format="png", optimize=True)
    return packed.getvalue(), round(image.width * 96 / dpi), round(image.height * 96 / dpi)


def metric_records(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a result's metrics into records that JSON can hold: numbers that do not exist are None."""
    return [
        {str(name): _plain(value) for name, value in record.items()} for record in metrics.to_dict(orient="records")
    ]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    if value is None or isinstance(value, str | bool):
        return value
    if not isinstance(value, int | float):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value
