"""CROHME's InkML: expressions as strokes with the truth of every symbol, drawn as samples at a chosen ink width."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from shared.dataset import Dataset
from shared.datasets.ink_expression import InkExpression, InkSymbol, NotInkMLError, read_expression
from shared.datasets.members import Members, UnreadableError
from shared.datasets.report import DUPLICATE, Progress, Tally
from shared.errors import DataError, SettingsError
from shared.handwriting.pen import render_strokes
from shared.labels import LabelSet
from shared.sample import SIDE

LAYOUT = "expressions as InkML strokes"

INK_WIDTH_PX = 2.0
"""How wide ink is drawn unless it is said, in pixels of the 45×45 sample: between the Kaggle set's one pixel and what
a camera sees of a felt pen."""

_TELLING_POINTS = 6  # a shorter symbol, such as a dot, can be the same in two hands
_EVERY = 32  # files between two calls of progress


def is_inkml(name: str) -> bool:
    """Say whether a file's name is an InkML file's."""
    return name.lower().endswith(".inkml")


def read_inkml(
    members: Members,
    *,
    labels: LabelSet | None,
    tally: Tally,
    ink_width_px: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read every symbol of every expression.

    Editions of CROHME repeat ink: a symbol whose strokes have the same coordinates as one read before is left out.

    Args:
        members: the source.
        labels: the classes to take; all where None.
        tally: told of what is left out.
        ink_width_px: the width of the line, in pixels of the sample; ``INK_WIDTH_PX`` where None.
        progress: told ``(done, total)`` expressions.

    Raises:
        SettingsError: the ink width is out of range.
    """
    width = INK_WIDTH_PX if ink_width_px is None else ink_width_px
    if not 0.5 <= width <= SIDE / 2:
        raise SettingsError(f"the ink width is {width:g} pixels; choose from 0.5 to {SIDE / 2:g}")
    drawing = _Drawing(tally, labels, width)
    names = [name for name in members.names if is_inkml(name)]
    for done, name in enumerate(names):
        if progress is not None and done % _EVERY == 0:
            progress(done, len(names))
        try:
            expression = read_expression(members.read(name))
        except (UnreadableError, NotInkMLError) as error:
            tally.leave_out(str(error), name)
            continue
        drawing.take(expression, name=name)
    if progress is not None:
        progress(len(names), len(names))
    tally.note(f"Strokes are drawn {width:g} {'pixel' if width == 1 else 'pixels'} wide.")
    return drawing.dataset()


@dataclass
class _Drawing:
    tally: Tally
    labels: LabelSet | None
    ink_width_px: float
    _samples: list[np.ndarray] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _writers: list[str] = field(default_factory=list)
    _seen: set[bytes] = field(default_factory=set)

    def take(self, expression: InkExpression, *, name: str) -> None:
        for reason in expression.left_out:
            self.tally.leave_out(reason, PurePosixPath(name).name)
        for symbol in expression.symbols:
            if self.labels is not None and symbol.label not in self.labels:
                self.tally.leave_out_class(symbol.label)
                continue
            key = _key(symbol, expression)
            if key in self._seen:
                self.tally.leave_out(DUPLICATE, f"{symbol.label!r} in {PurePosixPath(name).name}")
                continue
            self._seen.add(key)
            try:
                sample = render_strokes(symbol.strokes, ink_width_px=self.ink_width_px)
            except DataError as error:
                self.tally.leave_out(f"strokes that cannot be drawn ({error})", PurePosixPath(name).name)
                continue
            self._samples.append(sample)
            self._names.append(symbol.label)
            self._writers.append(expression.writer)

    def dataset(self) -> Dataset:
        images = np.stack(self._samples) if self._samples else np.zeros((0, SIDE, SIDE), np.uint8)
        return Dataset(images, np.array(self._names, dtype=np.str_), np.array(self._writers, dtype=np.str_))


def _key(symbol: InkSymbol, expression: InkExpression) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for stroke in symbol.strokes:
        digest.update(len(stroke).to_bytes(4, "little"))
        digest.update(stroke.astype(np.float32).tobytes())
    if sum(len(stroke) for stroke in symbol.strokes) < _TELLING_POINTS:
        digest.update(expression.digest)
    return digest.digest()
