"""What was read in the frame before, said again of ink that has hardly changed: most of a live view stands still.

A camera's frames differ by noise and by a hand that trembles, far less than one symbol differs from another. Where the
ink of a candidate lies as it lay when it was last classified, and looks the same but for its edges, its sample and its
logits are taken over. A line of nothing but such ink, whose parts have not moved against each other, is laid out as it
was. What ink is compared with is always what was classified and laid out, so that slow changes cannot add up unseen;
and every twentieth frame is read as if it were the first, so that one bad frame is not believed for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.element import Candidate
from edge_client.reading.result import Line

FRESH_EVERY = 20
"""Of so many frames, one is read without regard to those before."""

_EDGE = 0.04  # of the longer side, but a pixel at least: as far as noise moves the edges of ink
_CHANGED = 0.02  # of the ink, further off than that: it is classified again
_GROWN = 4  # pixels that a box may be wider or higher than it was
_MOVED = 0.25  # of the longer side: ink that lies further off is other ink
_SHIFTED = (3.0, 0.08)  # pixels, or of the typical size: parts of a line that moved more against each other

_Mask = NDArray[np.uint8]


class _Look(NamedTuple):
    """Ink, with room around it, and the same as wide as noise may make it."""

    x: float
    y: float
    ink: _Mask
    wide: _Mask
    pixels: int


class _Read(NamedTuple):
    look: _Look
    sample: NDArray[np.uint8]
    logits: NDArray[np.float32]


class _LaidOut(NamedTuple):
    places: dict[int, tuple[float, float]]
    symbols: tuple[int, ...]
    line: Line


class RecentlyRead:
    """The candidates of the last frame that was read. Use one for each camera, on one thread.

    Attributes:
        taken_over: how many candidates of the last frame were not classified.
    """

    def __init__(self) -> None:
        self.taken_over = 0
        self._reader: object = None
        self._frames = 0
        self._last: dict[tuple[int, int], list[_Read]] = {}
        self._now: dict[tuple[int, int], list[_Read]] = {}
        self._lines: dict[frozenset[int], _LaidOut] = {}
        self._lines_now: dict[frozenset[int], _LaidOut] = {}
        self._of: dict[int, _Read] = {}  # by the identity of this frame's candidates

    def begin(self, reader: object) -> None:
        """A new frame begins; what was read with another reader, or with other weights, is forgotten.

        Args:
            reader: that reads this frame.
        """
        same = reader is self._reader and self._frames % FRESH_EVERY != 0
        self._frames += 1
        self._last, self._now = self._now if same else {}, {}
        self._lines, self._lines_now = self._lines_now if same else {}, {}
        self._of = {}
        self._reader = reader
        self.taken_over = 0

    def take_over(self, found: Sequence[Candidate]) -> list[tuple[Candidate, _Look]]:
        """Fill in what is known of candidates; return those that are to be classified, with what they look like."""
        left = []
        for candidate in found:
            look = _look(candidate)
            known = self._known(look)
            if known is None:
                left.append((candidate, look))
                continue
            candidate.sample, candidate.logits = known.sample, known.logits
            self._keep(known)
            self._of[id(candidate)] = known
            self.taken_over += 1
        return left

    def remember(self, candidate: Candidate, look: _Look) -> None:
        """Keep what a candidate was just classified as, for the next frame."""
        assert candidate.sample is not None
        assert candidate.logits is not None
        read = _Read(look, candidate.sample, candidate.logits)
        self._keep(read)
        self._of[id(candidate)] = read

    def line(self, candidates: Sequence[Candidate]) -> tuple[Line, list[Candidate]] | None:
        """Return the line that was laid out of these candidates, and this frame's candidates of its symbols.

        None where there was none, or something in it has changed or moved.

        Args:
            candidates: all that the line may be made of, classified or taken over.
        """
        by_read = {id(self._of[id(one)]): one for one in candidates if id(one) in self._of}
        known = self._lines.get(frozenset(by_read))
        if known is None or len(by_read) < len(candidates):
            return None
        now = np.array([_middle(by_read[read]) for read in known.places])
        shifts = now - np.array(list(known.places.values()))
        typical = float(np.median([max(one.ink.width, one.ink.height) for one in candidates]))
        if float(np.ptp(shifts, axis=0).max()) > max(_SHIFTED[0], _SHIFTED[1] * typical):
            return None
        self._lines_now[frozenset(by_read)] = known
        return known.line, [by_read[read] for read in known.symbols]

    def keep_line(self, line: Line, *, candidates: Sequence[Candidate], symbols: Sequence[Candidate]) -> None:
        """Keep how a line was laid out, for the next frame.

        Args:
            line: as it was read.
            candidates: all that it might have been made of.
            symbols: the candidates of its symbols, in reading order.
        """
        places = {id(self._of[id(one)]): _middle(one) for one in candidates if id(one) in self._of}
        chosen = tuple(id(self._of[id(one)]) for one in symbols if id(one) in self._of)
        if len(places) == len(candidates) and len(chosen) == len(symbols):
            self._lines_now[frozenset(places)] = _LaidOut(places, chosen, line)

    def _keep(self, read: _Read) -> None:
        self._now.setdefault(_cell(read.look.x, read.look.y), []).append(read)

    def _known(self, look: _Look) -> _Read | None:
        column, row = _cell(look.x, look.y)
        for cell in ((column + dx, row + dy) for dx in (0, -1, 1) for dy in (0, -1, 1)):
            for read in self._last.get(cell, ()):
                if _is_same(read.look, look):
                    return read
        return None


def _middle(candidate: Candidate) -> tuple[float, float]:
    ink = candidate.ink
    return ink.x + ink.width / 2, ink.y + ink.height / 2


def _cell(x: float, y: float) -> tuple[int, int]:
    """Return where to look for ink: cells of 32 pixels, and those around them."""
    return int(x) >> 5, int(y) >> 5


def _look(candidate: Candidate) -> _Look:
    import cv2

    edge = max(1, round(_EDGE * max(candidate.ink.mask.shape)))
    room = edge + _GROWN
    ink = cv2.copyMakeBorder(
        cv2.compare(candidate.ink.mask, 127, cv2.CMP_GT), room, room, room, room, cv2.BORDER_CONSTANT, value=0
    )
    wide = cv2.dilate(ink, np.ones((2 * edge + 1, 2 * edge + 1), np.uint8))
    return _Look(*_middle(candidate), ink, wide, cv2.countNonZero(ink))


def _is_same(before: _Look, now: _Look) -> bool:
    """Whether all ink of either lies within the edges of the other, but for a few pixels."""
    (height, width), (new_height, new_width) = before.ink.shape, now.ink.shape
    if abs(height - new_height) > _GROWN or abs(width - new_width) > _GROWN:
        return False
    if max(abs(before.x - now.x), abs(before.y - now.y)) > _MOVED * max(height, width):
        return False
    # Both are cut to what they have in common, which has all of their ink: there is room around it.
    common_height, common_width = min(height, new_height), min(width, new_width)
    one = _middle_of(before.ink, common_height, common_width), _middle_of(before.wide, common_height, common_width)
    two = _middle_of(now.ink, common_height, common_width), _middle_of(now.wide, common_height, common_width)
    return _outside(two[0], one[1]) <= _CHANGED * now.pixels and _outside(one[0], two[1]) <= _CHANGED * before.pixels


def _middle_of(mask: _Mask, height: int, width: int) -> _Mask:
    top, left = (mask.shape[0] - height) // 2, (mask.shape[1] - width) // 2
    return mask[top : top + height, left : left + width]


def _outside(ink: _Mask, wide: _Mask) -> int:
    """Count the pixels of ink that are not in the other."""
    return int(np.count_nonzero(ink > wide))
