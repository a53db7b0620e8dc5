"""What an expression comes to, as far as exact arithmetic on polynomials tells; most of what people write."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import lcm

from edge_client.expression.exact import Expansion, NotPolynomialError
from edge_client.expression.limits import NoValueError
from edge_client.expression.polynomial import Polynomial, TooManyTermsError
from edge_client.expression.roots import roots_of, value_at
from edge_client.expression.text import text_of
from edge_client.expression.tree import Letter, Node, Number, Quotient, Relation, Tree, letters_of
from edge_client.expression.value import (
    NOTHING,
    Value,
    form,
    listed,
    no_real_solution,
    no_value,
    not_so,
    number,
    number_as_row,
    solutions,
    true_for_every,
    truth,
    words,
)
from edge_client.expression.writing import written

MAX_FORM = 80
"""Characters of a form that is still short."""

NO_SOLUTION = words("no solution", "solutions")

_HOLDS = {
    "=": Fraction.__eq__,
    "neq": Fraction.__ne__,
    "lt": Fraction.__lt__,
    "gt": Fraction.__gt__,
    "leq": Fraction.__le__,
    "geq": Fraction.__ge__,
}


def answer(tree: Tree, *, decimal: bool = False) -> Value | None:
    """Return the value of a tree; nothing if it takes a computer algebra system.

    Args:
        decimal: whether numbers were written as decimals, and are to be given so where that is exact.
    """
    expansion = Expansion()
    try:
        expansion.check(tree)
        if isinstance(tree, Relation):
            return _relation(tree, expansion, decimal=decimal)
        found = expansion.polynomial(tree)
        return number(found.value, decimal=decimal) if found.value is not None else _form(tree, found)
    except NoValueError as error:
        return no_value(error.reason)
    except (NotPolynomialError, TooManyTermsError) as error:
        if isinstance(tree, Relation):
            # An equation such as y = 1/(x+1) is as solved as it can be.
            return NOTHING if solved_for(tree) is not None and len(letters_of(tree)) > 1 else None
        return NOTHING if isinstance(error, TooManyTermsError) else None


def plain(node: Node) -> list[str]:
    """Return the symbols a tree is written with, in no order and without ``*``: another form has to differ in them."""
    return sorted(text_of(written(node)).replace("*", ""))


def unsolved(letters: tuple[str, ...]) -> Value:
    """Return what is said of an equation that is not solved: what it is about."""
    return words(f"an equation in {listed(letters)}", "none")


def solved_for(tree: Relation) -> str | None:
    """Return the letter that an equation is already solved for: alone on the left, and not on the right."""
    left, right = tree.sides[0], tree.sides[1]
    alone = len(tree.sides) == 2 and isinstance(left, Letter) and left.name not in letters_of(right)
    return left.name if alone and isinstance(left, Letter) else None


def _form(tree: Node, found: Polynomial) -> Value:
    said = plain(tree)
    if said in (plain(found.node()), plain(found.node(over=False)), plain(_over_one_bar(found))):
        return NOTHING
    if not found.whole:
        shown = form(_over_one_bar(_positive_first(found.by_degree())))
        return shown if len(shown.text) < len(text_of(written(tree))) else NOTHING
    shown = form(_over_one_bar(found.by_degree()))
    return shown if len(shown.text) <= MAX_FORM else NOTHING


def _over_one_bar(found: Polynomial) -> Node:
    """Return a polynomial with whole coefficients, divided by a number if it takes one."""
    scale = lcm(*(value.denominator for value in found.terms.values()))
    if scale == 1 or len(found.terms) == 1:
        return found.node()
    return Quotient((found * Polynomial.constant(Fraction(scale))).node(), Number(Fraction(scale)))


def _relation(tree: Relation, expansion: Expansion, *, decimal: bool) -> Value | None:
    sides = [expansion.polynomial(side) for side in tree.sides]
    values = [side.value for side in sides if side.value is not None]
    if len(values) == len(sides):
        for left, sign, right in zip(values, tree.signs, values[1:], strict=False):
            if not _HOLDS[sign](left, right):
                return truth(False, why=not_so(left, sign, right, decimal=decimal))
        return truth(True)
    if set(tree.signs) != {"="}:
        return words(f"an inequality in {listed(letters_of(tree))}", "none")
    differences = [left - right for left, right in pairwise(sides)]
    differences = [difference for difference in differences if difference.terms]
    if not differences:
        letters, zero = letters_of(tree), sorted(expansion.zero_excluded(tree))
        but = "" if not zero else " but 0" if len(zero) == len(letters) else f", {listed(zero)} not 0"
        return true_for_every(letters, but=but)
    if any(difference.value is not None for difference in differences):
        return NO_SOLUTION
    unknowns = frozenset[str]().union(*(difference.letters for difference in differences))
    if len(unknowns) == 1:
        (letter,) = unknowns
        return _one_unknown(letter, differences, zero=letter not in expansion.zero_excluded(tree), decimal=decimal)
    return _several_unknowns(tree, differences, sides[1])


def _one_unknown(letter: str, differences: list[Polynomial], *, zero: bool, decimal: bool) -> Value | None:
    equations = sorted((difference.coefficients() for difference in differences), key=len)
    if len(equations[0]) == 1:
        return NO_SOLUTION
    roots = roots_of(equations[0])
    if roots.left or (len(equations) > 1 and len(roots.rational) < len(roots.real)):
        return None
    if roots.complex and len(equations) == 1 and not roots.real:
        return no_real_solution(letter, [written(node) for node in roots.complex])
    wrong = {root for root in roots.rational if any(value_at(equation, root) for equation in equations[1:])}
    wrong |= set() if zero else {Fraction(0)}
    kept = [node for node in roots.real if not (isinstance(node, Number) and node.value in wrong)]
    return root_solutions(letter, kept, decimal=decimal) if kept else NO_SOLUTION


def root_solutions(letter: str, roots: Sequence[Node], *, decimal: bool = False) -> Value:
    """Return solutions, numbers among them as numbers are written."""
    rows = [
        number_as_row(node.value, decimal=decimal) if isinstance(node, Number) else (written(node), True)
        for node in roots
    ]
    return solutions(letter, [row for row, _ in rows], exact=all(exact for _, exact in rows))


def _several_unknowns(tree: Relation, differences: list[Polynomial], right: Polynomial) -> Value:
    """Solve for the first letter if it stands alone but for a number, unless a side is already a letter alone."""
    letters = letters_of(tree)
    if len(differences) > 1:
        return unsolved(letters)
    if (alone := solved_for(tree)) is not None:
        shown = _form(tree.sides[1], right)
        return solutions(alone, [written(_over_one_bar(right.by_degree()))]) if shown.text else NOTHING
    letter = next(name for name in letters if name in differences[0].letters)
    terms = dict(differences[0].terms)
    coefficient = terms.pop(((letter, 1),), None)
    if coefficient is None or any(name == letter for monomial in terms for name, _ in monomial):
        return unsolved(letters)
    solved = Polynomial({monomial: value / -coefficient for monomial, value in terms.items()}).by_degree()
    shown = solutions(letter, [written(_over_one_bar(_positive_first(solved)))])
    return shown if len(shown.text) <= MAX_FORM else unsolved(letters)


def _positive_first(found: Polynomial) -> Polynomial:
    """Return it with a positive term first, if there is one: ``3-y``."""
    first = next((monomial for monomial, value in found.terms.items() if value > 0), None)
    return found if first is None else Polynomial({first: found.terms[first], **found.terms})
