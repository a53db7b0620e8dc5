"""A writer: the habits that make one person's handwriting look like one person's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.errors import SettingsError

_STREAM_HABITS = 1  # every purpose draws from a stream of its own, so that none disturbs another


@dataclass(frozen=True)
class Writer:
    """One person's habits. Lengths are in units of which a digit is 100 high; angles are in radians.

    Attributes:
        seed: what the writer was drawn from; with ``index`` it fixes the writer, and the form of every symbol.
        index: the writer's number, from 0.
        spread: how far writers stand apart (see `draw_writer`).
        school: from −1 (bare ones, plain sevens) to 1 (flagged ones, barred sevens and z).
        constancy: how often the writer keeps to the preferred form of a label, from 0 to 1.
        slant: how far the top leans to the right, as a share of the height.
        aspect: the natural logarithm of the width by which every symbol is stretched.
        rotation: the turn of the baseline.
        form_spread: how far the writer's forms stray from the models that they were taught, at every control point.
        roundness: from −1 (straight lines between the turns) over 0 to 1 (corners worn round).
        field: a slow distortion of the plane, as ``(frequency x, frequency y, phase, shift x, shift y)`` per wave.
        carelessness: how far control points stray from sample to sample.
        sway: how far slant, aspect, rotation and the distortion stray from sample to sample, 1 being usual.
        misplacement: how far strokes stray from where they belong relative to the first one.
        wobble: the amplitude of the slow wobble along a stroke.
        tremor: the standard deviation of the fast tremor of the hand.
        closure: how far loops run past their beginning, as a share of the stroke: below 0 they stay open.
        overshoot: how far strokes run on beyond their ends, below 0 how much they fall short.
        hook: how long the ticks are where the pen lands and leaves.
        hook_start: how often the pen leaves a tick where it lands, from 0 to 1.
        hook_end: how often it leaves one where it lifts.
        grid: the distance between the points that a coarse tablet knows; 0 for a fine one.
        ink_width_px: the width of the line in pixels of the sample, for a symbol that is 100 units long.
        ink_scaling: 1 where one pen writes large and small symbols, so that small ones look bolder once they are
            scaled to fit; 0 where every sample has the same line, as drawing programs have.
        pressure: how much the width varies along a stroke.
        taper: how much thinner strokes are at their ends.
        gain: the hardness of the line's edges (see `shared.handwriting.pen.render_strokes`).
        blur_px: the standard deviation of the softness of a picture, in pixels of the sample.
    """

    seed: int
    index: int
    spread: float
    school: float
    constancy: float
    slant: float
    aspect: float
    rotation: float
    form_spread: float
    roundness: float
    field: tuple[tuple[float, float, float, float, float], ...]
    carelessness: float
    sway: float
    misplacement: float
    wobble: float
    tremor: float
    closure: float
    overshoot: float
    hook: float
    hook_start: float
    hook_end: float
    grid: float
    ink_width_px: float
    ink_scaling: float
    pressure: float
    taper: float
    gain: float
    blur_px: float

    def __hash__(self) -> int:
        """Hash what the writer was drawn from: forms are looked up once a sample, and there are thirty fields."""
        return hash((self.seed, self.index, self.spread))

    @property
    def name(self) -> str:
        """What datasets call the writer: ``writer-0001`` is the first."""
        return f"writer-{self.index + 1:04d}"


def draw_writer(seed: int, index: int, *, spread: float = 1.0) -> Writer:
    """Draw the writer of this number; it is the same whatever the number of writers that are drawn.

    Args:
        seed: the seed of the whole population, at least 0.
        index: the number of the writer, from 0.
        spread: how far writers stand apart: 1 is meant for training readers that meet anyone, about 0.5 is as far as
            the people of one dataset, 0 gives everyone the same habits of movement (preferred forms, ink and
            carelessness still differ).

    Raises:
        SettingsError: a number is negative, or the spread is above 3.
    """
    if seed < 0 or index < 0:
        raise SettingsError(f"expected a seed and a writer number of at least 0, got {seed} and {index}")
    if not 0.0 <= spread <= 3.0:
        raise SettingsError(f"expected a spread of writers from 0 to 3, got {spread:g}")
    rng = np.random.default_rng([seed, index, _STREAM_HABITS])

    def normal(mean: float, deviation: float) -> float:
        return mean + spread * deviation * float(np.clip(rng.standard_normal(), -2.5, 2.5))

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def log_normal(median: float, deviation: float) -> float:
        return median * float(np.exp(deviation * np.clip(rng.standard_normal(), -2.2, 2.2)))

    thin = rng.random() < 0.5
    ink_width_px = log_normal(1.15, 0.25) if thin else log_normal(2.6, 0.45)
    return Writer(
        seed=seed,
        index=index,
        spread=spread,
        school=between(-1.0, 1.0),
        constancy=between(0.7, 0.97),
        slant=normal(0.09, 0.17),
        aspect=normal(0.03, 0.22),
        rotation=normal(-0.01, 0.05),
        form_spread=spread * log_normal(2.6, 0.3),
        roundness=normal(0.12, 0.5),
        field=tuple(
            (
                normal(0.0, 0.035),
                normal(0.0, 0.035),
                between(0.0, 2 * np.pi),
                normal(0.0, 2.2),
                normal(0.0, 2.2),
            )
            for _ in range(3)
        ),
        carelessness=log_normal(1.7, 0.35),
        sway=log_normal(1.0, 0.25),
        misplacement=log_normal(2.6, 0.45),
        wobble=log_normal(0.8, 0.6),
        tremor=0.0 if rng.random() < 0.5 else log_normal(0.5, 0.5),
        closure=normal(0.0, 0.08),
        overshoot=normal(0.0, 2.5),
        hook=log_normal(4.0, 0.5),
        hook_start=between(0.0, 1.0) ** 3,
        hook_end=between(0.0, 1.0) ** 3,
        grid=0.0 if rng.random() < 0.94 else between(2.5, 5.0),
        ink_width_px=ink_width_px,
        ink_scaling=0.0 if rng.random() < 0.5 else between(0.3, 1.0),
        pressure=between(0.0, 0.25),
        taper=between(0.0, 0.5) ** 2,
        gain=between(1.0, 1.3) if rng.random() < 0.6 else between(1.3, 3.0),
        blur_px=0.0 if thin or rng.random() < 0.6 else between(0.2, 0.9),
    )
