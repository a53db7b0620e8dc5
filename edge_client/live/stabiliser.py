"""A reading that stands still: shown once several frames agree, kept while it is plausible, gone when the line is."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_client.expression.text import text_of
from edge_client.reading.result import Line, Reading, Symbol
from edge_client.vision.ink import Box


@dataclass(frozen=True)
class Patience:
    """How many frames it takes.

    Attributes:
        to_show: of the last ``of_last`` frames that must agree before a new line is shown.
        of_last: see ``to_show``.
        to_extend: of the last ``of_last`` frames that must agree on a text of another number of symbols: somebody
            has written on, and wants to see it soon.
        to_relabel: of the last ``memory`` frames that must agree before the same number of symbols is shown as
            another text: most often nothing was written, and the reader wavers.
        memory: frames that a line remembers; a text that none of them had is no longer shown.
        in_a_row: frames that convince wherever they all agree.
        to_vanish: frames in a row without the line before it disappears.
        vanish_s: a line that was not seen for so long, in seconds, disappears sooner where frames are slow.
    """

    to_show: int = 3
    of_last: int = 5
    to_extend: int = 4
    to_relabel: int = 12
    memory: int = 16
    in_a_row: int = 8
    to_vanish: int = 8
    vanish_s: float = 1.0


_SAME_PLACE = 0.5  # of the smaller box, that lies in the other
_SAME_SIZE = 1.3
_FEWEST_MISSED = 2
_NEWEST = 0.3  # the newest frame's part in the confidence that is shown


@dataclass(eq=False)
class _Track:
    """One line of writing, over several frames."""

    box: Box
    texts: deque[str]
    seen_s: float
    missed: int = 0
    shown: Line | None = None
    shown_text: str = ""


class Stabiliser:
    """Follows lines over frames; fed with every reading in turn."""

    def __init__(self, *, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._tracks: list[_Track] = []
        self._size = (0, 0)

    def reset(self) -> None:
        """Forget what was seen: the next frame shows something else."""
        self._tracks = []

    def update(self, reading: Reading, *, at_s: float, still: bool = False) -> Reading | None:
        """Take in the newest reading and return the stable one; None while no line is stable.

        Boxes are those of the newest frame wherever it reads the same text, and move with the line where it does not.

        Args:
            reading: of the newest frame.
            at_s: when the frame was taken, in seconds.
            still: it is a picture of its own, not a frame of a film: it is stable at once, and all before is past.
        """
        if still or (reading.width, reading.height) != self._size:
            self.reset()
            self._size = reading.width, reading.height
        texts = [text_of(line.row) for line in reading.lines]
        if still:
            return reading if reading.lines else None
        for track, found in self._matched(reading.lines, texts, at_s):
            if found is None:
                track.missed += 1
            else:
                self._see(track, reading.lines[found], texts[found])
                track.seen_s = at_s
        self._tracks = [track for track in self._tracks if not self._is_gone(track, at_s)]
        shown = sorted((track.shown for track in self._tracks if track.shown is not None), key=lambda line: line.box[1])
        return replace(reading, lines=tuple(shown)) if shown else None

    def _is_gone(self, track: _Track, at_s: float) -> bool:
        slow = track.missed >= _FEWEST_MISSED and at_s - track.seen_s > self._patience.vanish_s
        return slow or track.missed >= self._patience.to_vanish

    def _matched(self, lines: Sequence[Line], texts: Sequence[str], at_s: float) -> list[tuple[_Track, int | None]]:
        """Pair every line with its track, a new one if need be; first by place, then by what is written."""
        pairs: dict[int, int] = {}
        near = sorted(
            (-_shared(track.box, line.box), t, i)
            for t, track in enumerate(self._tracks)
            for i, line in enumerate(lines)
            if _shared(track.box, line.box) >= _SAME_PLACE
        )
        same = [
            (0.0, t, i)
            for t, track in enumerate(self._tracks)
            for i, text in enumerate(texts)
            if track.shown is not None and track.shown_text == text
        ]
        for _, t, i in near + same:
            if t not in pairs and i not in pairs.values():
                pairs[t] = i
        for i, line in enumerate(lines):
            if i not in pairs.values():
                pairs[len(self._tracks)] = i
                self._tracks.append(_Track(line.box, deque(maxlen=self._patience.memory), at_s))
        return [(track, pairs.get(t)) for t, track in enumerate(self._tracks)]

    def _see(self, track: _Track, line: Line, text: str) -> None:
        track.missed = 0
        track.texts.append(text)
        if track.shown is not None and text == track.shown_text:
            track.shown = _smoothed(track.shown, line)
        elif self._convinces(track, line, text):
            track.shown, track.shown_text = line, text
        elif track.shown is not None:
            gone = len(track.texts) == track.texts.maxlen and track.shown_text not in track.texts
            track.shown = None if gone else _moved(track.shown, before=track.box, now=line.box)
        track.box = line.box

    def _convinces(self, track: _Track, line: Line, text: str) -> bool:
        patience = self._patience
        lately = list(track.texts)[-patience.of_last :].count(text)
        if track.shown is None:
            return lately >= patience.to_show
        if len(line.symbols) != len(track.shown.symbols):
            return lately >= patience.to_extend
        latest = list(track.texts)[-patience.in_a_row :]
        return track.texts.count(text) >= patience.to_relabel or latest == [text] * patience.in_a_row


def _smoothed(shown: Line, newest: Line) -> Line:
    """Return the newest line with a confidence that does not jump."""
    if [symbol.label for symbol in shown.symbols] != [symbol.label for symbol in newest.symbols]:
        return newest
    symbols = tuple(
        replace(new, confidence=_blend(old.confidence, new.confidence))
        for old, new in zip(shown.symbols, newest.symbols, strict=True)
    )
    return replace(newest, symbols=symbols, confidence=_blend(shown.confidence, newest.confidence))


def _blend(old: float, new: float) -> float:
    return (1 - _NEWEST) * old + _NEWEST * new


def _moved(shown: Line, *, before: Box, now: Box) -> Line:
    """Return a line that goes along with the writing, as long as that has about the same size."""
    if not all(1 / _SAME_SIZE < (b + 1) / (a + 1) < _SAME_SIZE for a, b in zip(before[2:], now[2:], strict=True)):
        return shown
    dx = now[0] + now[2] // 2 - before[0] - before[2] // 2
    dy = now[1] + now[3] // 2 - before[1] - before[3] // 2
    if not dx and not dy:
        return shown

    def shifted(box: Box) -> Box:
        return box[0] + dx, box[1] + dy, box[2], box[3]

    symbols: tuple[Symbol, ...] = tuple(replace(symbol, box=shifted(symbol.box)) for symbol in shown.symbols)
    return replace(shown, symbols=symbols, box=shifted(shown.box))


def _shared(one: Box, other: Box) -> float:
    """Return how much of the smaller box lies in the other, from 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / max(1, min(one[2] * one[3], other[2] * other[3]))
