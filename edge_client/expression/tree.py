"""The tree of an expression: what is computed, in place of what is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True)
class Number:
    """An exact number."""

    value: Fraction


@dataclass(frozen=True)
class Letter:
    """An unknown, by its label; ``pi`` is the number."""

    name: str


@dataclass(frozen=True)
class Negative:
    """A value with a minus before it."""

    of: Node


@dataclass(frozen=True)
class Sum:
    """Two terms or more."""

    terms: tuple[Node, ...]


@dataclass(frozen=True)
class Product:
    """Two factors or more."""

    factors: tuple[Node, ...]


@dataclass(frozen=True)
class Quotient:
    """A fraction, or a chain of divisions: ``a/b*c/d`` is ``(ac)/(bd)``."""

    dividend: Node
    divisor: Node


@dataclass(frozen=True)
class Power:
    """A base with an exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True)
class Factorial:
    """The product of the whole numbers up to a value."""

    of: Node


@dataclass(frozen=True)
class Relation:
    """Two sides or more, with a label such as ``=`` or ``lt`` between each and the next."""

    sides: tuple[Node, ...]
    signs: tuple[str, ...]


Node: TypeAlias = Number | Letter | Negative | Sum | Product | Quotient | Power | Factorial
"""Something with a value."""

Tree: TypeAlias = Node | Relation
"""A whole expression."""


def parts_of(tree: Tree) -> tuple[Node, ...]:
    """Return the nodes directly under one."""
    match tree:
        case Negative(of) | Factorial(of):
            return (of,)
        case Sum(parts) | Product(parts) | Relation(parts):
            return parts
        case Quotient(first, second) | Power(first, second):
            return (first, second)
    return ()


def letters_of(tree: Tree) -> tuple[str, ...]:
    """Return the unknowns, ``x``, ``y`` and ``z`` first, then by the alphabet; ``pi`` is none."""
    found = {node.name for node in _nodes(tree) if isinstance(node, Letter)} - {"pi"}
    return tuple(sorted(found, key=lambda name: (name not in ("x", "y", "z"), name)))


def _nodes(tree: Tree) -> Iterator[Tree]:
    waiting: list[Tree] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += parts_of(node)
