"""People who strike their zeros through, as nobody does in generated handwriting, and the page they write on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from edge_client.page.drawing import drawing_from
from edge_client.vision import find_ink
from edge_client.vision.ink import united
from shared.handwriting import draw_sample, draw_writer
from shared.sample import Sample, canonical_sample
from tflite_models.runtime.reader import FrozenReader

SEED = 21

Drawing = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """Somebody who writes on the page, and strikes the zero through.

    Attributes:
        index: of the writer, under `SEED`.
    """

    index: int

    def zeros(self, count: int, *, seed: int) -> list[Drawing]:
        """Write zeros: drawings as a browser sends them. Another seed gives other ones."""
        rng = np.random.default_rng([SEED, self.index, seed])
        writer = draw_writer(SEED, self.index)
        return [_on_the_page(_struck_through(draw_sample(writer, "0", rng), rng)) for _ in range(count)]


def share_read(people: Sequence[Person], reader: FrozenReader, *, count: int, seed: int) -> list[float]:
    """Return the share of each person's zeros that is read as a zero, symbol by symbol, without any context."""
    zero = reader.manifest.labels.index("0")
    samples = [sample_of(drawing) for person in people for drawing in person.zeros(count, seed=seed)]
    right = reader.read(np.stack(samples)).argmax(axis=1) == zero
    return [float(share) for share in right.reshape(len(people), count).mean(axis=1)]


def sample_of(drawing: Drawing) -> Sample:
    """Return the sample that the page makes of a drawing with one symbol."""
    return canonical_sample(united(find_ink(drawing_from(drawing).picture()).parts).mask)


def _struck_through(zero: list[NDArray[np.float64]], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    points = np.concatenate(zero)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    out = 0.1 * (right - left)
    begin = np.array([left - out, bottom]) + rng.normal(0, 2, 2)
    end = np.array([right + out, top]) + rng.normal(0, 2, 2)
    return [*zero, np.linspace(begin, end, 20)]


def _on_the_page(strokes: Sequence[NDArray[np.float64]]) -> Drawing:
    corner = np.concatenate(strokes).min(axis=0)
    moved = [(stroke - corner) * 0.9 + (120.0, 80.0) for stroke in strokes]
    return {"width": 400, "height": 300, "strokes": [np.round(stroke, 1).ravel().tolist() for stroke in moved]}


class Page:
    """A device's page, as a browser speaks to it.

    Args:
        client: with the page's address.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def reads(self, drawings: Sequence[Drawing]) -> list[str]:
        """Write on the paper, once for each drawing, and return what is read."""
        return ["".join(line["text"] for line in self._draw(drawing)["lines"]) for drawing in drawings]

    def correct(self, drawing: Drawing, label: str) -> int:
        """Write a symbol and say what it is; return how many samples the device has learnt from that."""
        reading = self._draw(drawing)
        assert reading["lines"], "what is drawn on the page is read as something, however doubtful"
        told = {"revision": reading["revision"], "line": 0, "symbol": 0, "label": label}
        answer = self._client.post(f"/api/readings/{reading['id']}/confirm", json=told)
        assert answer.status_code == 200, answer.text
        added: int = answer.json()["added"]["added"]
        return added

    def _draw(self, drawing: Drawing) -> dict[str, Any]:
        answer = self._client.post("/api/drawings", json=drawing)
        assert answer.status_code == 200, answer.text
        reading: dict[str, Any] = answer.json()["reading"]
        return reading
