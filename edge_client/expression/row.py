"""What is written, as it is laid out: signs on a line, what is raised, and fractions with a bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Sign:
    """One symbol on the line.

    Attributes:
        label: its class.
        symbol: its index among the symbols of the reading's line; -1 where the row comes from text.
    """

    label: str
    symbol: int = -1


@dataclass(frozen=True)
class Raised:
    """A superscript of what stands left of it."""

    inner: Row


@dataclass(frozen=True)
class Bar:
    """A fraction with a bar.

    Attributes:
        symbol: the index of the bar among the symbols of the reading's line; -1 where the row comes from text.
    """

    numerator: Row
    denominator: Row
    symbol: int = -1


Row: TypeAlias = tuple[Sign | Raised | Bar, ...]
"""From left to right."""
