"""A video file read by its frames: what is stable in it, as the live view would show it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_client.camera import open_source
from edge_client.expression import text_of
from edge_client.live.stabiliser import Stabiliser
from edge_client.reading import Reading, Recogniser
from edge_client.vision.trace import Picture

EVERY = 2
"""One frame in so many is read: twelve a second of a usual video."""

STABLE = 3
"""A reading is told once it was stable for so many read frames."""

_FRAME_S = 0.04
_WAIT_S = 10.0
_KEPT = 30  # frames of one stretch among which the surest is chosen


@dataclass(frozen=True, eq=False)
class StableReading:
    """What a stretch of a video shows; if there is no such stretch, the last frame with nothing read in it.

    Attributes:
        frame: the number of the frame that was read most surely, from 0.
        picture: that frame, BGR.
        reading: what was read in it.
    """

    frame: int
    picture: Picture
    reading: Reading


def read_video(path: Path, recogniser: Recogniser) -> Iterator[StableReading]:
    """Read a video and yield what is stable in it, each stretch once, as it ends.

    A reading that comes back after frames without one is the same stretch going on.

    Raises:
        DataError: it is no video that can be decoded.
    """
    stabiliser = Stabiliser()
    told: tuple[str, ...] = ()
    last: StableReading | None = None
    stretch: list[StableReading] = []
    with open_source(str(path), every=True) as source:
        while (frame := source.read(timeout_s=_WAIT_S)) is not None:
            if frame.number % EVERY:
                continue
            reading = recogniser.read(frame.picture)
            last = StableReading(frame.number, frame.picture, reading)
            stable = stabiliser.update(reading, at_s=frame.number * _FRAME_S)
            if stable is None:
                continue
            if stretch and _texts(stretch[0]) != _texts(replace(last, reading=stable)):
                if _counts(stretch, told):
                    told = _texts(stretch[0])
                    yield _surest(stretch)
                stretch = []
            stretch = [*stretch[1 - _KEPT :], replace(last, reading=stable)]
    if _counts(stretch, told):
        yield _surest(stretch)
    elif last is not None and not told:
        yield replace(last, reading=replace(last.reading, lines=()))


def _counts(stretch: list[StableReading], told: tuple[str, ...]) -> bool:
    return len(stretch) >= STABLE and _texts(stretch[0]) != told


def _surest(stretch: list[StableReading]) -> StableReading:
    return max(stretch, key=lambda one: min(line.confidence for line in one.reading.lines))


def _texts(one: StableReading) -> tuple[str, ...]:
    return tuple(text_of(line.row) for line in one.reading.lines)
