"""One reading at a time: a device has few cores, and whoever asks for more than it can do hears so at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

from shared.web.refusal import RefusedError

MOST_WAITING = 4
"""So many readings may wait for the one that is under way."""

Result = TypeVar("Result")


class Desk:
    """Does work on a thread, one piece at a time, in the order in which it came.

    Args:
        most_waiting: how many pieces may wait.
    """

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._most = most_waiting + 1
        self._taken = 0
        self._turn = anyio.Lock()

    async def do(self, work: Callable[[], Result]) -> Result:
        """Do a piece of work and return its result.

        Raises:
            RefusedError: too much is waiting already.
        """
        if self._taken >= self._most:
            raise RefusedError(503, "the device is busy reading; try again in a moment", headers={"retry-after": "1"})
        self._taken += 1
        try:
            async with self._turn:
                return await anyio.to_thread.run_sync(work)
        finally:
            self._taken -= 1
