"""The solutions of polynomial equations in one unknown, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, isqrt, lcm

from edge_client.expression.tree import Letter, Negative, Node, Number, Power, Product, Quotient, Sum

_MAX_TRIED = 10**6
_MAX_DIVISOR = 1_000


@dataclass(frozen=True)
class Roots:
    """The roots of a polynomial, each once.

    Attributes:
        real: in ascending order.
        rational: those of the real ones that are.
        complex: of a quadratic without real ones.
        left: the coefficients, from the constant on, of the factor that no root was found of; its degree is 3 or more.
    """

    real: tuple[Node, ...]
    rational: tuple[Fraction, ...]
    complex: tuple[Node, ...]
    left: tuple[int, ...]


def roots_of(coefficients: Sequence[Fraction]) -> Roots:
    """Return the roots of a polynomial, its coefficients from the constant on; the last is not zero.

    Rational roots by the rational root theorem, then the quadratic formula for what is left.
    """
    scale = lcm(*(coefficient.denominator for coefficient in coefficients))
    left = [int(coefficient * scale) for coefficient in coefficients]
    rational: set[Fraction] = set()
    if left[0] == 0:
        rational.add(Fraction(0))
        while left[0] == 0:
            left = left[1:]
    left = _primitive(left)
    if len(left) > 3:
        for candidate in _candidates(left):
            while len(left) > 3 and value_at(left, candidate) == 0:
                rational.add(candidate)
                left = _primitive(_without(left, candidate))
    found: list[tuple[Fraction, Node]] = []
    complex_roots: tuple[Node, ...] = ()
    if len(left) == 2:
        rational.add(Fraction(-left[0], left[1]))
    elif len(left) == 3:
        c, b, a = left
        square = b * b - 4 * a * c
        if square >= 0 and isqrt(square) ** 2 == square:
            rational |= {Fraction(-b + sign * isqrt(square), 2 * a) for sign in (-1, 1)}
        else:
            pair = [_quadratic(a, b, square, sign) for sign in (-1, 1)]
            if square > 0:
                found = [(_near(a, b, square, sign), node) for sign, node in zip((-1, 1), pair, strict=True)]
            else:
                complex_roots = tuple(pair)
        left = [1]
    found += [(value, Number(value)) for value in rational]
    return Roots(
        tuple(node for _, node in sorted(found, key=lambda root: root[0])),
        tuple(sorted(rational)),
        complex_roots,
        tuple(left) if len(left) > 3 else (),
    )


def value_at(coefficients: Sequence[Fraction | int], at: Fraction) -> Fraction:
    """Return the value of a polynomial, by Horner's scheme."""
    total = Fraction(0)
    for coefficient in reversed(coefficients):
        total = total * at + coefficient
    return total


def _primitive(coefficients: Sequence[int]) -> list[int]:
    """Return a multiple without a common factor, the last coefficient positive."""
    common = gcd(*coefficients) * (-1 if coefficients[-1] < 0 else 1)
    return [coefficient // common for coefficient in coefficients]


def _without(coefficients: Sequence[int], root: Fraction) -> list[int]:
    """Return the quotient by ``x - root``, times a number that makes it whole."""
    quotient: list[Fraction] = []
    carried = Fraction(0)
    for coefficient in reversed(coefficients[1:]):
        carried = carried * root + coefficient
        quotient.insert(0, carried)
    scale = lcm(*(value.denominator for value in quotient))
    return [int(value * scale) for value in quotient]


def _candidates(coefficients: Sequence[int]) -> list[Fraction]:
    """Return every fraction that may be a root; none where there would be too many to try."""
    above, below = (_divisors(abs(coefficient)) for coefficient in (coefficients[0], coefficients[-1]))
    if len(above) * len(below) * len(coefficients) > _MAX_TRIED // 50:
        return []
    found = {Fraction(p, q) for p in above for q in below}
    return sorted(found | {-candidate for candidate in found})


def _divisors(number: int) -> list[int]:
    if number > _MAX_TRIED:
        return []
    small = [divisor for divisor in range(1, isqrt(number) + 1) if number % divisor == 0]
    return sorted({*small, *(number // divisor for divisor in small)})


def _near(a: int, b: int, square: int, sign: int) -> Fraction:
    """Return a root of a quadratic closely enough to put it in order."""
    return (-b + sign * Fraction(isqrt(square << 64), 1 << 32)) / (2 * a)


def _quadratic(a: int, b: int, square: int, sign: int) -> Node:
    """Return ``(-b + sign sqrt(square)) / 2a`` in lowest terms."""
    outside, inside = _square_taken_out(abs(square))
    common = gcd(b, outside, 2 * a)
    rational, outside, divisor = -b // common, outside // common, 2 * a // common
    factors: list[Node] = [Number(Fraction(outside))] if outside > 1 else []
    if inside > 1:
        factors.append(Power(Number(Fraction(inside)), Number(Fraction(1, 2))))
    if square < 0:
        factors.append(Letter("i"))
    term: Node = Product(tuple(factors)) if len(factors) > 1 else factors[0]
    if sign < 0:
        term = Negative(term)
    above: Node = Sum((Number(Fraction(rational)), term)) if rational else term
    return Quotient(above, Number(Fraction(divisor))) if divisor > 1 else above


def _square_taken_out(number: int) -> tuple[int, int]:
    """Return ``(outside, inside)`` with ``number = outside^2 inside``; squares of large primes may stay inside."""
    outside, inside = 1, number
    for divisor in range(2, _MAX_DIVISOR):
        while inside % (divisor * divisor) == 0:
            inside //= divisor * divisor
            outside *= divisor
    whole = isqrt(inside)
    return (outside * whole, 1) if whole * whole == inside else (outside, inside)
