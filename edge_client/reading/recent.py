"""What was read in the frame before, said again of ink that has hardly changed: most of a live view stands still.

A camera's frames differ by noise and by a hand that trembles, far less than one symbol differs from another. A line
whose parts lie against each other as they lay when it was read, and look the same but for their edges, is said again
as a whole. Where only some of a line has changed, the candidates that have not keep their samples and logits, and the
line is laid out anew. What ink is compared with is always what was classified and laid out, so that slow changes
cannot add up unseen; and every twentieth frame is read as if it were the first, so that one bad frame is not believed
for long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.element import Candidate
from edge_client.reading.result import Line
from edge_client.vision.ink import InkPart, united

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


class _Piece(NamedTuple):
    """The ink of one symbol of a line.

    Attributes:
        ink: as it was when the line was laid out.
        parts: of the line, that it is made of; where it is no whole parts, the one nearest to it.
        whole: whether it is whole parts.
    """

    ink: InkPart
    parts: tuple[int, ...]
    whole: bool


class _Known(NamedTuple):
    """A line as it was laid out.

    Attributes:
        line: what was read.
        parts: what its parts were read as, and where they were.
        candidates: what else it might have been made of.
        pieces: its symbols, in reading order.
    """

    line: Line
    parts: dict[int, tuple[float, float]]
    candidates: tuple[_Read, ...]
    pieces: tuple[_Piece, ...]


class RecentlyRead:
    """The ink of the last frame that was read. Use one for each camera, on one thread.

    Attributes:
        taken_over: how many candidates of the last frame were not classified.
    """

    def __init__(self) -> None:
        self.taken_over = 0
        self._reader: object = None
        self._frames = 0
        self._last: dict[tuple[int, int], list[_Read]] = {}
        self._now: dict[tuple[int, int], list[_Read]] = {}
        self._lines: dict[frozenset[int], _Known] = {}
        self._lines_now: dict[frozenset[int], _Known] = {}
        self._looks: dict[InkPart, _Look] = {}  # of this frame's ink
        self._of: dict[InkPart, _Read] = {}

    def begin(self, reader: object) -> None:
        """A new frame begins; what was read with another reader, or with other weights, is forgotten.

        Args:
            reader: that reads this frame.
        """
        same = reader is self._reader and self._frames % FRESH_EVERY != 0
        self._frames += 1
        self._last, self._now = self._now if same else {}, {}
        self._lines, self._lines_now = self._lines_now if same else {}, {}
        self._looks, self._of = {}, {}
        self._reader = reader
        self.taken_over = 0

    def line(self, parts: Sequence[InkPart]) -> tuple[Line, list[InkPart]] | None:
        """Return the line that was read of these parts, and the ink of its symbols where it is now.

        None where there was none, or something in it has changed or moved.

        Args:
            parts: of one line, as vision found them.
        """
        if not self._lines:
            return None
        reads = []
        for part in parts:
            read = self._known(self._look(part))
            if read is None:
                return None
            reads.append(read)
        known = self._lines.get(frozenset(map(id, reads)))
        if known is None or len(known.parts) < len(parts):
            return None
        by_read = {id(read): part for read, part in zip(reads, parts, strict=True)}
        now = [by_read[read] for read in known.parts]
        shifts = np.array([_middle(part) for part in now]) - np.array(list(known.parts.values()))
        typical = float(np.median([max(part.width, part.height) for part in now]))
        if float(np.ptp(shifts, axis=0).max()) > max(_SHIFTED[0], _SHIFTED[1] * typical):
            return None
        self._lines_now[frozenset(known.parts)] = known
        for read in (*reads, *known.candidates):
            self._keep(read)
        self.taken_over += len(reads) + len(known.candidates)
        return known.line, [_moved(piece, now, shifts) for piece in known.pieces]

    def take_over(self, found: Sequence[Candidate]) -> list[Candidate]:
        """Fill in what is known of candidates; return those that are to be classified."""
        left = []
        for candidate in found:
            known = self._known(self._look(candidate.ink))
            if known is None:
                left.append(candidate)
                continue
            candidate.sample, candidate.logits = known.sample, known.logits
            self._keep(known)
            self._of[candidate.ink] = known
            self.taken_over += 1
        return left

    def remember(self, candidates: Sequence[Candidate]) -> None:
        """Keep what candidates were just classified as, for the next frame."""
        for candidate in candidates:
            assert candidate.sample is not None
            assert candidate.logits is not None
            read = _Read(self._look(candidate.ink), candidate.sample, candidate.logits)
            self._keep(read)
            self._of[candidate.ink] = read

    def keep_line(
        self, line: Line, *, parts: Sequence[InkPart], candidates: Sequence[Candidate], symbols: Sequence[Candidate]
    ) -> None:
        """Keep how a line was laid out, for the next frame.

        Args:
            line: as it was read.
            parts: of the line, as vision found them; all have been classified, each by itself.
            candidates: all that the line might have been made of.
            symbols: the candidates of its symbols, in reading order.
        """
        reads = [self._of.get(part) for part in parts]
        places = {id(read): _middle(part) for read, part in zip(reads, parts, strict=True) if read is not None}
        if len(places) < len(parts):
            return
        others = [self._of[one.ink] for one in candidates if one.ink in self._of]
        others = [read for read in others if id(read) not in places]
        pieces = tuple(_piece(one.ink, parts) for one in symbols)
        self._lines_now[frozenset(places)] = _Known(line, places, tuple(others), pieces)

    def _look(self, ink: InkPart) -> _Look:
        look = self._looks.get(ink)
        if look is None:
            look = self._looks[ink] = _look(ink)
        return look

    def _keep(self, read: _Read) -> None:
        self._now.setdefault(_cell(read.look.x, read.look.y), []).append(read)

    def _known(self, look: _Look) -> _Read | None:
        column, row = _cell(look.x, look.y)
        for cell in ((column + dx, row + dy) for dx in (0, -1, 1) for dy in (0, -1, 1)):
            for read in self._last.get(cell, ()):
                if _is_same(read.look, look):
                    return read
        return None


def _middle(ink: InkPart) -> tuple[float, float]:
    return ink.x + ink.width / 2, ink.y + ink.height / 2


def _piece(ink: InkPart, parts: Sequence[InkPart]) -> _Piece:
    """Find the parts that a symbol's ink is made of: those within its box that are as much ink as it is."""
    inside = [
        i
        for i, part in enumerate(parts)
        if part.x >= ink.x and part.y >= ink.y and part.right <= ink.right and part.bottom <= ink.bottom
    ]
    its = tuple(i for i in inside if _within(parts[i], ink))
    if its and sum(parts[i].area for i in its) == ink.area:
        return _Piece(ink, its, whole=True)
    x, y = _middle(ink)
    nearest = min(range(len(parts)), key=lambda i: abs(_middle(parts[i])[0] - x) + abs(_middle(parts[i])[1] - y))
    return _Piece(ink, (nearest,), whole=False)


