"""A video file read by its frames: what stands still long enough to be read alike several times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge_client.camera import open_source
from edge_client.expression import text_of
from edge_client.reading import Reading, Recogniser
from edge_client.vision.trace import Picture

EVERY = 5
"""One frame in so many is read: six a second of a usual video."""

STABLE = 3
"""A reading counts once so many read frames in a row have it."""

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

    Frames in which nothing is written, and readings that change from frame to frame, are passed over. A reading that
    comes back after such frames alone is the same stretch going on.

    Raises:
        DataError: it is no video that can be decoded.
    """
    told: tuple[str, ...] = ()
    last: StableReading | None = None
    run: list[StableReading] = []
    with open_source(str(path), every=True) as source:
        while (frame := source.read(timeout_s=_WAIT_S)) is not None:
            if frame.number % EVERY:
                continue
            reading = recogniser.read(frame.picture)
            if run and _texts(run[0].reading) != _texts(reading):
                yield from _stable(run, told)
                told = _texts(run[0].reading) if len(run) >= STABLE else told
                run = []
            last = StableReading(frame.number, frame.picture, reading)
            if reading.lines:
                run = [*run[-_KEPT:], last]
    if len(run) >= STABLE:
        yield from _stable(run, told)
    elif last is not None and not told:
        yield replace(last, reading=replace(last.reading, lines=()))


def _stable(run: list[StableReading], told: tuple[str, ...]) -> Iterator[StableReading]:
    if len(run) >= STABLE and _texts(run[0].reading) != told:
        yield max(run, key=lambda one: min(line.confidence for line in one.reading.lines))


def _texts(reading: Reading) -> tuple[str, ...]:
    return tuple(text_of(line.row) for line in reading.lines)
