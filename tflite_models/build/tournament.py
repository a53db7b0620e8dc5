"""The largest of four arrays, and the way of its gradient back to them.

Two first-round matches and a final, each decided by the sign of a difference. Comparisons and selections do not run
in XNNPACK; a difference clipped to ±1 is one op that does, if the arrays are so large that the clip saturates. So
the callers scale what they compare by ``SATURATE``, a power of two, which rounds nothing. Equals share the gradient
in halves: a valid subgradient, and on blank paper, where all four are equal, the mean of the four.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from tflite_models.build.block import Tensor

SATURATE = 2.0**64
"""Differences above ``2⁻⁶⁴`` decide a match; float32 leaves room for values up to ``2⁶³``."""


@dataclass(frozen=True)
class Tournament:
    """The outcome of one tournament between ``a``, ``b``, ``c`` and ``d``.

    Attributes:
        largest: the final's winner, elementwise.
        final: +1 where the winner of ``a`` and ``b`` beat that of ``c`` and ``d``, −1 where it lost, 0 where equal.
        first: likewise for ``a`` against ``b``.
        second: likewise for ``c`` against ``d``.
    """

    largest: Tensor
    final: Tensor
    first: Tensor
    second: Tensor


@dataclass(frozen=True)
class Shares:
    """A gradient on its way back, as sums and differences: ``a`` takes ``upper + tilt_upper``, ``b`` takes ``upper −
    tilt_upper``, ``c`` takes ``lower + tilt_lower``, ``d`` takes ``lower − tilt_lower``; and ``upper`` is ``whole +
    tilt``, ``lower`` is ``whole − tilt``.
    """

    whole: Tensor
    tilt: Tensor
    upper: Tensor
    lower: Tensor
    tilt_upper: Tensor
    tilt_lower: Tensor


def play(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tournament:
    """Find the largest of four arrays that were scaled by ``SATURATE``."""
    upper, lower = tf.maximum(a, b), tf.maximum(c, d)
    return Tournament(tf.maximum(upper, lower), _sign(upper, lower), _sign(a, b), _sign(c, d))


def share(quarter: Tensor, tournament: Tournament) -> Shares:
    """Split a gradient between the four, given a quarter of it."""
    tilt = quarter * tournament.final
    upper, lower = quarter + tilt, quarter - tilt
    return Shares(quarter, tilt, upper, lower, upper * tournament.first, lower * tournament.second)


def quarter_where_positive(gradient: Tensor, output: Tensor) -> Tensor:
    """Return a quarter of the gradient where a ReLU's output is positive, 0 elsewhere."""
    return gradient * tf.minimum(output * SATURATE, 0.25)


def _sign(one: Tensor, other: Tensor) -> Tensor:
    return tf.clip_by_value(one - other, -1.0, 1.0)
