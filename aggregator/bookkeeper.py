"""Keeps the ledger of the round under way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from aggregator.ledger import RoundLedger
from aggregator.reception import Reception
from aggregator.sender import Sender
from shared.messages import UpdateManifest


class Bookkeeper:
    """Opens a ledger for each round, whatever its attempts, and closes it with the commit. Of the loop's thread.

    Args:
        reception: counts the bytes that come.
        sender: counts the bytes that go.
        clock: the loop's, in seconds.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self,
        *,
        reception: Reception,
        sender: Sender,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._reception = reception
        self._sender = sender
        self._clock = clock
        self._wall_clock = wall_clock
        self._ledger: RoundLedger | None = None
        self._round = 0

    def open(self, round_number: int, *, started: float, started_unix_s: float) -> None:
        """An attempt at a round begins; the first begins its ledger."""
        if self._ledger is None or self._round != round_number:
            self._ledger = RoundLedger(
                started=started,
                started_unix_s=started_unix_s,
                received_bytes=self._reception.received_bytes,
                delivered_bytes=self._sender.delivered_bytes,
            )
            self._round = round_number

    def count_manifest(self, size_bytes: int, *, devices: int) -> None:
        """So many devices are sent a manifest of this size."""
        if self._ledger is not None:
            self._ledger.manifest_bytes_down += size_bytes * devices

    def close(self, manifests: Sequence[UpdateManifest], *, weights_sha256: str) -> dict[str, Any]:
        """Return what the round cost, see `RoundLedger.close`."""
        now = self._clock()
        # After a restart between closing and committing, the round was never opened by this process.
        ledger = self._ledger or RoundLedger(
            started=now, started_unix_s=self._wall_clock(), received_bytes=0, delivered_bytes=0
        )
        self._ledger = None
        return ledger.close(
            now=now,
            received_bytes=self._reception.received_bytes,
            delivered_bytes=self._sender.delivered_bytes,
            manifests=manifests,
            weights_sha256=weights_sha256,
        )
