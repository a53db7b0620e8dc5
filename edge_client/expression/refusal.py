"""What is said of writing that is no expression."""

from __future__ import annotations

from shared.errors import DataError


class NotAnExpressionError(DataError):
    """A row or a text is not an expression.

    Attributes:
        reason: why, in words for the person who wrote it, such as ``something is missing after +``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"not an expression: {reason}")
        self.reason = reason
