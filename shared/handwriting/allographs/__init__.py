"""The forms people give each symbol, written down from how hands are taught and how they drift from it."""

from __future__ import annotations

from shared.handwriting.allograph import Allograph
from shared.handwriting.allographs.digits import ANGLO, CONTINENTAL, DIGITS
from shared.handwriting.allographs.letters import LETTERS
from shared.handwriting.allographs.operators import OPERATORS

__all__ = ["ALLOGRAPHS", "ANGLO", "CONTINENTAL"]

ALLOGRAPHS: dict[str, tuple[Allograph, ...]] = {**DIGITS, **OPERATORS, **LETTERS}
"""Every label the generator can write, with its forms."""
