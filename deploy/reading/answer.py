"""What is answered about one picture: its lines, their values, and how sure the reader is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_client.expression import text_of
from edge_client.expression.value import Value
from edge_client.reading.result import Line, Reading
from edge_client.vision.trace import Picture

DOUBTFUL = 0.6
"""A line or symbol with less confidence than this is marked."""

_LIKELY = 0.05  # an alternative with less is not worth a word
_WIDEST = 40  # columns; longer texts are not waited for by the others


@dataclass(frozen=True, eq=False)
class Answer:
    """A picture and what was read in it.

    Attributes:
        name: of the file, as it was given.
        picture: what was read, ``(h, w)`` grey or ``(h, w, 3)`` BGR, uint8.
        reading: what was read in it.
        values: of the lines.
        frame: which frame of a video it is, from 0; None for a picture.
    """

    name: str
    picture: Picture
    reading: Reading
    values: tuple[Value, ...]
    frame: int | None = None

    @property
    def title(self) -> str:
        """What it is called in words."""
        return self.name if self.frame is None else f"{self.name}, frame {self.frame}"


def in_words(answer: Answer) -> Iterator[str]:
    """Say what was read, a line of text for every line of writing; what is unsure is marked."""
    yield answer.title
    lines = answer.reading.lines
    if not lines:
        yield "  no maths found"
        return
    texts = [text_of(line.row) for line in lines]
    said = [value.text for value in answer.values]
    wide = [max((len(text) for text in column if len(text) <= _WIDEST), default=0) for column in (texts, said)]
    for line, text, value in zip(lines, texts, said, strict=True):
        row = f"  {text:{wide[0]}}  {value:{wide[1]}}  {line.confidence:4.0%}"
        doubts = "" if line.confidence >= DOUBTFUL else f"  unsure{_doubts(line)}"
        yield row + doubts


def _doubts(line: Line) -> str:
    """Name the symbols that a line is least sure of, with what else they may be."""
    doubtful = sorted(line.symbols, key=lambda symbol: symbol.confidence)
    named = []
    for symbol in doubtful[:3]:
        others = [label for label, confidence in symbol.alternatives[:2] if confidence >= _LIKELY]
        if symbol.confidence < DOUBTFUL and others:
            named.append(f"{symbol.label} (or {' or '.join(others)})")
    return f": {', '.join(named)}" if named else ""
