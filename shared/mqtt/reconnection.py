"""What is tried after a connection, or an attempt at one, has ended. No I/O."""

from __future__ import annotations

from typing import Literal

import numpy as np

from shared.mqtt.backoff import Backoff
from shared.mqtt.connection import Protocol
from shared.mqtt.ending import Cause, Ending

# So many connections in a row that were lost soon after they were made look like two clients with one identifier.
_SUSPICIOUS = 3


class Reconnection:
    """Judges how connections end: which version of MQTT is tried next, and after how long. Of the network thread.

    Args:
        client_id: our identifier, for the words about another client that uses it.
        protocol: ``auto`` tries MQTT 5 and falls back to 3.1.1; a refusal of the version is remembered.
        backoff: the waits between attempts.
        rng: the jitter's generator.

    Attributes:
        protocol: the version of MQTT spoken, or tried next.
        failures: how many failures in a row count towards the next wait.
    """

    def __init__(
        self,
        *,
        client_id: str,
        protocol: Literal["auto", "5", "3.1.1"],
        backoff: Backoff,
        rng: np.random.Generator,
    ) -> None:
        self.protocol: Protocol = "3.1.1" if protocol == "3.1.1" else "5"
        self.failures = 0
        self._client_id = client_id
        self._may_choose = protocol == "auto"
        self._backoff = backoff
        self._rng = rng
        self._short_lived = 0

    def judged(self, ending: Ending, *, lived_s: float) -> Ending:
        """Return the end of a connection that held for ``lived_s`` seconds, in words that fit it.

        Connections that did not last are counted: not every broker says that another client took our place.
        """
        self.failures = self._backoff.failures_after(self.failures, lived_s=lived_s)
        if lived_s >= self._backoff.stable_s:
            self._short_lived = 0
            return ending
        self._short_lived += 1
        if ending.cause is Cause.LOST and self._short_lived >= _SUSPICIOUS:
            return Ending(
                Cause.LOST,
                f"{ending.reason}, {self._short_lived} times soon after it was made; "
                f"does another client use the identifier {self._client_id!r}?",
            )
        return ending

    def wait_after(self, ending: Ending) -> float:
        """Choose what to try next, and return how long to wait before, in seconds; 0 for at once."""
        if self._may_choose:
            if self.protocol == "5" and ending.cause in (Cause.VERSION, Cause.SILENT):
                # A refusal in words settles it; a connection closed without one may have other reasons.
                self._may_choose = ending.cause is Cause.SILENT
                self.protocol = "3.1.1"
                return 0.0
            self.protocol = "5"
        if ending.cause in (Cause.REFUSED, Cause.TAKEN_OVER):
            wait_s = self._backoff.wait_refused_s(rng=self._rng)
        else:
            wait_s = self._backoff.wait_s(self.failures, rng=self._rng)
        self.failures += 1
        return wait_s
