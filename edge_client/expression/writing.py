"""From a tree back to a row, to write values down."""

from __future__ import annotations

from decimal import Context, Decimal, Inexact
from fractions import Fraction

from edge_client.expression.limits import TOO_LARGE, NoValueError, bits
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.shape import is_enclosed
from edge_client.expression.spelling import is_digit
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

MAX_DIGITS = 60
"""How many digits a number may have to be written in full."""

_MAX_WRITTEN_BITS = 3_000
_HALF = Fraction(1, 2)
_MINUS, _PLUS, _TIMES, _OPEN, _CLOSE, _ROOT = (Sign(label) for label in ("-", "+", "times", "(", ")", "sqrt"))


def written(node: Node) -> Row:
    """Return a row that means a tree: ``3x^2-x/4``, ``(-1+sqrt(5))/2``.

    Raises:
        NoValueError: a number has more digits than could be read.
    """
    match node:
        case Number(value):
            return _number(value)
        case Letter(name):
            return (Sign(name),)
        case Negative(of):
            return (_MINUS, *_factor(of))
        case Sum(terms):
            return _sum(terms)
        case Product(factors):
            return _product(factors)
        case Quotient(dividend, divisor):
            above = written(dividend)
            if not isinstance(dividend, Sum) and above[0] == _MINUS:
                return (_MINUS, Bar(above[1:], written(divisor)))
            return (Bar(above, written(divisor)),)
        case Power(base, Number(value)) if value == _HALF:
            return (_ROOT, _OPEN, *written(base), _CLOSE)
        case Power(base, exponent):
            return (*_base(base), Raised(written(exponent)))
        case Factorial(of):
            return (*_base(of), Sign("!"))


def number_row(value: Fraction) -> tuple[Row, bool]:
    """Return a number as a row, and whether the row is exact.

    A number of more than `MAX_DIGITS` digits is a multiple of a power of ten: of twelve digits if that is exact, of six
    if not.
    """
    # A decimal digit is more than 3.3 bits.
    if value.numerator.bit_length() + value.denominator.bit_length() <= 3.3 * MAX_DIGITS:
        return _number(value), True
    for digits in (12, 6):
        context = Context(prec=digits, Emin=-(10**9), Emax=10**9)
        near = context.divide(Decimal(value.numerator), Decimal(value.denominator))
        exact = not context.flags[Inexact]
        if exact:
            break
    return _scientific(near), exact


def decimal_row(value: Fraction, *, places: int) -> Row | None:
    """Return a number as a decimal if that is exact with so many places; nothing otherwise."""
    scaled = value * 10**places
    if scaled.denominator != 1:
        return None
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    text = f"{digits[:-places]}.{digits[-places:]}".rstrip("0").rstrip(".")
    return _signs(f"-{text}" if value < 0 else text)


def decimal_near(value: float) -> Row:
    """Return a row for the six leading digits of a number."""
    if value == 0 or 1e-4 <= abs(value) < 1e9:
        return _signs(f"{value:.5f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:.6g}")
    return _scientific(Decimal(f"{value:.5e}"))


def _scientific(value: Decimal) -> Row:
    sign, digits, _ = value.as_tuple()
    mantissa = "".join(map(str, digits)).rstrip("0")
    text = mantissa if len(mantissa) == 1 else f"{mantissa[0]}.{mantissa[1:]}"
    ten = (*_signs("10"), Raised(_signs(str(value.adjusted()))))
    minus = (_MINUS,) if sign else ()
    return (*minus, *ten) if text == "1" else (*minus, *_signs(text), _TIMES, *ten)


def _signs(text: str) -> Row:
    return tuple(Sign(character) for character in text)


def _number(value: Fraction) -> Row:
    if bits(value) > _MAX_WRITTEN_BITS:
        raise NoValueError(TOO_LARGE)
    size = abs(value)
    row: Row = _signs(str(size.numerator))
    if size.denominator > 1:
        row = (Bar(row, _signs(str(size.denominator))),)
    return (_MINUS, *row) if value < 0 else row


def _sum(terms: tuple[Node, ...]) -> Row:
    row: Row = ()
    for term in terms:
        part = written(term)
        row += part if part[0] == _MINUS or not row else (_PLUS, *part)
    return row


def _product(factors: tuple[Node, ...]) -> Row:
    row: Row = ()
    for factor in factors:
        part = _factor(factor)
        first = part[0]
        crowded = isinstance(first, Bar) or (isinstance(first, Sign) and is_digit(first.label))
        row += (_TIMES, *part) if row and crowded else part
    return row


def _factor(node: Node) -> Row:
    row = written(node)
    return _bracketed(row) if isinstance(node, Sum) or row[0] == _MINUS else row


def _base(node: Node) -> Row:
    plain = isinstance(node, Letter) or (isinstance(node, Number) and node.value.denominator == 1 and node.value >= 0)
    row = written(node)
    return row if plain or is_enclosed(row) else _bracketed(row)


def _bracketed(row: Row) -> Row:
    return (_OPEN, *row, _CLOSE)
