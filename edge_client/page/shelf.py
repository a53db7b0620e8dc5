"""What was read lately, so that a correction can say which symbol it is about."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

from edge_client.reading.result import Line, Reading, Symbol
from edge_client.vision.ink import InkPart

MOST_UNDONE = 20
"""So many steps of a person can be undone."""

MOST_READINGS = 24
"""So many are kept; the one that was not looked at for the longest time leaves first."""

InkKey = tuple[int, int, int, int, int]


@dataclass(frozen=True, eq=False)
class Shelved:
    """A reading, and what a person has said about it.

    Attributes:
        id: its name.
        origin: ``canvas``, ``photo`` or ``camera``.
        reading: as it is now.
        revision: grows with every change, so that nobody corrects what is no longer there.
        picture: of what was read, as a JPEG; empty for a drawing, which the browser has.
        said: labels that a person has said, by the ink.
        learnt: ink whose sample is in the store under its label.
        before: as it was before the last step; None if there was none.
    """

    id: str
    origin: str
    reading: Reading
    revision: int = 0
    picture: bytes = b""
    said: dict[InkKey, str] = field(default_factory=dict)
    learnt: frozenset[InkKey] = frozenset()
    before: Shelved | None = None

    def with_reading(self, reading: Reading) -> Shelved:
        """Return it with another reading."""
        return replace(self, reading=reading, revision=self.revision + 1)

    def after(self, before: Shelved) -> Shelved:
        """Return it with a way back to another."""
        return replace(self, before=before._shortened(MOST_UNDONE - 1))

    def _shortened(self, steps: int) -> Shelved:
        if self.before is None:
            return self
        return replace(self, before=self.before._shortened(steps - 1) if steps > 0 else None)


def ink_key(ink: InkPart) -> InkKey:
    """Name some ink of a page: two pieces of ink have the same box and area only if they are the same."""
    return (*ink.box, ink.area)


def symbols_of(reading: Reading) -> list[tuple[int, int, Line, Symbol]]:
    """Return all symbols with the indices of their line and of themselves."""
    return [
        (at, index, line, symbol) for at, line in enumerate(reading.lines) for index, symbol in enumerate(line.symbols)
    ]


class Shelf:
    """Keeps the readings of late. Safe from any thread."""

    def __init__(self, *, most: int = MOST_READINGS) -> None:
        self._most = most
        self._kept: OrderedDict[str, Shelved] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, reading: Reading, *, origin: str, picture: bytes = b"") -> Shelved:
        """Keep a new reading under a new name."""
        return self.keep(Shelved(secrets.token_urlsafe(9), origin, reading, picture=picture))

    def keep(self, shelved: Shelved) -> Shelved:
        """Keep a reading under its name, in place of what was there."""
        with self._lock:
            self._kept[shelved.id] = shelved
            self._kept.move_to_end(shelved.id)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return shelved

    def find(self, name: str) -> Shelved | None:
        """Return the reading of this name, if it is still kept."""
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
            return found
