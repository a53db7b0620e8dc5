"""What a hand does on the page, and waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write(page: Any, strokes: Sequence[NDArray[np.float64]]) -> None:
    """Write on the paper with the mouse."""
    paper = page.locator("#canvas").bounding_box()
    for stroke in strokes:
        points = [(paper["x"] + x, paper["y"] + y) for x, y in stroke.tolist()]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def wait_for_text(page: Any, text: str) -> None:
    """Wait until a line on the draw section is read so."""
    page.wait_for_selector(f'#draw-panel .line .formula[aria-label="{text}"]')
