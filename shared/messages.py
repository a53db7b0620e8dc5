"""The control messages of the protocol: small JSON documents that ``mosquitto_sub`` shows to a person.

Keys that a reader does not know are passed over, so that a newer writer can add some.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from shared.errors import ProtocolError

MAX_MESSAGE_BYTES = 256 * 1024
"""A control message larger than this is refused unread."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1 << 31)]
"""Rounds, attempts, samples: bounded, so that they fit a database's integers and sums of them stay finite."""
Ordinal = Annotated[int, Field(ge=1, le=1 << 31)]
"""The same, from one on."""
Number = Annotated[int, Field(ge=0, le=1 << 62)]
"""A session's number."""
Measured = Annotated[float, Field(allow_inf_nan=False, ge=-1e39, le=1e39)]
"""What a device measured: any float32, and means over many of them are still finite."""
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e12)]
MOST_REASON_CHARACTERS = 300


def _in_a_line(text: str) -> str:
    """Cut what a stranger wrote to a length for logs, and leave nothing in it that moves a terminal's cursor."""
    return "".join(c if c.isprintable() else " " for c in text[:MOST_REASON_CHARACTERS]).strip()


Reason = Annotated[str, AfterValidator(_in_a_line)]
"""Words of a device for a person: one printable line, cut to `MOST_REASON_CHARACTERS`."""
Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]]
"""Chunk indices from the first up to, and without, the second."""


class MessageModel(BaseModel):
    """What all messages are: immutable, patient about unknown keys, and read strictly: no text passes for a number."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def encode(self) -> bytes:
        """Write the message as JSON."""
        return self.model_dump_json().encode()


class BlobRef(MessageModel):
    """How to fetch some bytes and know that they are the right ones.

    Attributes:
        sha256: of the whole.
        size_bytes: of the whole.
        chunk_bytes: of every chunk but the last.
    """

    sha256: Sha256
    size_bytes: int = Field(gt=0, le=1 << 31)
    chunk_bytes: int = Field(ge=256, le=1 << 28)

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.size_bytes // self.chunk_bytes)

    @classmethod
    def of(cls, data: bytes, *, chunk_bytes: int) -> BlobRef:
        """Describe these bytes."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), chunk_bytes=chunk_bytes)


class ModelRef(MessageModel):
    """The model of a run: its manifest, whose hash is the model's identity, and its training program."""

    name: str = Field(max_length=200)
    manifest: BlobRef
    program: BlobRef
    reader: BlobRef


class TrainingPlan(MessageModel):
    """How a device trains in a round.

    Attributes:
        seed: with the round's number and the device's name it seeds the device's generator.
    """

    local_epochs: int = Field(default=2, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=1, le=65_536)
    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: Finite = Field(default=0.05, gt=0)
    momentum: Finite = Field(default=0.9, ge=0, lt=1)
    clip_norm: Finite = Field(default=0.0, ge=0, description="greatest L2 norm of a gradient; 0 switches it off")
    prox_mu: Finite = Field(default=0.0, ge=0, description="strength of FedProx's term; 0 switches it off")
    augment: Finite = Field(default=0.0, ge=0, le=4, description="how much samples are changed at random; 0: not")
    balance: Finite = Field(default=0.0, ge=0, le=1, description="how far an epoch evens out a device's labels")
    seed: int = Field(default=0, ge=0, lt=1 << 63)


class ServerState(MessageModel):
    """Whether the aggregator is there. A will carries the session it speaks for."""

    online: bool
    session: Number


class RoundManifest(MessageModel):
    """What the fleet is to do now; retained, so that whoever connects knows it.

    Attributes:
        run: names the training run; a new run begins at round 1 with other weights.
        phase: ``open`` while updates are taken; ``closed`` while they are averaged; ``finished`` when no round follows.
        attempt: counts how often this round was opened; it is opened again where too few updates came.
        invited: the devices that are to train; in the order of their names.
        deadline_unix_s: when the round closes, by the aggregator's clock; for people to read.
        quorum: how many updates the round needs.
        weights: the safetensors file of the global weights to start from (finished: the last ones).
        sequence: greater in every manifest than in the one before, whatever the run: an enrolled device follows none
            that is older than one it has followed.
    """

    run: Name
    round: Count
    rounds: Count
    phase: Literal["open", "closed", "finished"]
    attempt: Ordinal = 1
    invited: tuple[Name, ...] = ()
    quorum: Count
    deadline_unix_s: Finite
    model: ModelRef
    weights: BlobRef
    plan: TrainingPlan
    sequence: Number = 0


