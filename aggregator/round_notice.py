"""The retained ``round`` message: what the fleet is to do now, written, and written again where it may be lost."""

from __future__ import annotations

from collections.abc import Callable

from aggregator.engine import PublishRound
from aggregator.patience import Patience
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from shared.errors import RunError
from shared.messages import MAX_MESSAGE_BYTES, BlobRef, ModelRef, RoundManifest
from shared.rising_numbers import RisingNumbers
from shared.signing import TAIL_BYTES
from shared.topics import Topics

# An open round is published again after so many seconds, then after twice as many, and so on: a broker whose queue for
# a device was full has dropped it, retained or not.
_REPEAT_S = 10.0


class RoundNotice:
    """Publishes the round's manifest. Called on the loop's thread.

    Args:
        settings: of the aggregator.
        run: the run's name.
        sender: publishes.
        sequence: numbers the manifests; each number is on the disk before its manifest is published.
        patience: waits for room on the disk.
        clock: seconds, never running backwards.
        wall_clock: Unix time in seconds.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        run: str,
        sender: Sender,
        sequence: RisingNumbers,
        patience: Patience,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._run = run
        self._topic = Topics(settings.fleet).round
        self._sender = sender
        self._sequence = sequence
        self._patience = patience
        self._clock = clock
        self._wall_clock = wall_clock
        self._published: bytes | None = None
        self._repeat_at, self._repeat_s = float("inf"), _REPEAT_S

    @property
    def repeat_at(self) -> float:
        """When `repeat` has something to do, on the clock."""
        return self._repeat_at

    def publish(self, effect: PublishRound, *, model: ModelRef, weights: BlobRef) -> int:
        """Publish what the fleet is to do; return how many bytes say it, its signature apart.

        Args:
            effect: the round, and who is invited.
            model: that is trained.
            weights: to start from; the last ones where no round follows.

        Raises:
            RunError: so many are invited that devices would refuse the message unread.
            BlockedError: there is no room on the disk for its number, and the waiting was ended.
        """
        settings, now = self._settings, self._clock()
        message = RoundManifest(
            run=self._run,
            round=effect.round,
            rounds=settings.rounds,
            phase=effect.phase,
            attempt=effect.attempt,
            invited=effect.invited,
            quorum=effect.quorum,
            deadline_unix_s=self._wall_clock() + min(max(effect.deadline - now, 0.0), 1e9),
            model=model,
            weights=weights,
            plan=settings.training_plan(round_number=max(1, effect.round)),
            sequence=self._next_sequence(),
        )
        published = message.encode()
        size = len(published) + TAIL_BYTES
        if size > MAX_MESSAGE_BYTES:
            raise RunError(
                f"round {effect.round}: a manifest that names all {len(effect.invited)} devices has {size:,} bytes, "
                f"and devices take {MAX_MESSAGE_BYTES:,}; invite fewer with --per-round"
            )
        self._published = published
        self._repeat_s = _REPEAT_S
        self._repeat_at = now + self._repeat_s if effect.phase == "open" else float("inf")
        self.say_again()
        return len(published)

    def say_again(self) -> None:
        """Publish the newest manifest as it is, if there is one: a broker may have forgotten it."""
        if self._published is not None:
            self._sender.control(self._topic, self._published, retain=True)

    def repeat(self) -> None:
        """Publish an open round again, if it is time."""
        if self._clock() >= self._repeat_at:
            self.say_again()
            self._repeat_s *= 2
            self._repeat_at = self._clock() + self._repeat_s

    def _next_sequence(self) -> int:
        sequence = self._sequence.next()
        self._patience.insist(lambda: self._sequence.remember(sequence))
        return sequence
