"""The reader of pictures: ink in, lines of symbols out, with weights that can be replaced while it is in use."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.expression.row import Sign
from edge_client.reading.result import Line, Reading, Symbol
from edge_client.vision.ink import InkPage, InkPart, united
from edge_client.vision.trace import Trace
from shared.labels import LabelSet
from shared.sample import canonical_sample
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import Weights


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

    def read(self, picture: NDArray[np.uint8], *, trace: Trace | None = None) -> Reading:
        """Read a picture, grey ``(height, width)`` or BGR ``(height, width, 3)``, uint8."""
        from edge_client.vision import find_ink

        trace = trace or Trace()
        page = find_ink(picture, trace=trace)
        return self.read_page(page, width=picture.shape[1], height=picture.shape[0], trace=trace)

    def read_page(self, page: InkPage, *, width: int, height: int, trace: Trace | None = None) -> Reading:
        """Read ink that was found already.

        Args:
            page: the ink.
            width: of the picture it was found in, in pixels.
            height: of the picture it was found in, in pixels.
            trace: told of every step.
        """
        trace = trace or Trace()
        with self._reading:
            reader = self._reader
            inks = _joined(page.parts)
            if not inks:
                return Reading((), page, width, height)
            with trace.step("classify"):
                samples = np.stack([canonical_sample(ink.mask) for ink in inks])
                probabilities = reader.read(samples)
            line = _one_row(page, inks, samples, probabilities, labels=reader.manifest.labels, fixed={})
            return Reading((line,), page, width, height)

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
            samples = np.stack([canonical_sample(ink.mask) for ink in inks])
            probabilities = reader.read(samples)
            lines[line] = _one_row(
                reading.page, inks, samples, probabilities, labels=reader.manifest.labels, fixed=fixed or {}
            )
        return Reading(tuple(lines), reading.page, reading.width, reading.height)


def _joined(parts: Sequence[InkPart]) -> list[InkPart]:
    """Join flat parts that lie above each other: the strokes of = and of ÷."""
    rest = sorted(parts, key=lambda part: part.x)
    joined: list[InkPart] = []
    while rest:
        first = rest.pop(0)
        if first.width > 2 * first.height:
            for other in rest:
                overlap = min(first.right, other.right) - max(first.x, other.x)
                close = max(first.y, other.y) - min(first.bottom, other.bottom) < first.width
                if other.width > 2 * other.height and overlap > 0.6 * max(first.width, other.width) and close:
                    rest.remove(other)
                    first = united([first, other])
                    break
        joined.append(first)
    return joined


def _one_row(
    page: InkPage,
    inks: Sequence[InkPart],
    samples: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    *,
    labels: Sequence[str],
    fixed: Mapping[int, str],
) -> Line:
    order = sorted(range(len(inks)), key=lambda i: inks[i].x)
    symbols: list[Symbol] = []
    for i in order:
        ranked = [(labels[k], float(probabilities[i, k])) for k in np.argsort(-probabilities[i])[:6]]
        label, confidence = (fixed[i], 1.0) if i in fixed else ranked[0]
        alternatives = tuple((name, p) for name, p in ranked if name != label)[:5]
        symbols.append(Symbol(label, page.box_in_picture(inks[i]), confidence, alternatives, inks[i], samples[i]))
    left, top = min(symbol.box[0] for symbol in symbols), min(symbol.box[1] for symbol in symbols)
    right = max(symbol.box[0] + symbol.box[2] for symbol in symbols)
    bottom = max(symbol.box[1] + symbol.box[3] for symbol in symbols)
    row = tuple(Sign(symbol.label, k) for k, symbol in enumerate(symbols))
    confidence = float(np.prod([symbol.confidence for symbol in symbols]))
    return Line(row, tuple(symbols), (left, top, right - left, bottom - top), confidence)
