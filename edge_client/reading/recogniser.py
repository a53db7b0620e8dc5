"""The reader of pictures: ink in, lines of symbols out, with weights that can be replaced while it is in use."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_client.reading.bars import freed
from edge_client.reading.element import Candidate, Path
from edge_client.reading.layout import LineInk, in_reading_order, lay_out, row_of_path
from edge_client.reading.lines import lines
from edge_client.reading.pictures import draw_candidates, draw_layout, draw_lines
from edge_client.reading.recent import RecentlyRead
from edge_client.reading.rejection import which_are_maths
from edge_client.reading.result import Line, Reading, Symbol
from edge_client.reading.segments import segments
from edge_client.reading.sureness import sureness
from edge_client.vision.ink import Box, InkPage, InkPart
from edge_client.vision.trace import Trace
from shared.labels import LabelSet
from shared.sample import canonical_samples
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import Weights

MOST_PARTS, MOST_ON_A_LINE = 1200, 150
"""Connected parts that are read at most, on a page and on a line: more are a texture, and would take minutes."""

_ALTERNATIVES = 5  # of a symbol, in its answer
# Augmentation only ever shrinks what a network is trained on, by 7 % at most at strength 0.5: one that is shown symbols
# at full size is off the middle of what it knows. Of 10,293 symbols in pictures of expressions, by writers that the
# weights had not met, it reads 0.5 in 100 more at this size, the same between 0.92 and 0.96.
_SIZE = 0.94
_FREED = -2.0  # the log-odds of bars that touch what they divide


class Recogniser:
    """Reads handwritten maths in pictures.

    Any thread may call any method. Pictures are read one at a time; one that is being read when new weights are
    adopted ends on the old ones.

    Args:
        bundle: the model.
        weights: to read with.
        threads: CPU threads of the network.

    Raises:
        ModelError: the weights are those of another model, or LiteRT cannot load the reader.
    """

    def __init__(self, bundle: ModelBundle, *, weights: Weights, threads: int = 1) -> None:
        self._threads = threads
        self._reading = threading.Lock()
        self._bundle = bundle
        self._reader = FrozenReader(bundle, weights=weights, threads=threads)

    @property
    def labels(self) -> LabelSet:
        """The classes that symbols are read as."""
        manifest = self._reader.manifest
        return LabelSet(manifest.name, manifest.labels)

    def adopt(self, weights: Weights, *, bundle: ModelBundle | None = None) -> None:
        """Read with other weights from the next picture on.

        Args:
            weights: to read with.
            bundle: of the model that they belong to; None for the one in use.

        Raises:
            ModelError: the weights are those of another model; the old ones stay in use.
        """
        bundle = bundle or self._bundle
        self._reader = FrozenReader(bundle, weights=weights, threads=self._threads)
        self._bundle = bundle

    def read(
        self,
        picture: NDArray[np.uint8],
        *,
        all_is_maths: bool = False,
        recent: RecentlyRead | None = None,
        trace: Trace | None = None,
    ) -> Reading:
        """Read a picture, grey ``(height, width)`` or BGR ``(height, width, 3)``, uint8.

        Args:
            picture: to read.
            all_is_maths: whatever is written is meant as maths, so that nothing is left out for being hard to read.
            recent: of the camera that the picture is a frame of: ink that has hardly changed is not classified again.
            trace: told of every step.
        """
        from edge_client.vision import find_ink

        trace = trace or Trace()
        page = find_ink(picture, trace=trace)
        height, width = picture.shape[:2]
        return self.read_page(page, width=width, height=height, all_is_maths=all_is_maths, recent=recent, trace=trace)

    def read_page(
        self,
        page: InkPage,
        *,
        width: int,
        height: int,
        all_is_maths: bool = False,
        recent: RecentlyRead | None = None,
        trace: Trace | None = None,
    ) -> Reading:
        """Read ink that was found already.

        Args:
            page: the ink.
            width: of the picture it was found in, in pixels.
            height: of the picture it was found in, in pixels.
            all_is_maths: see `read`.
            recent: see `read`.
            trace: told of every step.
        """
        trace = trace or Trace()
        with self._reading:
            reader = self._reader
            if recent is not None:
                recent.begin(reader)
            atoms = page.parts
            if not 0 < len(atoms) <= MOST_PARTS:
                return Reading((), page, width, height)
            em = typical_em(atoms)
            with trace.step("lines"):
                groups = [[atoms[i] for i in group] for group in lines(atoms, em=em)]
            trace.show("reading lines", lambda: draw_lines(page, groups))
            read = [
                _likeliest(group, page.ink_width, reader, recent, trace)
                for group in groups
                if len(group) <= MOST_ON_A_LINE
            ]
            anew = [one for one in read if isinstance(one, _LaidOut)]
            trace.show("candidates", lambda: draw_candidates(page, [one.ink for of in anew for one in of.candidates]))
            maths = [True] * len(anew) if all_is_maths else which_are_maths([one.path for one in anew])
            nonsense = {id(one) for one, is_maths in zip(anew, maths, strict=True) if not is_maths}
            with trace.step("sureness"):
                found = tuple(_line(one, page, recent) for one in read if id(one) not in nonsense)
            trace.show("layout", lambda: draw_layout(page, found))
            return Reading(found, page, width, height)

    def reread(
        self, reading: Reading, *, line: int, inks: Sequence[InkPart], fixed: Mapping[int, str] | None = None
    ) -> Reading:
        """Read one line anew whose symbols a person has told apart.

        Args:
            reading: as it was; it stays as it is.
            line: the index of the line.
            inks: its symbols' ink; none removes the line.
            fixed: labels a person has said, by the index into ``inks``.

        Returns:
            the reading with that line read anew and the others unchanged.
        """
        lines = list(reading.lines)
        if not inks:
            del lines[line]
            return Reading(tuple(lines), reading.page, reading.width, reading.height)
        with self._reading:
            reader = self._reader
            found = [Candidate(1 << i, ink, 0.0, 1) for i, ink in enumerate(inks)]
            _classify(found, reader)
            ink = LineInk(
                inks,
                frozenset(1 << i for i in range(len(inks))),
                found,
                typical_em(inks),
                reader.manifest.labels,
                fixed or {},
            )
            lines[line] = _line(_LaidOut(lay_out(ink), ink, inks), reading.page, None)
        return Reading(tuple(lines), reading.page, reading.width, reading.height)


def typical_em(inks: Sequence[InkPart]) -> float:
    """Return about how high digits are, in pixels: the 70th percentile of the longer sides."""
    return float(np.percentile([max(ink.width if ink.width < 2 * ink.height else 0, ink.height) for ink in inks], 70))


def _classify(found: Sequence[Candidate], reader: FrozenReader, recent: RecentlyRead | None = None) -> None:
    if recent is not None:
        new = recent.take_over(found)
        _classify(new, reader)
        recent.remember(new)
        return
    if not found:
        return
    samples = canonical_samples([candidate.ink.mask for candidate in found])
    for candidate, sample, logits in zip(found, samples, reader.logits(samples, size=_SIZE), strict=True):
        candidate.sample, candidate.logits = sample, logits


@dataclass(frozen=True, eq=False)
class _LaidOut:
    """A line that was laid out in this picture, and the parts that it was laid out of."""

    path: Path
    ink: LineInk
    parts: Sequence[InkPart]

    @property
    def candidates(self) -> Sequence[Candidate]:
        return self.ink.candidates


@dataclass(frozen=True, eq=False)
class _AsBefore:
    """A line that stands as it stood in the frame before, and where the ink of its symbols is now."""

    line: Line
    inks: Sequence[InkPart]


def _likeliest(
    parts: Sequence[InkPart], ink_width: float, reader: FrozenReader, recent: RecentlyRead | None, trace: Trace
) -> _LaidOut | _AsBefore:
    """Read the ink of a line, also with the bars freed that touch something, and return what is likelier."""
    if recent is not None:
        with trace.step("recent"):
            before = recent.line(parts)
        if before is not None:
            return _AsBefore(*before)
    em = typical_em(parts)
    without = freed(parts, em=em, ink_width=ink_width)
    best: _LaidOut | None = None
    for inks, cost in ((parts, 0.0), (without, _FREED)):
        if inks is None:
            continue
        with trace.step("segments"):
            pieces = segments(inks, em=em, read=lambda new: _classify(new, reader, recent))
        ink = LineInk(pieces.atoms, pieces.components, pieces.candidates, em, reader.manifest.labels, {})
        with trace.step("layout"):
            path = lay_out(ink)
        if best is None or path.score + cost > best.path.score:
            best = _LaidOut(path, ink, parts)
    assert best is not None
    return best


def _line(read: _LaidOut | _AsBefore, page: InkPage, recent: RecentlyRead | None) -> Line:
    if isinstance(read, _AsBefore):
        return _moved(read, page)
    path, ink = read.path, read.ink
    symbols = []
    shares = sureness(path, labels=ink.labels, em=ink.em)
    candidates = [step.element.candidate for step in in_reading_order(path)]
    labels = [step.choice.label for step in in_reading_order(path)]
    boxes = page.boxes_in_picture([candidate.ink for candidate in candidates])
    for candidate, label, sure, box in zip(candidates, labels, shares, boxes, strict=True):
        assert candidate.sample is not None
        alternatives = tuple(list(sure.items())[1 : _ALTERNATIVES + 1])
        symbols.append(Symbol(label, box, sure[label], alternatives, candidate.ink, candidate.sample))
    confidence = float(np.prod([symbol.confidence for symbol in symbols]))
    line = Line(row_of_path(path), tuple(symbols), _around(boxes), confidence)
    if recent is not None:
        recent.keep_line(line, parts=read.parts, candidates=ink.candidates, symbols=candidates)
    return line


def _moved(read: _AsBefore, page: InkPage) -> Line:
    """Return a line as it was, with its symbols where they are now."""
    boxes = page.boxes_in_picture(read.inks)
    symbols = tuple(
        replace(symbol, box=box, ink=ink) for symbol, box, ink in zip(read.line.symbols, boxes, read.inks, strict=True)
    )
    return replace(read.line, symbols=symbols, box=_around(boxes))


def _around(boxes: Sequence[Box]) -> Box:
    """Return the box around boxes."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top
