"""A writer's own forms of one symbol: which allographs, and how this writer shapes each of them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.errors import DataError
from shared.handwriting.allograph import WAVES, Allograph, Matrix
from shared.handwriting.allographs import ALLOGRAPHS, ANGLO, CONTINENTAL
from shared.handwriting.writer import Writer

_STREAM_REPERTOIRE = 2
_STREAM_FORM = 4

_SCHOOL_PULL = 1.2  # at the ends of a school its forms are e^1.2 = 3.3 times likelier than they are between
_STROKE_REFERENCE = 60.0  # units: strokes shorter than this stray less, in proportion
_IMBALANCE = 0.17  # the deviation of the logarithm of the power that shifts weight from one half to the other
_WIDTH = 0.2  # the deviation of the logarithm of a form's width
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
        room: ``(2,) float64``, how far strokes may be misplaced to the right and downwards: less in a flat symbol.
    """

    allograph: Allograph
    points: NDArray[np.float64]
    basis: Matrix
    looseness: NDArray[np.float64]
    room: NDArray[np.float64]


def form_of(writer: Writer, label: str, draw: float) -> Form:
    """Return the form of this label that this writer uses for a uniform draw from [0, 1).

    The same writer shapes a form always the same way, and uses the preferred one for most draws.

    Raises:
        DataError: the generator has no form of this label.
    """
    models, shares = _repertoire(writer, label)
    chosen = min(int(np.searchsorted(shares, draw, side="right")), len(models) - 1)
    return _shaped(writer, label, models[chosen])


@lru_cache(maxsize=8192)
def _repertoire(writer: Writer, label: str) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """The numbers of the forms that a writer uses, most used first, and the running sum of their shares."""
    models = ALLOGRAPHS.get(label)
    if models is None:
        raise DataError(f"no handwriting is known for the label {label!r}; choose from {', '.join(ALLOGRAPHS)}")
    rng = np.random.default_rng([writer.seed, writer.index, _STREAM_REPERTOIRE, zlib.crc32(label.encode())])
    pull = {CONTINENTAL: writer.school, ANGLO: -writer.school}
    # where writers stand close together, they use the common forms more and the rare ones less
    power = 1.0 / max(writer.spread, 0.1)
    weights = np.array([m.share**power * np.exp(_SCHOOL_PULL * pull.get(m.school, 0.0)) for m in models])

    # a person learns one or two forms and keeps to the first of them
    order = rng.choice(len(models), size=min(3, len(models)), replace=False, p=weights / weights.sum())
    shares = np.array([writer.constancy, 0.8 * (1 - writer.constancy), 0.2 * (1 - writer.constancy)])[: len(order)]
    return tuple(order.tolist()), np.cumsum(shares / shares.sum())


@lru_cache(maxsize=8192)
def _shaped(writer: Writer, label: str, model_number: int) -> Form:
    """One allograph as one writer shapes it: between its variants, and astray from them in the writer's own way."""
    model = ALLOGRAPHS[label][model_number]
    place = [zlib.crc32(label.encode()), model_number]
    rng = np.random.default_rng([writer.seed, writer.index, _STREAM_FORM, *place])
    shares = rng.dirichlet(np.full(len(model.shapes), 0.7))
    between = np.tensordot(shares, model.shapes, axes=1)
    plain = model.shapes[0]
    points = _proportioned(plain + min(writer.spread, 1.0) * (between - plain), writer, rng)
    strokes = len(model.plans)
    stroke = model.stroke_of_point
    looseness = _looseness(points, stroke, strokes)[:, None]

    points = points + writer.form_spread * looseness * rng.standard_normal(points.shape)
    room = np.clip(np.ptp(points, axis=0) / _STROKE_REFERENCE, 0.25, 1.0)
    placed = writer.spread * writer.misplacement * room * rng.standard_normal((strokes, 2))
    stretch = np.exp(writer.spread * 0.13 * rng.standard_normal((strokes, 2)))
    middle = np.stack([points[stroke == i].mean(axis=0) for i in range(strokes)])[stroke]
    points = middle + (points - middle) * stretch[stroke] + placed[stroke]
    reach = writer.spread * 4.0 * rng.standard_normal((2 * strokes, 1)) * looseness[model.tails[0]]
    extend(points, model, reach=reach)

    angular, soft = min(max(0.0, -writer.roundness), 1.0), min(max(0.0, writer.roundness), 1.0)
    curve = angular * model.angular + soft * model.soft + (1.0 - angular - soft) * model.smooth
    firmness = np.repeat([np.min(looseness[stroke == i]) for i in range(strokes)], WAVES)
    return Form(
        allograph=model,
        points=points,
        basis=np.hstack([curve, model.wobble * firmness]),
        looseness=looseness,
        room=room,
    )


def extend(points: NDArray[np.float64], model: Allograph, *, reach: NDArray[np.float64]) -> None:
    """Move the ends of strokes, in place, so that each runs on by ``reach`` or falls short by at most a half.

    Args:
        points: ``(points, 2) float64``.
        model: the form that the points are of.
        reach: ``(2 × strokes, 1) float64``: for every stroke's beginning, then for every stroke's end.
    """
    end, neighbour = model.tails
    away = points[end] - points[neighbour]
    length = np.hypot(away[:, :1], away[:, 1:]) + 1e-6
    points[end] += away / length * np.maximum(reach, -0.5 * length)


def _proportioned(points: NDArray[np.float64], writer: Writer, rng: np.random.Generator) -> NDArray[np.float64]:
    """Give a form the writer's proportions: wide or narrow, and which half of it is the larger."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-6)
    draw = writer.spread * rng.standard_normal(3)
    power = np.exp(_IMBALANCE * draw[:2])
    # a sum of two draws of different widths: most people write usual widths, and a few very wide ones
    wide = _WIDTH * (draw[2] + 0.6 * abs(writer.spread * rng.standard_normal()))
    balanced: NDArray[np.float64] = low + extent * ((points - low) / extent) ** power
    balanced[:, 0] *= np.exp(wide)
    return balanced


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
