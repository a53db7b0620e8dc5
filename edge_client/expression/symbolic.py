"""What an expression comes to, as far as SymPy tells. Imported by the worker alone: SymPy takes a second to load."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

import sympy

from edge_client.expression.answer import MAX_FORM, NO_SOLUTION, root_solutions, unsolved
from edge_client.expression.exact import NEGATIVE_ROOT
from edge_client.expression.sympy_tree import NotWritableError, from_sympy, to_sympy
from edge_client.expression.text import text_of
from edge_client.expression.tree import Node, Relation, Tree, letters_of
from edge_client.expression.value import (
    NOTHING,
    Value,
    form,
    listed,
    no_real_solution,
    no_value,
    number,
    row_number,
    solutions,
    true_for_every,
    truth,
    words,
)
from edge_client.expression.writing import decimal_near, written

NO_EXACT_SOLUTION = "no exact solution was found"
_MAX_SOLUTIONS = 12


def symbolic_answer(tree: Tree) -> Value:
    """Return the value of a tree that has a root, an unknown exponent, or divides by a sum, or is long."""
    if not isinstance(tree, Relation):
        expression = to_sympy(tree)
        if _undefined(expression):
            return no_value("division by zero")
        return _form(tree, expression) if expression.free_symbols else _number(expression)
    sides = [to_sympy(side) for side in tree.sides]
    if any(map(_undefined, sides)):
        return no_value("division by zero")
    if not any(side.free_symbols for side in sides):
        return _truth(sides, tree.signs)
    letters = letters_of(tree)
    if set(tree.signs) != {"="}:
        return words(f"an inequality in {listed(letters)}", "none")
    differences = [left - right for left, right in pairwise(sides)]
    if all(_is_zero(difference) for difference in differences):
        divided = any(sympy.fraction(sympy.together(side))[1].free_symbols for side in sides)
        return true_for_every(letters, but=" for which both sides are defined" if divided else "")
    if len(letters) == 1 and len(differences) == 1:
        return _one_unknown(letters[0], differences[0])
    return unsolved(letters)


def _undefined(expression: sympy.Expr) -> bool:
    return bool(expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo))


def _is_zero(expression: sympy.Expr) -> bool:
    return bool(sympy.simplify(expression) == 0)


def _number(expression: sympy.Expr) -> Value:
    found = _shortest([expression, sympy.radsimp(expression), sympy.simplify(expression)])
    value = sympy.N(expression, 15)
    if not value.is_Float and not value.is_Rational:
        return no_value(NEGATIVE_ROOT if value.is_number else "it is not a number")
    if found is not None:
        _, exact = found
        if exact.is_Rational:
            return number(Fraction(int(exact.p), int(exact.q)))
        row = written(from_sympy(exact))
        if len(text_of(row)) <= MAX_FORM // 2:
            return row_number(row, exact=True)
    return row_number(decimal_near(float(value)), exact=False)


def _form(tree: Node, expression: sympy.Expr) -> Value:
    candidates = [sympy.cancel(expression), sympy.simplify(expression), sympy.factor(expression)]
    found = _shortest(candidates)
    if found is None or len(found[0]) >= len(text_of(written(tree))) or len(found[0]) > MAX_FORM:
        return NOTHING
    if found[1].is_Rational:
        return number(Fraction(int(found[1].p), int(found[1].q)))
    return form(from_sympy(found[1]))


def _shortest(candidates: Iterable[sympy.Expr]) -> tuple[str, sympy.Expr] | None:
    """Return the candidate with the shortest text, and the text; nothing if none can be written."""
    texts: list[tuple[str, sympy.Expr]] = []
    for candidate in candidates:
        try:
            texts.append((text_of(written(from_sympy(candidate))), candidate))
        except NotWritableError:
            continue
    return min(texts, key=lambda found: len(found[0]), default=None)


def _truth(sides: list[sympy.Expr], signs: Iterable[str]) -> Value:
    for (left, right), sign in zip(pairwise(sides), signs, strict=True):
        difference = left - right
        zero = _is_zero(difference)
        value = sympy.Integer(0) if zero else sympy.N(difference, 15)
        if not value.is_real:
            return no_value(NEGATIVE_ROOT)
        holds = {
            "=": zero,
            "neq": not zero,
            "lt": value < 0,
            "gt": value > 0,
            "leq": value <= 0,
            "geq": value >= 0,
        }[sign]
        if not holds:
            return truth(False)
    return truth(True)


def _one_unknown(letter: str, difference: sympy.Expr) -> Value:
    symbol = sympy.Symbol(letter)
    numerator, divisor = sympy.fraction(sympy.together(difference))
    if numerator.is_polynomial(symbol) and divisor.is_polynomial(symbol):
        return _polynomial_roots(letter, sympy.Poly(numerator, symbol), divisor)
    real = sympy.Symbol(letter, real=True)
    found = sympy.solveset(difference.subs(symbol, real), real, sympy.S.Reals)
    if found is sympy.S.EmptySet:
        return words("no real solution", "solutions")
    if isinstance(found, sympy.FiniteSet) and len(found) <= _MAX_SOLUTIONS:
        return _listed(letter, sorted(found, key=lambda root: sympy.N(root, 15)))
    return no_value(NO_EXACT_SOLUTION)


def _polynomial_roots(letter: str, polynomial: sympy.Poly, divisor: sympy.Expr) -> Value:
    """Solve a polynomial equation, but for the zeros of a divisor that it was multiplied by."""
    symbol = polynomial.gen
    if polynomial.is_ground:
        return NO_SOLUTION
    # What a divisor shares with the numerator is no solution.
    shared = sympy.gcd(polynomial, sympy.Poly(divisor, symbol))
    while not shared.is_ground:
        polynomial = sympy.quo(polynomial, shared)
        shared = sympy.gcd(polynomial, shared)
    factors = [factor for factor, _ in polynomial.factor_list()[1]]
    if not factors:
        return NO_SOLUTION
    roots = sorted({root for factor in factors for root in factor.real_roots()}, key=lambda root: sympy.N(root, 15))
    if not roots:
        quadratic = factors[0] if len(factors) == 1 and factors[0].degree() == 2 else None
        pair = sympy.roots(quadratic) if quadratic is not None else ()
        return no_real_solution(letter, [written(from_sympy(root)) for root in sorted(pair, key=str)])
    return _listed(letter, roots[:_MAX_SOLUTIONS])


def _listed(letter: str, roots: list[sympy.Expr]) -> Value:
    """Write roots exactly if that is short, and as decimals otherwise."""
    try:
        exact = root_solutions(letter, [from_sympy(sympy.radsimp(root)) for root in roots])
    except NotWritableError:
        exact = None
    if exact is not None and len(exact.text) <= MAX_FORM:
        return exact
    return solutions(letter, [decimal_near(float(sympy.N(root, 15))) for root in roots], exact=False)
