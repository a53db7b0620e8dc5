"""Everything that bytes from outside reach first: by name, with a good example to begin from, and what it may raise."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.enrolment import FleetFolder
from shared.errors import InkfleetError, ModelError, ProtocolError, SettingsError
from shared.identity import Identity
from shared.messages import (
    BlobRef,
    DeviceState,
    Failure,
    LocalMetrics,
    MessageModel,
    ModelRef,
    Reply,
    RoundManifest,
    Score,
    ServerState,
    TrainingPlan,
    UpdateManifest,
    Want,
    decode,
)
from shared.roster import RosterList
from shared.signing import KeyCheck, KeySeal
from shared.tensors import decode_tensors, encode_tensors
from shared.topics import Topics
from tflite_models.bundle import builtin_bundle
from tflite_models.flatbuffer import check_builtin_only, check_no_scalars, parse
from tflite_models.manifest import parse_manifest

TOPICS = Topics("school")
SHAPES = {"kernel": (3, 2), "bias": (2,)}
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@dataclass(frozen=True)
class Parser:
    """Something that reads bytes of a stranger.

    Attributes:
        read: takes the bytes; returns anything, or raises ``refuses``.
        refuses: the one kind of error that it may raise, in one line.
        good: bytes that it takes.
    """

    read: Callable[[bytes], object]
    refuses: type[InkfleetError]
    good: tuple[bytes, ...]


def _blob(byte: int = 1) -> BlobRef:
    return BlobRef.of(bytes([byte]) * 3000, chunk_bytes=1024)


def _score() -> Score:
    return Score(loss=0.5, accuracy=0.75, samples=40)


def update_manifest() -> UpdateManifest:
    """A whole update manifest with everything in it."""
    metrics = LocalMetrics(train=_score(), holdout_before=_score(), holdout_after=_score(), train_s=1.5)
    return UpdateManifest(run="r-1", round=3, attempt=1, samples=40, base="0" * 64, blob=_blob(), metrics=metrics)


def round_manifest() -> RoundManifest:
    """A whole round manifest."""
    model = ModelRef(name="arithmetic", manifest=_blob(2), program=_blob(3), reader=_blob(4))
    return RoundManifest(
        run="r-1",
        round=3,
        rounds=9,
        phase="open",
        invited=("ann", "bob"),
        quorum=2,
        deadline_unix_s=2e9,
        model=model,
        weights=_blob(),
        plan=TrainingPlan(),
        sequence=17,
    )


def device_state() -> DeviceState:
    """A presence with everything in it."""
    failure = Failure(run="r-1", round=3, attempt=1, reason="no room")
    return DeviceState(online=True, session=5, samples={"1": 10, "+": 4}, activity="failed", failure=failure)


def _message(kind: type[MessageModel], good: MessageModel) -> Parser:
    return Parser(lambda data: decode(kind, data, topic="fl/v1/school/topic"), ProtocolError, (good.encode(),))


def _topic(data: bytes) -> object:
    text = data.decode(errors="replace")
    if "/blob/" in text:
        return TOPICS.parse_blob_chunk(text)
    return TOPICS.parse_device(text)


def _file(read: Callable[[Path], object], data: bytes) -> object:
    """Read a file that was copied from somewhere."""
    with tempfile.NamedTemporaryFile(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as file:
        file.write(data)
        file.flush()
        return read(Path(file.name))


def _enrolled() -> tuple[bytes, bytes]:
    """Return a device's identity and the roster of a fleet that was just made."""
    with tempfile.TemporaryDirectory() as home:
        fleet = FleetFolder(Path(home) / "fleet")
        fleet.init(fleet="school", hosts=("localhost",))
        fleet.enroll(["ann"])
        identity = (fleet.folder / "devices" / "ann.pem").read_bytes()
        return identity, (fleet.folder / "aggregator" / "roster.json").read_bytes()


def _program(data: bytes) -> object:
    model = parse(data, name="train.tflite")
    check_builtin_only(model, name="train.tflite")
    check_no_scalars(model, name="train.tflite")
    return model


@cache
def parsers() -> dict[str, Parser]:
    """Return all of them."""
    rng = np.random.default_rng(1)
    tensors = encode_tensors({name: rng.random(shape, np.float32) for name, shape in SHAPES.items()})
    seal, check = KeySeal(_KEY), KeyCheck(lambda topic: _KEY.public_key())
    bundle = builtin_bundle("arithmetic")
    identity, roster = _enrolled()
    reply = Reply(run="r-1", round=3, sha256="0" * 64, verdict="lacking", ranges=((0, 3),))
    return {
        "round": _message(RoundManifest, round_manifest()),
        "update": _message(UpdateManifest, update_manifest()),
        "state": _message(DeviceState, device_state()),
        "want": _message(Want, Want(sha256="0" * 64, ranges=((0, 3), (5, 9)))),
        "reply": _message(Reply, reply),
        "server": _message(ServerState, ServerState(online=True, session=4)),
        "signature": Parser(
            lambda data: check.check("fl/v1/school/round", data),
            ProtocolError,
            (seal.sign("fl/v1/school/round", round_manifest().encode()),),
        ),
        "topic": Parser(
            _topic,
            ProtocolError,
            (
                TOPICS.update_chunk("ann", "0" * 64, 7).encode(),
                TOPICS.blob_chunk("0" * 64, 12).encode(),
                TOPICS.reply("ann").encode(),
            ),
        ),
        "identity": Parser(partial(_file, partial(Identity.load, role="device")), SettingsError, (identity,)),
        "roster": Parser(partial(_file, RosterList.load), SettingsError, (roster,)),
        "tensors": Parser(lambda data: decode_tensors(data, shapes=SHAPES), ProtocolError, (tensors,)),
        "model": Parser(parse_manifest, ModelError, (bundle.manifest_bytes,)),
        "program": Parser(_program, ModelError, (bundle.reader[:60_000], bundle.program[:60_000])),
    }
