"""What an expression means: its text, its LaTeX, its tree and its value."""

from edge_client.expression.latex import latex_of
from edge_client.expression.parser import parse
from edge_client.expression.refusal import NotAnExpressionError
from edge_client.expression.solver import Solver
from edge_client.expression.text import text_of
from edge_client.expression.text_reader import row_of, same_expression
from edge_client.expression.value import Value

__all__ = [
    "NotAnExpressionError",
    "Solver",
    "Value",
    "latex_of",
    "parse",
    "row_of",
    "same_expression",
    "text_of",
]
