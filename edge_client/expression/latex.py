"""From a row to LaTeX that KaTeX and MathJax set as it was written."""

from __future__ import annotations

from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.expression.shape import MAX_DEPTH, merged
from edge_client.expression.spelling import label_latex


def latex_of(row: Row) -> str:
    """Return a row in LaTeX, well-formed or not: ``\\frac{a+b}{2}``, ``x^{2}``, ``2\\times 3``.

    Nothing is left to guess: both signs of division and a fraction's bar differ. What stands deeper than `MAX_DEPTH`
    superscripts and fractions is ``\\ldots``.
    """
    return _latex(row, 0)


def _latex(row: Row, depth: int) -> str:
    if depth > MAX_DEPTH:
        return "\\ldots "
    written: list[str] = []
    items = tuple(merged(row))
    roofs = _roofs(items)
    for i, item in enumerate(items):
        if i in roofs:
            written.append(roofs[i])
        elif isinstance(item, Sign):
            written.append(label_latex(item.label))
        elif isinstance(item, Raised):
            # Without anything under it, or with a fraction, which has no corner of its own to hang it on.
            if not written:
                written.append("{}")
            elif written[-1].startswith("\\frac"):
                written[-1] = f"{{{written[-1]}}}"
            written.append(f"^{{{_latex(item.inner, depth + 1)}}}")
        elif isinstance(item, Bar):
            numerator, denominator = (_latex(side, depth + 1) for side in (item.numerator, item.denominator))
            written.append(f"\\frac{{{numerator}}}{{{denominator}}}")
    return "".join(written)


def _roofs(items: Row) -> dict[int, str]:
    """Return what stands in place of a root's sign and its brackets: a roof over what is in them."""
    labels = [item.label if isinstance(item, Sign) else "" for item in items]
    found: dict[int, str] = {}
    opened: list[int] = []
    for i, label in enumerate(labels):
        if label == "(":
            opened.append(i)
        elif label == ")" and opened:
            opening = opened.pop()
            if opening and labels[opening - 1] == "sqrt":
                found |= {opening - 1: "\\sqrt", opening: "{", i: "}"}
    return found
