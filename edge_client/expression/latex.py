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
    for item in merged(row):
        if isinstance(item, Sign):
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
