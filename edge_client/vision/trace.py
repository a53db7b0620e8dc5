"""What a pipeline tells about its steps: a picture of each, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


class Trace:
    """Listens to a pipeline. This one only keeps the time of every step; pictures are not even drawn.

    Attributes:
        seconds: by step, in the order in which the steps began; a step that is done twice adds up.
    """

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self.seconds: dict[str, float] = {}
        self._clock = clock

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what is done within. Steps do not nest."""
        begun = self._clock()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self._clock() - begun

    def show(self, name: str, draw: Callable[[], Picture]) -> None:
        """Offer a picture of a step's result, grey or BGR uint8; ``draw`` is called only by who wants to see it."""


class PictureTrace(Trace):
    """Keeps the pictures too.

    Attributes:
        pictures: ``(step, picture)`` in the order in which they were shown.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[tuple[str, Picture]] = []

    def show(self, name: str, draw: Callable[[], Picture]) -> None:
        """Draw and keep the picture."""
        self.pictures.append((name, draw()))
