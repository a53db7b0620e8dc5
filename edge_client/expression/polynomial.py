"""Laurent polynomials in several unknowns with exact coefficients: an exponent may be negative."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from edge_client.expression.limits import MAX_DEGREE, MAX_TERMS, MAX_WORK, bits, checked, power
from edge_client.expression.tree import Letter, Negative, Node, Number, Power, Product, Quotient, Sum

Monomial: TypeAlias = tuple[tuple[str, int], ...]
"""Letters by the alphabet, each with its exponent, which is not zero; empty for a constant."""


class TooManyTermsError(ArithmeticError):
    """A polynomial would have more than `MAX_TERMS` terms or a degree above `MAX_DEGREE`."""


@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials.

    Attributes:
        terms: the coefficient of every monomial, none of them zero; in the order in which they came up.
    """

    terms: Mapping[Monomial, Fraction]

    @classmethod
    def constant(cls, value: Fraction) -> Polynomial:
        """Return a number as a polynomial."""
        return cls({(): value} if value else {})

    @classmethod
    def letter(cls, name: str) -> Polynomial:
        """Return an unknown as a polynomial."""
        return cls({((name, 1),): Fraction(1)})

    @property
    def value(self) -> Fraction | None:
        """The number that it is; nothing if it has an unknown."""
        return self.terms.get((), Fraction(0)) if not self.terms.keys() - {()} else None

    @property
    def letters(self) -> frozenset[str]:
        """Its unknowns."""
        return frozenset(name for monomial in self.terms for name, _ in monomial)

    @property
    def whole(self) -> bool:
        """Whether no exponent is negative."""
        return all(exponent > 0 for monomial in self.terms for _, exponent in monomial)

    @property
    def degree(self) -> int:
        """The highest degree of a term, negative exponents counted as if they were positive."""
        return max((sum(abs(exponent) for _, exponent in monomial) for monomial in self.terms), default=0)

    @property
    def _bits(self) -> int:
        return max(map(bits, self.terms.values()), default=1)

    def __add__(self, other: Polynomial) -> Polynomial:
        found = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            found[monomial] = checked(found.get(monomial, Fraction(0)) + coefficient)
        return _polynomial(found)

    def __neg__(self) -> Polynomial:
        return Polynomial({monomial: -coefficient for monomial, coefficient in self.terms.items()})

    def __sub__(self, other: Polynomial) -> Polynomial:
        return self + -other

    def __mul__(self, other: Polynomial) -> Polynomial:
        """Multiply out.

        Raises:
            TooManyTermsError: there would be too many terms, or it would take too long.
            NoValueError: a coefficient is too large.
        """
        products = len(self.terms) * len(other.terms)
        if products > 1 and (
            self.degree + other.degree > MAX_DEGREE or products * (self._bits + other._bits) > MAX_WORK
        ):
            raise TooManyTermsError
        found: dict[Monomial, Fraction] = {}
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                monomial = _times(left, right)
                found[monomial] = checked(found.get(monomial, Fraction(0)) + a * b)
        return _polynomial(found)

    def __pow__(self, exponent: int) -> Polynomial:
        """Multiply out; the exponent is from 0.

        Raises:
            TooManyTermsError: there would be too many terms.
        """
        if len(self.terms) == 1:
            ((monomial, coefficient),) = self.terms.items()
            raised = tuple((name, each * exponent) for name, each in monomial) if exponent else ()
            return Polynomial({raised: power(coefficient, exponent)})
        if self.degree * exponent > MAX_DEGREE:
            raise TooManyTermsError
        result = Polynomial.constant(Fraction(1))
        for _ in range(exponent if self.degree else 0):
            result *= self
        return result

    def inverse(self) -> Polynomial | None:
        """Return one divided by it; nothing if it is not a single term."""
        if len(self.terms) != 1:
            return None
        ((monomial, coefficient),) = self.terms.items()
        return Polynomial({tuple((name, -exponent) for name, exponent in monomial): 1 / coefficient})

    def coefficients(self) -> list[Fraction]:
        """Return the coefficients of 1, x, x^2, ...; it has one unknown.

        Negative exponents are multiplied away, by a power of the unknown.
        """
        by_exponent = {monomial[0][1] if monomial else 0: value for monomial, value in self.terms.items()}
        least = min(0, *by_exponent)
        return [by_exponent.get(exponent, Fraction(0)) for exponent in range(least, max(by_exponent) + 1)]

    def by_degree(self) -> Polynomial:
        """Return it with its terms in the usual order: the highest degree first, then by the alphabet."""

        def place(monomial: Monomial) -> tuple[int, list[tuple[str, int]]]:
            return -sum(exponent for _, exponent in monomial), [(name, -exponent) for name, exponent in monomial]

        return Polynomial({monomial: self.terms[monomial] for monomial in sorted(self.terms, key=place)})

    def node(self, *, over: bool = True) -> Node:
        """Return it as a tree.

        Args:
            over: whether a letter stands over a fraction's bar, as in ``(3x)/4``, or beside the fraction: ``(3/4)x``.
        """
        terms = [_term(monomial, coefficient, over=over) for monomial, coefficient in self.terms.items()]
        if not terms:
            return Number(Fraction(0))
        return Sum(tuple(terms)) if len(terms) > 1 else terms[0]


def _polynomial(terms: Mapping[Monomial, Fraction]) -> Polynomial:
    kept = {monomial: coefficient for monomial, coefficient in terms.items() if coefficient}
    if len(kept) > MAX_TERMS:
        raise TooManyTermsError
    return Polynomial(kept)


def _times(left: Monomial, right: Monomial) -> Monomial:
    exponents = dict(left)
    for name, exponent in right:
        exponents[name] = exponents.get(name, 0) + exponent
    return tuple(sorted((name, exponent) for name, exponent in exponents.items() if exponent))


def _term(monomial: Monomial, coefficient: Fraction, *, over: bool) -> Node:
    above = [_letter(name, exponent) for name, exponent in monomial if exponent > 0]
    below = [_letter(name, -exponent) for name, exponent in monomial if exponent < 0]
    size = abs(coefficient)
    if below or (over and above):
        if size.numerator > 1 or not above:
            above.insert(0, Number(Fraction(size.numerator)))
        if size.denominator > 1:
            below.insert(0, Number(Fraction(size.denominator)))
        node: Node = Quotient(product(above), product(below)) if below else product(above)
    else:
        node = product(([Number(size)] if size != 1 or not above else []) + above)
    return Negative(node) if coefficient < 0 else node


def _letter(name: str, exponent: int) -> Node:
    return Power(Letter(name), Number(Fraction(exponent))) if exponent > 1 else Letter(name)


def product(factors: list[Node]) -> Node:
    """Return factors as one node; one stands for itself."""
    return Product(tuple(factors)) if len(factors) > 1 else factors[0]
