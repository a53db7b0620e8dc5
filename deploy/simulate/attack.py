"""What devices do that misbehave on purpose, so that one can see what the aggregation bears. In simulations alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from shared.errors import SettingsError

Kind = Literal["sign-flip", "scale", "label-flip"]

DEFAULT_STRENGTH: dict[Kind, float] = {"sign-flip": 4.0, "scale": 20.0, "label-flip": 1.0}
"""How many times as long as the step that was learnt an attacker's step is, unless it is said."""

STRONGEST = 1e6


@dataclass(frozen=True)
class Attack:
    """What attackers do; ``base`` are the round's weights, ``w`` those that the device has learnt from them, ``s`` the
    strength.

    ============== ======================================================================================
    ``sign-flip``  sends ``base - s · (w - base)``: away from where it has learnt to go
    ``scale``      sends ``base + s · (w - base)``: far too far
    ``label-flip`` learns from wrong labels, each class under the name of the next, and sends as ``scale``
    ============== ======================================================================================

    Attributes:
        kind: which of them.
        strength: s, above 0.
    """

    kind: Kind
    strength: float

    def __str__(self) -> str:
        """Return the spelling that `parse_attack` reads."""
        return f"{self.kind}:{self.strength:g}"

    @property
    def factor(self) -> float:
        """What the step that was learnt is multiplied by."""
        return -self.strength if self.kind == "sign-flip" else self.strength


def parse_attack(text: str) -> Attack:
    """Read ``sign-flip``, ``scale`` or ``label-flip``, each perhaps with ``:STRENGTH``.

    Raises:
        SettingsError: it is none of them, or the strength is no number above 0, up to 1e6.
    """
    name, colon, given = text.partition(":")
    for kind, usual in DEFAULT_STRENGTH.items():
        if name == kind:
            strength = _number(given) if colon else usual
            if not 0 < strength <= STRONGEST:
                raise SettingsError(
                    f"the strength of an attack lies above 0, up to {STRONGEST:g}; got {given!r} in {text!r}"
                )
            return Attack(kind, strength)
    raise SettingsError(f"there is no attack {name!r}; choose one of {', '.join(DEFAULT_STRENGTH)}")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
