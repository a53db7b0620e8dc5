"""What the page stands on: the parts of a device that it shows and that it hands a person's words to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_client.corrections import Corrections
from edge_client.expression.row import Row
from edge_client.learning import Learning
from edge_client.reading.recogniser import Recogniser
from edge_client.reading.result import Reading
from edge_client.sample_store import SampleStore
from edge_client.vision.trace import Picture


class Value(Protocol):
    """What an expression comes to."""

    @property
    def text(self) -> str:
        """In words and ASCII: ``17``, ``x = 2/3 or x = 1``, ``no value: division by zero``."""

    @property
    def latex(self) -> str:
        """The same for a typesetter; empty where there is nothing to set."""

    @property
    def kind(self) -> str:
        """What kind of answer it is."""


class Values(Protocol):
    """Works out what expressions come to; see `edge_client.expression.Solver`."""

    def values(self, rows: Iterable[Row]) -> Sequence[Value]:
        """Return the values of the lines of a page; never raises, and never takes long."""


class LiveFrame(Protocol):
    """The newest frame that was read; see `edge_client.live`."""

    @property
    def seq(self) -> int:
        """Grows with every frame."""

    @property
    def raw(self) -> Picture:
        """The frame as the camera gave it, BGR uint8."""

    @property
    def reading(self) -> Reading | None:
        """What is read in it, once that is stable."""

    @property
    def values(self) -> Sequence[Value | None]:
        """What the lines of the reading come to."""

    @property
    def fps(self) -> float:
        """Frames read a second."""

    @property
    def weights(self) -> str:
        """Which weights are in use, for people."""

    @property
    def status(self) -> str:
        """What is the matter with the camera; empty if nothing."""


class Live(Protocol):
    """A camera that is read; see `edge_client.live.LiveReader`."""

    def latest(self) -> LiveFrame | None:
        """Return the newest frame, if there was one yet."""

    def wait(self, after_seq: int, timeout_s: float) -> LiveFrame | None:
        """Wait for a newer frame, for so many seconds at most; return the newest."""

    def jpeg(self) -> bytes:
        """Return the newest frame with what is read drawn on it; empty before the first."""


@dataclass(frozen=True)
class Backend:
    """The parts of a device that the page shows.

    Attributes:
        recogniser: reads drawings and photographs, and lines that a person has put right.
        solver: says what expressions come to.
        store: the device's samples.
        corrections: where a person's words go.
        learning: what is known about the device's training, and the switch that pauses it.
        live: the camera; None without one.
    """

    recogniser: Recogniser
    solver: Values
    store: SampleStore
    corrections: Corrections
    learning: Learning
    live: Live | None = None
