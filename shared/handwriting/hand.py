"""A writer's own forms of one symbol: which allographs, and how this writer shapes each of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from shared.handwriting.allograph import Allograph, Matrix
from shared.handwriting.allographs import ALLOGRAPHS, ANGLO, CONTINENTAL
from shared.handwriting.writer import Writer

_STREAM_HAND = 2

_SCHOOL_PULL = 1.2  # at the ends of a school its forms are e^1.2 = 3.3 times likelier than they are between
_STROKE_REFERENCE = 60.0  # units: strokes shorter than this stray less, in proportion
_STRAIGHT = 0.97  # the cosine of the turn below which a control point lies in a straight run
_STRAIGHT_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Form:
    """One allograph as one writer writes it.

    Attributes:
        allograph: the model.
        points: ``(points, 2) float64``, the control points in this writer's hand, before the pen wanders.
        basis: ``(path, points + wobble) float64``, from control points and wobbles to the path.
        looseness: ``(points, 1) float64``, how far each point may stray, 1 on a long stroke and less on a dot.
    """

    allograph: Allograph
    points: NDArray[np.float64]
    basis: Matrix
    looseness: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Hand:
    """A writer's forms of one label, and how often each is used.

    Attributes:
        forms: the forms, most used first.
        cumulative: the running sum of their shares, ending at 1.
    """

    forms: tuple[Form, ...]
    cumulative: NDArray[np.float64]

    def choose(self, draw: float) -> Form:
        """Return the form that a uniform draw from [0, 1) falls on."""
        return self.forms[min(int(np.searchsorted(self.cumulative, draw, side="right")), len(self.forms) - 1)]


@lru_cache(maxsize=8192)
def hand_of(writer: Writer, label: str) -> Hand:
    """Return how this writer writes this label; always the same for the same writer.

    Raises:
        DataError: the generator has no form of this label.
    """
    models = ALLOGRAPHS.get(label)
    if models is None:
        raise DataError(f"no handwriting is known for the label {label!r}; choose from {', '.join(ALLOGRAPHS)}")
    rng = np.random.default_rng([writer.seed, writer.index, _STREAM_HAND, zlib.crc32(label.encode())])
    pull = {CONTINENTAL: writer.school, ANGLO: -writer.school}
    weights = np.array([m.share * np.exp(_SCHOOL_PULL * pull.get(m.school, 0.0)) for m in models])
    weights /= weights.sum()

    # a person learns one or two forms and keeps to the first of them
    order = rng.choice(len(models), size=min(3, len(models)), replace=False, p=weights)
    shares = np.array([writer.constancy, 0.8 * (1 - writer.constancy), 0.2 * (1 - writer.constancy)])[: len(order)]
    forms = tuple(_shape(writer, models[int(i)], rng) for i in order)
    return Hand(forms=forms, cumulative=np.cumsum(shares / shares.sum()))


def _shape(writer: Writer, model: Allograph, rng: np.random.Generator) -> Form:
    shares = rng.dirichlet(np.full(len(model.shapes), 0.7))
    points = np.tensordot(shares, model.shapes, axes=1)
    strokes = len(model.plans)
    stroke = model.stroke_of_point
    looseness = _looseness(points, stroke, strokes)[:, None]

    own = rng.standard_normal(points.shape)
    points = points + writer.form_spread * looseness * own
    placed = 0.8 * writer.spread * writer.misplacement * rng.standard_normal((strokes, 2))
    stretch = np.exp(writer.spread * 0.1 * rng.standard_normal((strokes, 2)))
    middle = np.stack([points[stroke == i].mean(axis=0) for i in range(strokes)])[stroke]
    points = middle + (points - middle) * stretch[stroke] + placed[stroke]
    points[:, 0] *= np.exp(writer.spread * 0.13 * rng.standard_normal())

    angular, soft = max(0.0, -writer.roundness), max(0.0, writer.roundness)
    curve = (
        min(angular, 1.0) * model.angular
        + min(soft, 1.0) * model.soft
        + (1.0 - min(angular + soft, 1.0)) * model.smooth
    )
    reach = np.repeat([np.min(looseness[stroke == i]) for i in range(strokes)], model.wobble.shape[1] // strokes)
    return Form(
        allograph=model,
        points=points,
        basis=np.hstack([curve, model.wobble * reach]),
        looseness=looseness,
    )


def _looseness(points: NDArray[np.float64], stroke: NDArray[np.intp], strokes: int) -> NDArray[np.float64]:
    sizes = np.array([np.ptp(points[stroke == i], axis=0).max() for i in range(strokes)])
    share: NDArray[np.float64] = np.clip(sizes / _STROKE_REFERENCE, 0.1, 1.0)[stroke]
    # in the middle of a straight run the hand has no turn to misjudge
    before, after = points[1:-1] - points[:-2], points[2:] - points[1:-1]
    lengths = np.hypot(*before.T) * np.hypot(*after.T) + 1e-9
    inner = (stroke[:-2] == stroke[1:-1]) & (stroke[2:] == stroke[1:-1])
    straight = inner & ((before * after).sum(axis=1) > _STRAIGHT * lengths)
    share[1:-1][straight] *= _STRAIGHT_SHARE
    return share
