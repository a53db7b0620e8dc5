"""The forms people give each symbol, written down from how hands are taught and how they drift from it."""

from __future__ import annotations

from shared.handwriting.allograph import Allograph
from shared.handwriting.allographs.high_digits import HIGH_DIGITS
from shared.handwriting.allographs.letters import LETTERS
from shared.handwriting.allographs.low_digits import LOW_DIGITS
from shared.handwriting.allographs.operators import OPERATORS
from shared.handwriting.allographs.schools import ANGLO, CONTINENTAL

__all__ = ["ALLOGRAPHS", "ANGLO", "CONTINENTAL"]

ALLOGRAPHS: dict[str, tuple[Allograph, ...]] = {**LOW_DIGITS, **HIGH_DIGITS, **OPERATORS, **LETTERS}
"""Every label the generator can write, with its forms."""
