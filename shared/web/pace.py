"""How fast an address may ask: whoever has no token shall not use up the processor by asking for it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from shared.web.access import is_loopback, network_of

PER_SECOND = 100.0
"""So many requests a second of one address are answered for as long as it likes; a live view needs thirty."""

BURST = 400.0
"""So many more at once, after a rest."""

_MOST_ADDRESSES = 1024


class Pace:
    """Counts requests by the address that they come from (a token bucket for each).

    This machine's own are not counted: whoever runs programs here needs no page to keep it busy.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Count a request, and return whether it may be answered."""
        if is_loopback(address):
            return True
        network, now = network_of(address), self._clock()
        left, at = self._left.pop(network, (BURST, now))
        left = min(BURST, left + (now - at) * PER_SECOND)
        allowed = left >= 1
        self._left[network] = (left - 1 if allowed else left, now)
        while len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return allowed