def _within(part: InkPart, ink: InkPart) -> bool:
    left, top = part.x - ink.x, part.y - ink.y
    return not np.any(part.mask > ink.mask[top : top + part.height, left : left + part.width])


def _moved(piece: _Piece, parts: Sequence[InkPart], shifts: NDArray[np.float64]) -> InkPart:
    """Return the ink of a symbol as it is now; what is only some of a part has moved with it."""
    if piece.whole:
        return united([parts[i] for i in piece.parts])
    x, y = shifts[piece.parts[0]]
    return InkPart(piece.ink.mask, max(0, piece.ink.x + round(x)), max(0, piece.ink.y + round(y)))


def _cell(x: float, y: float) -> tuple[int, int]:
    """Return where to look for ink: cells of 32 pixels, and those around them."""
    return int(x) >> 5, int(y) >> 5


def _look(of: InkPart) -> _Look:
    import cv2

    edge = max(1, round(_EDGE * max(of.mask.shape)))
    room = edge + _GROWN
    ink = cv2.copyMakeBorder(
        cv2.compare(of.mask, 127, cv2.CMP_GT), room, room, room, room, cv2.BORDER_CONSTANT, value=0
    )
    wide = cv2.dilate(ink, np.ones((2 * edge + 1, 2 * edge + 1), np.uint8))
    return _Look(*_middle(of), ink, wide, cv2.countNonZero(ink))


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