class Capabilities(MessageModel):
    """What a device is."""

    version: str = Field(default="", max_length=64)
    runtime: str = Field(default="", max_length=64)
    machine: str = Field(default="", max_length=64)
    cores: int = Field(default=1, ge=1, le=4096)


class Failure(MessageModel):
    """A device's word that no update of it will come to a round, and why.

    It holds for one attempt: when the round is opened again, the device tries again.
    """

    run: Name
    round: Ordinal
    attempt: Ordinal
    reason: Reason = ""


class DeviceState(MessageModel):
    """A device's presence. A will carries the session it speaks for; a death with an old number is ignored.

    Attributes:
        session: grows with every connection of the device.
        samples: how many training samples the device holds of each label.
        activity: what it does, for people to read: ``idle``, ``fetching``, ``waiting``, ``training``, ``uploading``,
            ``failed``.
        paused: its owner has paused training: it is not to be invited until that is over.
        failure: the round that it cannot take part in, while it is ``failed`` or paused.
    """

    online: bool
    session: Number
    samples: dict[str, Count] = Field(default_factory=dict, max_length=4096)
    capabilities: Capabilities = Capabilities()
    activity: str = Field(default="idle", max_length=32)
    paused: bool = False
    failure: Failure | None = None


class Want(MessageModel):
    """The chunks of a blob that a device lacks."""

    sha256: Sha256
    ranges: tuple[Range, ...] = Field(min_length=1, max_length=1024)


class Score(MessageModel):
    """How well weights read some samples. ``loss`` is the mean cross-entropy in nats."""

    loss: Measured
    accuracy: Finite = Field(ge=0, le=1)
    samples: Count


class LocalMetrics(MessageModel):
    """What a device measured in a round.

    Attributes:
        train: over the last local epoch, while training.
        holdout_before: the global weights on the samples that this device keeps out of training, if it has any.
        holdout_after: its own new weights on the same samples.
        fetch_s: from the round's manifest to the weights being there.
        train_s: training and the two checks on the hold-out.
        train_started_unix_s: by the device's clock.
        train_ended_unix_s: by the device's clock.
    """

    train: Score
    holdout_before: Score | None = None
    holdout_after: Score | None = None
    fetch_s: Seconds = 0.0
    train_s: Seconds = 0.0
    train_started_unix_s: Seconds = 0.0
    train_ended_unix_s: Seconds = 0.0


class UpdateManifest(MessageModel):
    """A device's update to a round. Its key is (run, round, device, sha256): a duplicate counts once.

    Attributes:
        samples: how many samples it was trained on, once each.
        base: the hash of the global weights it started from.
        blob: the safetensors file of its weights.
        follows: whether its chunks follow by themselves; if not, they wait to be asked for.
    """

    run: Name
    round: Ordinal
    attempt: Ordinal = 1
    samples: Ordinal
    base: Sha256
    blob: BlobRef
    metrics: LocalMetrics
    follows: bool = True


class Reply(MessageModel):
    """The aggregator's answer to an update. Only a verdict, never a PUBACK, ends a device's care for its update.

    Attributes:
        verdict: ``lacking`` asks for the chunks in ``ranges``; the others are final.
        reason: in words, when stale or rejected.
    """

    run: Name
    round: Ordinal
    sha256: Sha256
    verdict: Literal["lacking", "accepted", "duplicate", "stale", "rejected"]
    reason: str = Field(default="", max_length=500)
    ranges: tuple[Range, ...] = Field(default=(), max_length=1024)


M = TypeVar("M", bound=MessageModel)


def decode(kind: type[M], payload: bytes, *, topic: str) -> M:
    """Read a message.

    Raises:
        ProtocolError: too large, not JSON, or not of this kind; the message names the topic and the first fault.
    """
    if len(payload) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"{topic}: expected at most {MAX_MESSAGE_BYTES} bytes, got {len(payload)}")
    try:
        return kind.model_validate_json(payload, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        # A key of the sender's choice may be in it: it goes into logs and onto terminals.
        where = ascii(".".join(str(part) for part in fault["loc"]))[1:-1][:100] or "message"
        raise ProtocolError(f"{topic}: {where}: {fault['msg']}"[:500]) from None
