"""From a row to its tree, by precedence."""

from __future__ import annotations

from fractions import Fraction

from edge_client.expression.refusal import NotAnExpressionError
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.shape import MAX_DEPTH, MAX_SYMBOLS, extent, merged
from edge_client.expression.spelling import (
    CLOSING,
    CLOSING_OF,
    DIGITS,
    DIVIDING,
    MULTIPLYING,
    OPENING,
    is_digit,
    is_letter,
    label_text,
)
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
)

COMPARING = frozenset({"=", "lt", "gt", "leq", "geq", "neq"})
"""The relations that have a truth value here."""

GREEK = frozenset({"alpha", "beta", "gamma", "Delta", "theta", "lambda", "mu", "pi", "sigma", "phi"})
_MAX_POSTFIXES = 4


def parse(row: Row) -> Tree:
    """Return what a row means.

    From the tightest: numbers, letters, brackets and fractions; powers and ``!``; products, with a sign or without one,
    and divisions, from left to right; a minus; sums; relations, chained. ``6/2x`` is therefore ``(6/2)x``.

    Raises:
        NotAnExpressionError: the row is not well-formed, has a sign that is not understood here, more than
            `MAX_SYMBOLS` symbols, or more than `MAX_DEPTH` exponents, fractions and brackets in each other.
    """
    symbols, depth = extent(row)
    if symbols > MAX_SYMBOLS:
        raise NotAnExpressionError(f"it has more than {MAX_SYMBOLS} symbols")
    if depth > MAX_DEPTH:
        raise _too_deep()
    if not row:
        raise NotAnExpressionError("nothing is written")
    level = _Level(row, 0)
    tree = level.relation()
    level.ended()
    return tree


def _too_deep() -> NotAnExpressionError:
    return NotAnExpressionError(f"it nests deeper than {MAX_DEPTH} levels")


class _Level:
    """Reads one row from left to right; exponents and both sides of a bar are levels of their own."""

    def __init__(self, row: Row, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise _too_deep()
        self._items = list(merged(row))
        self._at = 0
        self._depth = depth

    def relation(self) -> Tree:
        sides, signs = [self.sum()], []
        while self._label() in COMPARING:
            signs.append(self._taken())
            sides.append(self.sum())
        return Relation(tuple(sides), tuple(signs)) if signs else sides[0]

    def sum(self) -> Node:
        terms = [self._term()]
        while self._label() in ("+", "-"):
            terms.append(self._term())
        return Sum(tuple(terms)) if len(terms) > 1 else terms[0]

    def ended(self) -> None:
        """Raise if anything is left."""
        label = self._label()
        if label in CLOSING:
            raise NotAnExpressionError("a bracket is closed that was not opened")
        if label in COMPARING:
            raise NotAnExpressionError(f"{label_text(label)} stands inside an exponent or a fraction")
        if self._at < len(self._items):
            raise NotAnExpressionError(f"{label_text(label)} is not understood here")

    def _term(self) -> Node:
        negative = self._signs()
        factors, divisors = [self._power()], list[Node]()
        while True:
            label = self._label()
            if label in MULTIPLYING:
                self._taken()
                into = divisors if label in DIVIDING else factors
                negative ^= self._signs()
            elif self._starts_operand():
                into = factors
            else:
                break
            into.append(self._power())
        term = _product(factors)
        if divisors:
            term = Quotient(term, _product(divisors))
        return Negative(term) if negative else term

    def _signs(self) -> bool:
        """Take any plus and minus that stand before an operand; return whether they make it negative."""
        negative = False
        while self._label() in ("+", "-"):
            negative ^= self._taken() == "-"
        return negative

    def _power(self) -> Node:
        node = self._operand()
        for _ in range(_MAX_POSTFIXES):
            item = self._item()
            if isinstance(item, Raised):
                self._at += 1
                node = Power(node, self._within(item.inner, "the exponent"))
            elif self._label() == "!":
                self._at += 1
                node = Factorial(node)
                if self._label() == "!":
                    raise NotAnExpressionError("!! is not understood here")
            else:
                break
        return node

    def _operand(self) -> Node:
        item, label = self._item(), self._label()
        if isinstance(item, Bar):
            self._at += 1
            above = self._within(item.numerator, "the numerator")
            return Quotient(above, self._within(item.denominator, "the denominator"))
        if is_digit(label):
            return self._number()
        if is_letter(label) or label in GREEK:
            return Letter(self._taken())
        if label in OPENING:
            return self._brackets()
        raise self._missing()

    def _brackets(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep()
        opening = self._taken()
        if self._label() in CLOSING:
            raise NotAnExpressionError("nothing stands in the brackets")
        node = self.sum()
        closing = self._label()
        if self._at == len(self._items):
            raise NotAnExpressionError("a bracket is not closed")
        if closing in CLOSING and closing != CLOSING_OF[opening]:
            raise NotAnExpressionError(f"{opening} is closed by {closing}")
        if closing in COMPARING:
            raise NotAnExpressionError(f"{label_text(closing)} stands inside brackets")
        if closing not in CLOSING:
            raise self._missing()
        self._at += 1
        self._depth -= 1
        return node

    def _number(self) -> Node:
        digits = ""
        while is_digit(self._label()):
            digits += self._taken()
        if digits.count(".") > 1 or digits == ".":
            raise NotAnExpressionError(f"{digits} is no number")
        return Number(Fraction(digits))

    def _within(self, row: Row, where: str) -> Node:
        if not row:
            raise NotAnExpressionError(f"{where} is empty")
        level = _Level(row, self._depth + 1)
        node = level.sum()
        level.ended()
        return node

    def _missing(self) -> NotAnExpressionError:
        """Say why no operand stands here."""
        before = label_text(self._label(-1))
        item, label = self._item(), label_text(self._label())
        if isinstance(item, Raised):
            return NotAnExpressionError("nothing stands under what is raised")
        known = self._label() in MULTIPLYING | COMPARING | CLOSING | {"+", "-"} or item is None
        if not known:
            return NotAnExpressionError(f"{label} is not understood here")
        if before and self._label(-1) not in OPENING:
            between = item is not None and self._label() not in CLOSING
            return NotAnExpressionError(
                f"something is missing between {before} and {label}"
                if between
                else f"something is missing after {before}"
            )
        if self._label() in CLOSING:
            return NotAnExpressionError("a bracket is closed that was not opened")
        if item is None:
            return NotAnExpressionError("a bracket is not closed")
        return NotAnExpressionError(f"something is missing before {label}")

    def _starts_operand(self) -> bool:
        item, label = self._item(), self._label()
        if isinstance(item, Bar):
            return True
        return label in DIGITS or label == "." or is_letter(label) or label in GREEK or label in OPENING

    def _item(self) -> Sign | Raised | Bar | None:
        return self._items[self._at] if self._at < len(self._items) else None

    def _label(self, offset: int = 0) -> str:
        """Return the label of the sign here, or at an offset from here; empty where there is none."""
        at = self._at + offset
        item = self._items[at] if 0 <= at < len(self._items) else None
        return item.label if isinstance(item, Sign) else ""

    def _taken(self) -> str:
        label = self._label()
        self._at += 1
        return label


def _product(factors: list[Node]) -> Node:
    return Product(tuple(factors)) if len(factors) > 1 else factors[0]
