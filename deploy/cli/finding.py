"""What a check of this machine found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """What one check found: ``note`` limits something, ``fault`` keeps Inkfleet from running."""

    check: str
    verdict: Verdict
    says: str
