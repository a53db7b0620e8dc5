"""A picture from a source, and when it came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""``(height, width, 3) uint8``, BGR."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        picture: ``(height, width, 3) uint8``, BGR; nobody else writes to it.
        number: from 0, of all pictures that the source took; what is missing between two frames was dropped.
        at_s: when it was taken, in seconds of the source's clock.
        still: it is a picture of its own and no frame of a film: the next one may show something else altogether.
        title: what it is of: a file's path, a device, an address.
    """

    picture: Picture
    number: int
    at_s: float
    still: bool = False
    title: str = ""
