"""What a device's agent asks for (`edge_client.agent`): `edge_client.participation` carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from shared.messages import Range, RoundManifest, UpdateManifest


@dataclass(frozen=True)
class RoundKey:
    """One round of one run from one set of weights. A round that is opened again has the same key.

    Attributes:
        run: the run's name.
        round: its number, from 1.
        base: SHA-256 of the global weights that it starts from.
    """

    run: str
    round: int
    base: str

    @classmethod
    def of(cls, manifest: RoundManifest) -> RoundKey:
        """The round of a manifest."""
        return cls(manifest.run, manifest.round, manifest.weights.sha256)

    @classmethod
    def of_update(cls, update: UpdateManifest) -> RoundKey:
        """The round that an update is for."""
        return cls(update.run, update.round, update.base)


@dataclass(frozen=True)
class Answer:
    """The verdict on this device's part in a round. ``stale`` holds for one attempt, the others for the round."""

    key: RoundKey
    attempt: int
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class StartFetch:
    """Get what the round needs: model and weights; then say `Agent.fetched`."""

    manifest: RoundManifest


@dataclass(frozen=True)
class StopFetch:
    """The fetch is wanted no more."""


@dataclass(frozen=True)
class StartTraining:
    """Train; then say `Agent.trained` or `Agent.failed`."""

    manifest: RoundManifest


@dataclass(frozen=True)
class StopTraining:
    """The training is wanted no more; end it at the next batch."""


@dataclass(frozen=True)
class Offer:
    """Publish the update's manifest."""

    update: UpdateManifest


@dataclass(frozen=True)
class SendChunks:
    """Publish these chunks of the update; then say `Agent.sent`."""

    update: UpdateManifest
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class StopSending:
    """Chunks of this update that are still to be published are wanted no more."""


@dataclass(frozen=True)
class DropUpdate:
    """Delete the update from the disk; first keep the answer, if there is one."""

    answer: Answer | None


@dataclass(frozen=True)
class Finished:
    """The run is over, and these are its last weights; said once."""

    manifest: RoundManifest


Effect = (
    StartFetch | StopFetch | StartTraining | StopTraining | Offer | SendChunks | StopSending | DropUpdate | Finished
)
