"""Text on pictures. OpenCV 5 has a scalable typeface inside; what is older has only strokes of ASCII."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from edge_client.camera.frame import Picture

Colour = tuple[int, int, int]
"""Blue, green, red."""

REGULAR, BOLD = 400, 650
"""Weights of a typeface, as CSS counts them."""

_BASELINE_RATIO = 0.72  # the height of a digit in these typefaces, by their size
_HERSHEY_PX = 30.0  # the size at which OpenCV's stroke font has scale 1
_STROKED = {"×": "x", "÷": "/", "−": "-", "·": "|", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "≠": "!=", "±": "+-"}


class Typeface(Protocol):
    """Draws text on pictures; used by one thread at a time."""

    def width(self, text: str, *, size: int, weight: int = REGULAR) -> int:
        """Return how far a text reaches, in pixels, at a size in pixels."""

    def draw(
        self, picture: Picture, text: str, *, at: tuple[int, int], size: int, colour: Colour, weight: int = REGULAR
    ) -> None:
        """Draw a text whose baseline begins at a point ``(x, y)`` of the picture; outside of it, nothing is drawn."""


class ScalableTypeface:
    """The typeface that OpenCV 5 carries: Latin, Greek and mathematical signs, smooth at every size."""

    def __init__(self) -> None:
        import cv2

        self._cv2: Any = cv2
        self._face = cv2.FontFace("sans")
        self._width = lru_cache(maxsize=1024)(self._measure)

    def width(self, text: str, *, size: int, weight: int = REGULAR) -> int:
        """See `Typeface.width`."""
        return self._width(text, size, weight)

    def draw(
        self, picture: Picture, text: str, *, at: tuple[int, int], size: int, colour: Colour, weight: int = REGULAR
    ) -> None:
        """See `Typeface.draw`."""
        self._cv2.putText(picture, text, at, colour, self._face, size, weight)

    def _measure(self, text: str, size: int, weight: int) -> int:
        # Wide, because a text that reaches the edge would be broken in lines.
        return int(self._cv2.getTextSize((100_000, 100), text, (0, 0), self._face, size, weight)[2])


class StrokeTypeface:
    """The stroke font of OpenCV 4: signs that it lacks are written with those that it has."""

    def __init__(self) -> None:
        import cv2

        self._cv2: Any = cv2

    def width(self, text: str, *, size: int, weight: int = REGULAR) -> int:
        """See `Typeface.width`."""
        scale, thickness = self._strokes(size, weight)
        return int(self._cv2.getTextSize(_in_ascii(text), self._cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)[0][0])

    def draw(
        self, picture: Picture, text: str, *, at: tuple[int, int], size: int, colour: Colour, weight: int = REGULAR
    ) -> None:
        """See `Typeface.draw`."""
        scale, thickness = self._strokes(size, weight)
        font, smooth = self._cv2.FONT_HERSHEY_SIMPLEX, self._cv2.LINE_AA
        self._cv2.putText(picture, _in_ascii(text), at, font, scale, colour, thickness, smooth)

    def _strokes(self, size: int, weight: int) -> tuple[float, int]:
        return size / _HERSHEY_PX, max(1, round(size * weight / 10_000))


@lru_cache(maxsize=1)
def typeface() -> Typeface:
    """Return the best typeface that the installed OpenCV has."""
    import cv2

    return ScalableTypeface() if hasattr(cv2, "FontFace") else StrokeTypeface()


def digit_height(size: int) -> int:
    """Return how high a digit stands above the baseline, in pixels."""
    return round(_BASELINE_RATIO * size)


def _in_ascii(text: str) -> str:
    return "".join(_STROKED.get(character, character) for character in text)
