"""An allograph: one of the forms people give a symbol, as the skeleton that the pen's tip follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

WAVES = 5
"""Half waves along a stroke that its wobble is made of."""

_POINT_SPACING = 5.0  # units of the skeleton between two points of the drawn path
_LEAST_POINTS = 8
_SOFT_SPAN = 7.0  # units along the path over which the softened curve is averaged


@dataclass(frozen=True)
class StrokePlan:
    """The shape of one stroke: how many control points it has, and which of them are corners.

    Attributes:
        count: control points.
        corners: the indices of the points where the pen turns sharply.
        loop: whether the stroke comes back to where it began, and runs on past it; a writer stops early or late.
    """

    count: int
    corners: tuple[int, ...]
    loop: bool


@dataclass(frozen=True, eq=False)
class Allograph:
    """One form of a symbol, made by `allograph` from its notation.

    Attributes:
        name: what the form is called, such as ``barred``.
        share: how common it is among the forms of its label, relative to theirs.
        plans: one per stroke, in the order in which they are written.
        shapes: ``(1 + variants, points, 2) float64``: the control points of the plain form and of its variants, in
            units of which a digit is 100 high; y grows downwards.
        school: the habits of writing that make this form likelier, such as ``continental``.
    """

    name: str
    share: float
    plans: tuple[StrokePlan, ...]
    shapes: NDArray[np.float64]
    school: str = ""

    @cached_property
    def stroke_of_point(self) -> NDArray[np.intp]:
        """The stroke each control point belongs to, ``(points,)``."""
        return np.repeat(np.arange(len(self.plans)), [plan.count for plan in self.plans])

    @cached_property
    def tails(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The control points where strokes begin, then those where they end, and the neighbour of each."""
        counts = np.array([plan.count for plan in self.plans])
        last = np.cumsum(counts) - 1
        first = last - counts + 1
        inner = np.minimum(first + 1, last), np.maximum(last - 1, first)
        return np.concatenate([first, last]), np.concatenate(inner)

    @cached_property
    def path_slices(self) -> tuple[slice, ...]:
        """Where each stroke's points stand in the drawn path."""
        stops = np.cumsum([len(basis) for basis in self._parameters]).tolist()
        return tuple(slice(start, stop) for start, stop in zip([0, *stops], stops, strict=False))

    @cached_property
    def smooth(self) -> Matrix:
        """The basis of a curve through the points with its corners kept, ``(path, points)``."""
        return self._stacked(corners=True)

    @cached_property
    def angular(self) -> Matrix:
        """The basis of straight lines between the points, ``(path, points)``."""
        blocks = []
        for knots, t in zip(self._knots, self._parameters, strict=True):
            eye = np.eye(len(knots))
            blocks.append(np.stack([np.interp(t, knots, column) for column in eye.T], axis=1))
        return _block_diagonal(blocks)

    @cached_property
    def soft(self) -> Matrix:
        """The basis of the curve with its corners worn round, ``(path, points)``."""
        stacked = self._stacked(corners=False)
        out = np.empty_like(stacked)
        for piece, t in zip(self.path_slices, self._parameters, strict=True):
            away = (t[:, None] - t[None, :]) / _SOFT_SPAN
            weight = np.exp(-0.5 * away**2)
            # the ends stay where they are: a window that shrinks towards them keeps the stroke's length
            reach = np.minimum(t - t[0], t[-1] - t)[:, None] + 1e-9
            weight = np.where(np.abs(t[:, None] - t[None, :]) <= reach, weight, 0.0)
            weight[np.arange(len(t)), np.arange(len(t))] += 1e-12
            out[piece] = weight / weight.sum(axis=1, keepdims=True) @ stacked[piece]
        return out

    @cached_property
    def wobble(self) -> Matrix:
        """The basis of a slow wobble along each stroke, ``(path, strokes × WAVES)``, weakest where fastest."""
        blocks = []
        for t in self._parameters:
            s = (t - t[0]) / (t[-1] - t[0])
            waves = np.arange(1, WAVES + 1)
            blocks.append(np.sin(np.pi * np.outer(s, waves) + 0.7 * waves) / waves)
        return _block_diagonal(blocks)

    @cached_property
    def progress(self) -> NDArray[np.float64]:
        """How far along its stroke each point of the path lies, from 0 to 1, ``(path,)``."""
        return np.concatenate([(t - t[0]) / (t[-1] - t[0]) for t in self._parameters])

    @cached_property
    def _knots(self) -> list[NDArray[np.float64]]:
        knots = []
        start = 0
        for plan in self.plans:
            points = self.shapes[0, start : start + plan.count]
            steps = np.maximum(np.hypot(*np.diff(points, axis=0).T), 1e-3)
            knots.append(np.concatenate([[0.0], np.cumsum(steps)]))
            start += plan.count
        return knots

    @cached_property
    def _parameters(self) -> list[NDArray[np.float64]]:
        """For each stroke the knot values of its path: evenly spaced, and at every corner."""
        parameters = []
        for plan, knots in zip(self.plans, self._knots, strict=True):
            count = max(_LEAST_POINTS, round(knots[-1] / _POINT_SPACING))
            even = np.linspace(0.0, knots[-1], count)
            for corner in plan.corners:
                even[1 + int(np.abs(even[1:-1] - knots[corner]).argmin())] = knots[corner]
            parameters.append(even)
        return parameters

    def _stacked(self, *, corners: bool) -> Matrix:
        blocks = []
        for plan, knots, t in zip(self.plans, self._knots, self._parameters, strict=True):
            blocks.append(_curve(knots, t, corners=plan.corners if corners else ()))
        return _block_diagonal(blocks)


