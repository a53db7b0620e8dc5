"""What a reader found in a picture: lines of symbols, laid out, with how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Row
from edge_client.vision.ink import Box, InkPage, InkPart


@dataclass(frozen=True, eq=False)
class Symbol:
    """One symbol.

    Attributes:
        label: what it was read as, with the context.
        box: in pixels of the picture.
        confidence: how likely the label is, with the context, from 0 to 1.
        alternatives: ``(label, confidence)``, the closest first, without the label itself. None is more confident than
            that.
        ink: on the page.
        sample: the canonical sample that was read, ``(45, 45) uint8``.
    """

    label: str
    box: Box
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    ink: InkPart
    sample: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Line:
    """One line of writing.

    Attributes:
        row: how its symbols are laid out; every `Sign` and `Bar` names a symbol by its index.
        symbols: in reading order; a fraction bar comes before its numerator.
        box: in pixels of the picture.
        confidence: how likely the whole line is right, from 0 to 1.
    """

    row: Row
    symbols: tuple[Symbol, ...]
    box: Box
    confidence: float


@dataclass(frozen=True, eq=False)
class Reading:
    """What was read in a picture.

    Attributes:
        lines: from top to bottom. Empty where no maths is written.
        page: the ink that it was read from.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """

    lines: tuple[Line, ...]
    page: InkPage
    width: int
    height: int
