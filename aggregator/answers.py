"""What each device is told of its update, and what the log is told of that."""

from __future__ import annotations

from aggregator.acceptance import Refusal
from aggregator.events import EventLog
from aggregator.receiver import Lacking
from aggregator.sender import Sender
from shared.messages import Reply, UpdateManifest
from shared.topics import Topics

# A client whose updates are refused again and again must not fill the disk with events.
_MOST_REFUSALS_SAID = 1000


class Answers:
    """Replies to updates. Called on the loop's thread.

    Args:
        topics: of the fleet.
        sender: for the replies.
        log: for the event ``update``.
    """

    def __init__(self, topics: Topics, *, sender: Sender, log: EventLog) -> None:
        self._topics = topics
        self._sender = sender
        self._log = log
        self._refusals_said = 0

    def round_opened(self) -> None:
        """Begin to count the refusals anew."""
        self._refusals_said = 0

    def ask_for(self, lacking: Lacking) -> None:
        """Ask a device for what is lacking of its update."""
        manifest = lacking.manifest
        reply = Reply(
            run=manifest.run,
            round=manifest.round,
            sha256=manifest.blob.sha256,
            verdict="lacking",
            ranges=lacking.ranges,
        )
        self._sender.control(self._topics.reply(lacking.device), reply.encode())

    def accept(self, device: str, manifest: UpdateManifest, *, received: int, of: int) -> None:
        """Tell a device that its update counts.

        Args:
            device: whose update it is.
            manifest: of the update.
            received: how many updates count now.
            of: how many devices were invited.
        """
        self._reply(device, manifest, None)
        self._say(device, manifest, "accepted", received=received, of=of)

    def refuse(self, device: str, manifest: UpdateManifest, refusal: Refusal, *, received: int, of: int) -> None:
        """Tell a device that its update does not count, and why; the log is told of the first thousand in a round.

        Args:
            device, manifest, received, of: see `accept`.
            refusal: the verdict, and its reason.
        """
        self._reply(device, manifest, refusal)
        self._refusals_said += 1
        if self._refusals_said <= _MOST_REFUSALS_SAID:
            self._say(device, manifest, refusal.verdict, received=received, of=of, reason=refusal.reason)

    def say_duplicate(self, device: str, manifest: UpdateManifest) -> None:
        """Tell a device that its update counted in an earlier round; the log knows that already."""
        self._reply(device, manifest, Refusal("duplicate"))

    def _reply(self, device: str, manifest: UpdateManifest, refusal: Refusal | None) -> None:
        reply = Reply(
            run=manifest.run,
            round=manifest.round,
            sha256=manifest.blob.sha256,
            verdict="accepted" if refusal is None else refusal.verdict,
            reason="" if refusal is None else refusal.reason[:500],
        )
        self._sender.control(self._topics.reply(device), reply.encode())

    def _say(
        self, device: str, manifest: UpdateManifest, verdict: str, *, received: int, of: int, reason: str = ""
    ) -> None:
        self._log.say(
            "update",
            round=manifest.round,
            device=device,
            samples=manifest.samples,
            verdict=verdict,
            reason=reason,
            received=received,
            of=of,
            metrics=manifest.metrics.model_dump(),
        )
