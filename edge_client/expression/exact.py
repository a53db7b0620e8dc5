"""From a tree to a polynomial or a number, exactly and without a computer algebra system."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from functools import reduce

from edge_client.expression.limits import MAX_EXPONENT, NoValueError, factorial, power, root
from edge_client.expression.polynomial import Polynomial, TooManyTermsError
from edge_client.expression.tree import (
    Factorial,
    Letter,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Relation,
    Sum,
    Tree,
    parts_of,
)

NEGATIVE_ROOT = "the root of a negative number is not real"


class NotPolynomialError(ArithmeticError):
    """A tree is no polynomial with exact coefficients: it has a root, an unknown exponent, or divides by a sum."""


class Expansion:
    """Multiplies trees out, every part of them once."""

    def __init__(self) -> None:
        # By the node's identity: equality would compare whole trees. The nodes are kept so that none is used twice.
        self._found: dict[int, tuple[Node, Polynomial | ArithmeticError]] = {}

    def polynomial(self, node: Node) -> Polynomial:
        """Return what a tree is, multiplied out; a number is a polynomial without unknowns.

        Raises:
            NoValueError: it divides by zero, has the root of a negative number, or a number is too large.
            TooManyTermsError: it is too long when multiplied out.
            NotPolynomialError: it is no polynomial.
        """
        if id(node) not in self._found:
            try:
                self._found[id(node)] = node, self._expanded(node)
            except ArithmeticError as error:
                self._found[id(node)] = node, error
        found = self._found[id(node)][1]
        if isinstance(found, ArithmeticError):
            raise found
        return found

    def check(self, tree: Tree) -> None:
        """Look for what has no value in any part of a tree, above all in its exponents.

        Raises:
            NoValueError: a part divides by zero, or a number or an exponent is too large.
        """
        for part in parts_of(tree):
            self.check(part)
        if not isinstance(tree, Relation):
            with contextlib.suppress(NotPolynomialError, TooManyTermsError):
                self.polynomial(tree)

    def zero_excluded(self, tree: Tree) -> frozenset[str]:
        """Return the unknowns that a polynomial's tree divides by, so that they cannot be zero."""
        found = frozenset[str]()
        match tree:
            case Quotient(_, divisor):
                found = self.polynomial(divisor).letters
            case Power(base, exponent) if (self.polynomial(exponent).value or 0) < 0:
                found = self.polynomial(base).letters
        return found.union(*(self.zero_excluded(part) for part in parts_of(tree)))

    def _expanded(self, node: Node) -> Polynomial:
        match node:
            case Number(value):
                return Polynomial.constant(value)
            case Letter("pi"):
                raise NotPolynomialError
            case Letter(name):
                return Polynomial.letter(name)
            case Negative(of):
                return -self.polynomial(of)
            case Sum(terms):
                return reduce(Polynomial.__add__, map(self.polynomial, terms))
            case Product(factors):
                return reduce(Polynomial.__mul__, map(self.polynomial, factors))
            case Quotient(dividend, divisor):
                return _quotient(self.polynomial(dividend), self.polynomial(divisor))
            case Power(base, exponent):
                return _power(self.polynomial(base), self.polynomial(exponent))
            case Factorial(of):
                whole = self.polynomial(of).value
                if whole is None:
                    raise NotPolynomialError
                return Polynomial.constant(factorial(whole))


def _quotient(dividend: Polynomial, divisor: Polynomial) -> Polynomial:
    if not divisor.terms:
        raise NoValueError("division by zero")
    inverse = divisor.inverse()
    if inverse is None:
        raise NotPolynomialError
    return dividend * inverse


def _power(base: Polynomial, exponent: Polynomial) -> Polynomial:
    number, by = base.value, exponent.value
    if by is None:
        raise NotPolynomialError
    if number is not None:
        return Polynomial.constant(_number_power(number, by))
    if abs(by) > MAX_EXPONENT:
        raise NoValueError("the exponent is too large")
    if by.denominator != 1:
        raise NotPolynomialError
    if by < 0:
        inverse = base.inverse()
        if inverse is None:
            raise NotPolynomialError
        base = inverse
    return base ** abs(int(by))


def _number_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator == 1:
        return power(base, int(exponent))
    if base < 0:
        raise NoValueError(NEGATIVE_ROOT)
    whole = root(base, exponent.denominator)
    if whole is None:
        raise NotPolynomialError
    return power(whole, exponent.numerator)
