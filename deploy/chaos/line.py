"""What can be wrong with a line, and what a line has done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]
"""From the client to the broker, or back."""

BOTH: frozenset[Direction] = frozenset(("up", "down"))


def every_topic(topic: str) -> bool:
    """Touch all PUBLISH packets."""
    return True


@dataclass(frozen=True)
class Line:
    """What is wrong with a line at present; nothing, unless set.

    Attributes:
        kbit_s: each connection carries no more than this in each direction, in kbit/s; None for no limit.
        stalled: directions in which nothing is passed on, while connections stay open.
        drop: probability that a PUBLISH disappears; nobody acknowledges it.
        lose: probability that a PUBLISH disappears and is acknowledged nevertheless.
        repeat: probability that a PUBLISH is passed on twice, the second time with DUP.
        reorder: probability that a PUBLISH changes places with the packet after it.
        touches: which topics the four before apply to.
        cut_every_s: every connection is cut after so long, in seconds; None for never.
        refusing: new connections are refused.
    """

    kbit_s: float | None = None
    stalled: frozenset[Direction] = frozenset()
    drop: float = 0.0
    lose: float = 0.0
    repeat: float = 0.0
    reorder: float = 0.0
    touches: Callable[[str], bool] = every_topic
    cut_every_s: float | None = None
    refusing: bool = False

    @property
    def touches_packets(self) -> bool:
        """Whether any PUBLISH is touched."""
        return bool(self.drop or self.lose or self.repeat or self.reorder)


@dataclass
class Counts:
    """What a line has carried and done, over all its connections; of one direction.

    Attributes:
        passed_bytes: passed on.
        dropped, lost, repeated, reordered: PUBLISH packets.
    """

    passed_bytes: int = 0
    dropped: int = 0
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
