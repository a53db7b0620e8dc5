"""From a tree to SymPy and back, node by node; nothing is ever parsed by SymPy."""

from __future__ import annotations

from fractions import Fraction

import sympy

from edge_client.expression.tree import (
    Factorial,
    Letter,
    Negative,
    Node,
    Number,
    Power,
    Product,
    Quotient,
    Sum,
)


class NotWritableError(ValueError):
    """A SymPy expression has a function that cannot be written here."""


def to_sympy(node: Node) -> sympy.Expr:
    """Return a tree as a SymPy expression. Unknowns are complex, so that what is found to be equal is so everywhere."""
    match node:
        case Number(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Letter("pi"):
            return sympy.pi
        case Letter(name):
            return sympy.Symbol(name)
        case Negative(of):
            return -to_sympy(of)
        case Sum(terms):
            return sympy.Add(*map(to_sympy, terms))
        case Product(factors):
            return sympy.Mul(*map(to_sympy, factors))
        case Quotient(dividend, divisor):
            return to_sympy(dividend) / to_sympy(divisor)
        case Power(base, exponent):
            return sympy.Pow(to_sympy(base), to_sympy(exponent))
        case Factorial(of):
            return sympy.factorial(to_sympy(of))


def from_sympy(expression: sympy.Expr) -> Node:
    """Return a SymPy expression as a tree.

    Raises:
        NotWritableError: there is no node for a part of it.
    """
    if expression.is_Rational:
        return Number(Fraction(int(expression.p), int(expression.q)))
    if expression is sympy.pi:
        return Letter("pi")
    if expression is sympy.I:
        return Letter("i")
    if expression.is_Symbol:
        return Letter(str(expression.name))
    if expression.is_Add:
        return _over_one_bar(expression)
    if expression.is_Mul or (expression.is_Pow and expression.exp.could_extract_minus_sign()):
        return _product(expression)
    if expression.is_Pow:
        return Power(from_sympy(expression.base), from_sympy(expression.exp))
    if isinstance(expression, sympy.factorial):
        return Factorial(from_sympy(expression.args[0]))
    raise NotWritableError(type(expression).__name__)


def _over_one_bar(expression: sympy.Expr) -> Node:
    """Write a sum; over one bar if its terms are numbers and roots with denominators."""
    terms = expression.as_ordered_terms()
    # A positive term first, if there is one.
    first = next((i for i, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
    terms.insert(0, terms.pop(first))
    scale = sympy.ilcm(*(term.as_coeff_Mul()[0].q for term in terms if term.as_coeff_Mul()[0].is_Rational))
    if scale > 1 and not expression.free_symbols:
        return Quotient(Sum(tuple(from_sympy(term * scale) for term in terms)), Number(Fraction(int(scale))))
    return Sum(tuple(map(from_sympy, terms)))


def _product(expression: sympy.Expr) -> Node:
    if expression.could_extract_minus_sign():
        return Negative(from_sympy(-expression))
    dividend, divisor = sympy.fraction(expression)
    if divisor != 1:
        if dividend.could_extract_minus_sign():
            return Negative(Quotient(from_sympy(-dividend), from_sympy(divisor)))
        return Quotient(from_sympy(dividend), from_sympy(divisor))
    number, rest = dividend.as_coeff_Mul()
    factors = [number] if number != 1 else []
    # Letters before sums and roots, as one writes them.
    factors += sorted(sympy.Mul.make_args(rest), key=lambda factor: not (factor.is_Symbol or _is_letter_power(factor)))
    if len(factors) == 1 and factors[0].is_Mul:
        raise NotWritableError(type(expression).__name__)
    return Product(tuple(map(from_sympy, factors))) if len(factors) > 1 else from_sympy(factors[0])


def _is_letter_power(expression: sympy.Expr) -> bool:
    return bool(expression.is_Pow and expression.base.is_Symbol)
