"""What an expression means: its text, its LaTeX, its tree and its value."""

from edge_client.expression.latex import latex_of
from edge_client.expression.refusal import NotAnExpressionError
from edge_client.expression.text import text_of
from edge_client.expression.text_reader import row_of, same_expression

__all__ = ["NotAnExpressionError", "latex_of", "row_of", "same_expression", "text_of"]
