"""What is too large to be computed, and what is said instead of a value."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

MAX_BITS = 40_000
"""Bits of a number's numerator or denominator; about 12,000 digits."""

MAX_DEGREE = 60
"""The highest power of a polynomial that is multiplied out."""

MAX_EXPONENT = 1_000
"""The highest power of something unknown."""

MAX_TERMS = 400
"""Terms of a polynomial that is multiplied out."""

MAX_WORK = 5_000_000
"""Products of coefficients in one multiplication of polynomials, times the bits of the largest two."""

_MAX_ROOT_BITS = 4_000

MAX_FACTORIAL = 1_000

TOO_LARGE = "the number is too large"


class NoValueError(ArithmeticError):
    """There is no value.

    Attributes:
        reason: why, in words for the person who wrote it, such as ``division by zero``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def bits(value: Fraction) -> int:
    """Return the bits of the larger of numerator and denominator."""
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def checked(value: Fraction) -> Fraction:
    """Return a number unless it is larger than `MAX_BITS`.

    Raises:
        NoValueError: it is.
    """
    if bits(value) > MAX_BITS:
        raise NoValueError(TOO_LARGE)
    return value


def power(base: Fraction, exponent: int) -> Fraction:
    """Return a whole power, its size known before it is computed.

    Raises:
        NoValueError: it is zero to the power of zero, a division by zero, or too large.
    """
    if base == 0:
        if exponent <= 0:
            raise NoValueError("division by zero" if exponent else "0^0 is not defined")
        return base
    if abs(base) == 1:
        return base if exponent % 2 else Fraction(1)
    # A number of b bits is at least 2^(b-1).
    if max(bits(base) - 1, 1) * abs(exponent) > MAX_BITS:
        raise NoValueError(TOO_LARGE)
    return checked(base**exponent)


def factorial(value: Fraction) -> Fraction:
    """Return the factorial of a whole number.

    Raises:
        NoValueError: the number is not whole, negative, or too large.
    """
    if value.denominator != 1 or value < 0:
        raise NoValueError("! needs a whole number from 0")
    if value > MAX_FACTORIAL:
        raise NoValueError(TOO_LARGE)
    product = 1
    for factor in range(2, int(value) + 1):
        product *= factor
    return Fraction(product)


def root(value: Fraction, degree: int) -> Fraction | None:
    """Return the exact root of a number that is not negative; nothing where it is irrational."""
    above, below = (_whole_root(part, degree) for part in (value.numerator, value.denominator))
    return None if above is None or below is None else Fraction(above, below)


def _whole_root(value: int, degree: int) -> int | None:
    """Bisect; an even root by way of the square root."""
    if value in (0, 1) or degree == 1:
        return value
    if degree >= value.bit_length() or value.bit_length() > _MAX_ROOT_BITS:
        return None
    if degree % 2 == 0:
        half = isqrt(value)
        return _whole_root(half, degree // 2) if half * half == value else None
    low, high = 1, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**degree < value else (low, middle)
    return low if low**degree == value else None
