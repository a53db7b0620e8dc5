"""Questions about a row that text, LaTeX and tree all ask."""

from __future__ import annotations

from collections.abc import Iterator

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.spelling import CLOSING, OPENING, SEPARATING, is_digit

MAX_DEPTH = 32
"""How deep exponents, fractions and brackets may stand in each other; no one writes half as deep."""

MAX_SYMBOLS = 400
"""How many symbols a row may have to be understood."""


def merged(row: Row) -> Iterator[Sign | Raised | Bar]:
    """Yield a row's items, neighbouring superscripts as one: on paper, there is no border between them."""
    inner: Row = ()
    raised = False
    for item in row:
        if isinstance(item, Raised):
            inner, raised = inner + item.inner, True
            continue
        if raised:
            yield Raised(inner)
            inner, raised = (), False
        yield item
    if raised:
        yield Raised(inner)


def extent(row: Row) -> tuple[int, int]:
    """Return how many symbols a row has, and how deep superscripts and fractions stand in each other.

    Any depth is measured: it is not done by recursion. Counting ends soon after `MAX_SYMBOLS`.
    """
    symbols = deepest = 0
    waiting = [(row, 0)]
    while waiting and symbols <= MAX_SYMBOLS:
        items, depth = waiting.pop()
        deepest = max(deepest, depth)
        for item in items:
            symbols += 1
            if isinstance(item, Raised):
                waiting.append((item.inner, depth + 1))
            elif isinstance(item, Bar):
                waiting += [(item.numerator, depth + 1), (item.denominator, depth + 1)]
    return symbols, deepest


def is_number(row: Row) -> bool:
    """Return whether a row is digits and points alone."""
    return bool(row) and all(isinstance(item, Sign) and is_digit(item.label) for item in row)


def is_enclosed(row: Row) -> bool:
    """Return whether a row's first sign is a round bracket that its last sign closes."""
    depth = 0
    for i, item in enumerate(row):
        label = item.label if isinstance(item, Sign) else ""
        depth += (label == "(") - (label == ")")
        if depth <= 0:
            return i > 0 and i == len(row) - 1
    return False


def is_factor_before(item: Sign | Raised | Bar | None) -> bool:
    """Return whether an item, left of an operand, makes a product with it."""
    if isinstance(item, Sign):
        return item.label not in SEPARATING and item.label not in OPENING
    return item is not None


def is_factor_after(item: Sign | Raised | Bar | None) -> bool:
    """Return whether an item, right of an operand, makes a product or a power with it."""
    if isinstance(item, Sign):
        return item.label not in SEPARATING and item.label not in CLOSING
    return item is not None
