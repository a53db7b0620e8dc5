"""Scalable graphics inside the page: elements, scales and axes; colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise


def element(name: str, *children: str, **attributes: object) -> str:
    """Write an element. ``stroke_width`` becomes ``stroke-width``, ``class_`` becomes ``class``; None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(content: str, *, x: float, y: float, **attributes: object) -> str:
    """Write words at a place."""
    return element("text", escape(content), x=x, y=y, **attributes)


def title(content: str) -> str:
    """Write what shows when the pointer rests on the element around it."""
    return element("title", escape(content))


def drawing(*children: str, width: float, height: float, label: str, scrolls: bool = False) -> str:
    """Write a drawing that scales to the width it is given, with a name for those who cannot see it.

    One that scrolls keeps its own width where there is less room, and does not grow far beyond it.
    """
    style = f"min-width:{min(width, 640):.0f}px;max-width:{1.3 * width:.0f}px" if scrolls else None
    box = f"0 0 {_value(width)} {_value(height)}"
    return element("svg", *children, viewBox=box, role="img", aria_label=label, class_="chart", style=style)


@dataclass(frozen=True)
class Scale:
    """A straight line from values to places on the drawing."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return where the value lies; values beyond the scale lie at its ends."""
        span = self.high - self.low
        share = (value - self.low) / span if span else 0.0
        return self.start + min(1.0, max(0.0, share)) * (self.end - self.start)


def nice_ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Choose round values from below ``low`` to above ``high``: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        high = low + 1.0
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def whole_ticks(last: int, *, about: int = 6) -> list[int]:
    """Choose the round numbers to mark on an axis from 0 to ``last``."""
    return [int(tick) for tick in nice_ticks(0, last, about=min(about, max(1, last))) if tick <= last and tick % 1 == 0]


def path(points: Iterable[tuple[float, float]], **attributes: object) -> str:
    """Write a line through points."""
    return element("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points), fill="none", **attributes)


def spread(places: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Move labels apart, so that none lies on another: at least ``gap`` between two, all between low and high."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    over = max((moved[i] for i in order), default=high) - high
    if over > 0:
        moved[order[-1]] = high
        for after, before in pairwise(order[::-1]):
            moved[before] = min(moved[before], moved[after] - gap)
    return [max(low, place) for place in moved]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return str(value)
