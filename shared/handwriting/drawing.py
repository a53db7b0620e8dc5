"""The movement of the hand: one sample of a symbol, written by one writer."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from shared.handwriting.allograph import WAVES
from shared.handwriting.hand import Form, extend, form_of
from shared.handwriting.pen import Stroke, render_strokes
from shared.handwriting.writer import Writer
from shared.sample import INK_THRESHOLD, spans

_CENTRE = np.array([28.0, 50.0])  # units: where slant, rotation and stretch leave a symbol in place
_LEAST_INK_PX, _MOST_INK_PX = 0.75, 11.0


def draw_sample(writer: Writer, label: str, rng: np.random.Generator) -> list[Stroke]:
    """Write a symbol once.

    Args:
        writer: whose hand it is.
        label: the symbol.
        rng: what this sample's own variation is drawn from.

    Returns:
        The strokes in the order in which they are written, each ``(n, 2) float64``, x to the right and y downwards,
        in units of which a digit is about 100 high.

    Raises:
        DataError: the generator has no form of this label.
    """
    form = form_of(writer, label, rng.random())
    points = _wander(writer, form, rng)
    points = _distort(writer, points, rng)
    waves = writer.wobble * rng.standard_normal((len(form.allograph.plans) * WAVES, 2))
    path = form.basis @ np.concatenate([points, waves])
    if writer.tremor:
        path += writer.tremor * rng.standard_normal(path.shape)
    if writer.grid:
        path = np.round(path / writer.grid) * writer.grid
    return _lift(writer, form, path, rng)


def draw_image(writer: Writer, label: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Write a symbol once and draw it as a canonical sample with this writer's ink, ``(45, 45) uint8``.

    Raises:
        DataError: the generator has no form of this label.
    """
    strokes = draw_sample(writer, label, rng)
    points = np.concatenate(strokes)
    extent = float(np.ptp(points, axis=0).max())
    noise = rng.standard_normal(2)
    width = writer.ink_width_px * (100.0 / max(extent, 10.0)) ** writer.ink_scaling * np.exp(0.1 * noise[0])
    width = float(np.clip(width, _LEAST_INK_PX, _MOST_INK_PX))
    pressure = None
    if writer.pressure * width > 0.25:
        pressure = [_pressure(writer, len(stroke), noise[1]) for stroke in strokes]
    image = render_strokes(strokes, ink_width_px=width, pressure=pressure, gain=writer.gain)
    if writer.blur_px:
        image = _soften(image, blur_px=writer.blur_px)
    return image


def _wander(writer: Writer, form: Form, rng: np.random.Generator) -> NDArray[np.float64]:
    """Move control points, strokes and their ends as they move from one sample to the next."""
    points = form.points + writer.carelessness * form.looseness * rng.standard_normal(form.points.shape)
    allograph = form.allograph
    strokes = len(allograph.plans)
    if strokes > 1:
        moved = 0.7 * writer.misplacement * form.room * rng.standard_normal((strokes, 2))
        points = points + moved[allograph.stroke_of_point]
    reach = writer.overshoot + 2.0 * rng.standard_normal((2 * strokes, 1))
    extend(points, allograph, reach=reach * form.looseness[allograph.tails[0]])
    return points


def _distort(writer: Writer, points: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Slant, stretch, turn and bend the plane that the symbol is written on."""
    draw = writer.sway * rng.standard_normal(8)
    lean, widen, twist = draw[:3].tolist()
    slant = writer.slant + 0.06 * lean
    stretch = math.exp(writer.aspect + 0.09 * widen)
    turn = writer.rotation + 0.04 * twist
    cos, sin = math.cos(turn), math.sin(turn)
    # slant and stretch first, then the turn of the baseline
    affine = np.array([[stretch * cos, stretch * sin], [-slant * cos - sin, cos - slant * sin]])
    plane: NDArray[np.float64] = (points - _CENTRE) @ affine
    frequency, phase, shift = _field(writer)
    bent: NDArray[np.float64] = plane + np.sin(plane @ frequency + phase) @ shift
    bent += np.sin(plane[:, ::-1] * (0.03 + 0.01 * draw[3]) + 3.0 * draw[4:6]) * (1.5 * draw[6:8])
    return bent


@lru_cache(maxsize=1024)
def _field(writer: Writer) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    waves = np.array(writer.field)
    return waves[:, :2].T, waves[:, 2], waves[:, 3:]


def _lift(writer: Writer, form: Form, path: NDArray[np.float64], rng: np.random.Generator) -> list[Stroke]:
    """Cut the path into strokes: loops that stay open or run on, and ticks where the pen lands and lifts."""
    allograph = form.allograph
    draws = rng.random((len(allograph.plans), 5))
    strokes = []
    for plan, piece, draw in zip(allograph.plans, allograph.path_slices, draws, strict=True):
        stroke = path[piece]
        if plan.loop:
            # a loop's notation runs on past its beginning by about an eighth: closed is a little before its end
            keep = 0.93 + writer.closure + 0.1 * (draw[4] - 0.5)
            stroke = stroke[: max(4, round(len(stroke) * min(keep, 1.0)))]
        if len(stroke) > 6:
            if draw[0] < writer.hook_start:
                stroke = np.concatenate([_tick(stroke[0], stroke[2], writer.hook, draw[2]), stroke])
            if draw[1] < writer.hook_end:
                stroke = np.concatenate([stroke, _tick(stroke[-1], stroke[-3], writer.hook, draw[3])[::-1]])
        strokes.append(stroke)
    return strokes


def _tick(end: NDArray[np.float64], inner: NDArray[np.float64], length: float, draw: float) -> NDArray[np.float64]:
    """A short line towards the end of a stroke, at 70 to 150 degrees from the stroke's own direction."""
    along = inner - end
    along = along / (np.hypot(along[0], along[1]) + 1e-6)
    angle = (1 if draw < 0.5 else -1) * (0.5 + 1.4 * (2 * draw % 1.0))
    cos, sin = np.cos(angle), np.sin(angle)
    side = np.array([cos * along[0] - sin * along[1], sin * along[0] + cos * along[1]])
    tip: NDArray[np.float64] = end + length * (0.5 + draw) * side
    return tip[None, :]


def _pressure(writer: Writer, count: int, noise: float) -> NDArray[np.float64]:
    s = np.linspace(0.0, 1.0, count)
    swell = 1.0 + writer.pressure * np.sin(2 * np.pi * (s + noise)) - writer.taper * (2 * s - 1) ** 4
    return np.clip(swell, 0.4, 1.6)


def _soften(image: NDArray[np.uint8], *, blur_px: float) -> NDArray[np.uint8]:
    """Blur as a lens does, and keep the edge of the ink, so that the symbol still fills the sample."""
    import cv2

    soft: NDArray[np.uint8] = cv2.GaussianBlur(image, (0, 0), blur_px)
    kept = np.maximum(soft, np.minimum(image, INK_THRESHOLD))
    # a blur can widen one side of a narrow symbol by a pixel more than the other: such a one stays sharp
    return kept if spans(kept) else image