def allograph(name: str, share: float, path: str, *variants: str, school: str = "") -> Allograph:
    """Read a form from its notation.

    A path is control points ``x,y`` in units of which a digit is 100 high, y downwards. ``!`` after a point makes it
    a corner, ``|`` lifts the pen, and ``@`` before a stroke's points says that it is a loop that runs on past its
    beginning. Variants have the same points elsewhere: a writer stands somewhere between the form and its variants.
    """
    plans, base = _read(path)
    shapes = [base]
    for variant in variants:
        others, points = _read(variant)
        if [plan.count for plan in others] != [plan.count for plan in plans]:
            raise ValueError(f"a variant of {name!r} has strokes of {[plan.count for plan in others]} points")
        shapes.append(points)
    return Allograph(name=name, share=share, plans=tuple(plans), shapes=np.stack(shapes), school=school)


def _read(path: str) -> tuple[list[StrokePlan], NDArray[np.float64]]:
    plans: list[StrokePlan] = []
    points: list[tuple[float, float]] = []
    for stroke in path.split("|"):
        words = stroke.split()
        loop = words[0] == "@"
        words = words[1:] if loop else words
        corners = tuple(i for i, word in enumerate(words) if word.endswith("!"))
        for word in words:
            x, y = word.rstrip("!").split(",")
            points.append((float(x), float(y)))
        plans.append(StrokePlan(count=len(words), corners=corners, loop=loop))
    return plans, np.array(points, np.float64)


def _curve(knots: NDArray[np.float64], t: NDArray[np.float64], *, corners: tuple[int, ...]) -> Matrix:
    """The basis of a cubic Hermite curve through the knots, ``(len(t), len(knots))``.

    Tangents are those of the parabola through each three neighbours (the non-uniform Catmull-Rom curve); at ends and
    corners they are one-sided.
    """
    n = len(knots)
    eye = np.eye(n)
    spans = np.diff(knots)
    slopes = np.diff(eye, axis=0) / spans[:, None]
    breaks = sorted({0, n - 1, *corners})
    into, out_of = np.zeros((n, n)), np.zeros((n, n))
    for i in range(1, n - 1):
        into[i] = out_of[i] = (spans[i] * slopes[i - 1] + spans[i - 1] * slopes[i]) / (spans[i - 1] + spans[i])
    for i in breaks:
        if i > 0:
            before = slopes[i - 1] if i - 1 in breaks else (3 * slopes[i - 1] - out_of[i - 1]) / 2
            into[i] = before
        if i < n - 1:
            after = slopes[i] if i + 1 in breaks else (3 * slopes[i] - into[i + 1]) / 2
            out_of[i] = after
    segment = np.clip(np.searchsorted(knots, t, side="right") - 1, 0, n - 2)
    h = spans[segment][:, None]
    u = ((t - knots[segment])[:, None]) / h
    basis: Matrix = (
        (2 * u**3 - 3 * u**2 + 1) * eye[segment]
        + (u**3 - 2 * u**2 + u) * h * out_of[segment]
        + (-2 * u**3 + 3 * u**2) * eye[segment + 1]
        + (u**3 - u**2) * h * into[segment + 1]
    )
    return basis


def _block_diagonal(blocks: Sequence[Matrix]) -> Matrix:
    rows = sum(len(block) for block in blocks)
    columns = sum(block.shape[1] for block in blocks)
    out = np.zeros((rows, columns))
    row = column = 0
    for block in blocks:
        out[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return out
