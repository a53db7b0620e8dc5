"""How a run stands at a moment, and where the loop leaves that for whoever looks on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aggregator.engine import Rest, RoundView, Wait
from aggregator.registry import Presence

_OLD_S = 1.0
_POLL_S = 0.02


@dataclass(frozen=True)
class Standing:
    """A run at a moment; nothing in it changes afterwards.

    Attributes:
        run: its name.
        round: the round under way, or the last one.
        committed: how many rounds are.
        weights_sha256: of the last committed weights.
        wait: what is waited for, until when on the loop's clock; None if for nothing.
        left_s: how long from this moment until then, in seconds; infinite if for nothing.
        devices: by name, those that are away included.
        rests: of the devices that failed last, by name.
    """

    run: str
    round: RoundView
    committed: int
    weights_sha256: str
    wait: Wait | None
    left_s: float
    devices: Mapping[str, Presence]
    rests: Mapping[str, Rest]


class Lookout:
    """Hands a standing from the loop to those who look on, and only if they ask.

    The loop never waits for the others: whoever looks on asks (`ask`), the loop answers when it comes round
    (`answer`), and what it left is there to be seen (`latest`, `look`). Where nobody asks, the loop does nothing.

    Args:
        clock: seconds, never running backwards.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked = False
        self._left: tuple[Standing, float] | None = None

    def ask(self) -> None:
        """Ask for a new standing. From any thread."""
        self._asked = True

    def answer(self, take: Callable[[], Standing]) -> None:
        """Leave a standing, if one was asked for. On the loop's thread."""
        if self._asked:
            self._asked = False
            self._left = take(), self._clock()

    def latest(self) -> tuple[Standing, float] | None:
        """Return the newest standing and its age in seconds; None before the first. From any thread."""
        left = self._left
        return None if left is None else (left[0], self._clock() - left[1])

    def look(self, *, within_s: float) -> tuple[Standing, float] | None:
        """Ask, and return the newest standing and its age; waits for a new one where the last is from long ago.

        Who asks again and again has one that is as old as the time between. Who asks once an hour would be told what
        was an hour ago.

        Args:
            within_s: how long to wait at most, in seconds; the last standing has to do then. A loop that runs answers
                ten times a second.
        """
        before = self._left
        self.ask()
        if before is None or self._clock() - before[1] > _OLD_S:
            until = self._clock() + within_s
            while self._left is before and self._clock() < until:
                time.sleep(_POLL_S)
        return self.latest()
