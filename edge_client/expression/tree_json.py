"""Trees as JSON, between the program and its worker: lists that start with the kind of node."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

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

Json: TypeAlias = list["str | Json"]


def to_json(tree: Tree) -> Json:
    """Return a tree as lists and strings."""
    match tree:
        case Number(value):
            # In base 16: decimal takes time that grows with the square of the digits, and Python bounds it.
            return ["number", hex(value.numerator), hex(value.denominator)]
        case Letter(name):
            return ["letter", name]
        case Negative(of):
            return ["negative", to_json(of)]
        case Sum(parts):
            return ["sum", *map(to_json, parts)]
        case Product(parts):
            return ["product", *map(to_json, parts)]
        case Quotient(dividend, divisor):
            return ["quotient", to_json(dividend), to_json(divisor)]
        case Power(base, exponent):
            return ["power", to_json(base), to_json(exponent)]
        case Factorial(of):
            return ["factorial", to_json(of)]
        case Relation(sides, signs):
            return ["relation", list(signs), *map(to_json, sides)]


def from_json(json: Json) -> Tree:
    """Return the tree that `to_json` wrote.

    Raises:
        ValueError: it is no tree.
    """
    match json:
        case ["relation", list(signs), *sides] if len(sides) == len(signs) + 1:
            return Relation(tuple(map(_node, sides)), tuple(map(str, signs)))
    return _node(json)


def _node(json: str | Json) -> Node:
    match json:
        case ["number", str(numerator), str(denominator)]:
            return Number(Fraction(int(numerator, 16), int(denominator, 16)))
        case ["letter", str(name)]:
            return Letter(name)
        case ["negative", of]:
            return Negative(_node(of))
        case ["sum", *parts] if parts:
            return Sum(tuple(map(_node, parts)))
        case ["product", *parts] if parts:
            return Product(tuple(map(_node, parts)))
        case ["quotient", dividend, divisor]:
            return Quotient(_node(dividend), _node(divisor))
        case ["power", base, exponent]:
            return Power(_node(base), _node(exponent))
        case ["factorial", of]:
            return Factorial(_node(of))
    raise ValueError(f"no node: {str(json)[:40]!r}")
