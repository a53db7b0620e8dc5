"""Messages: what one side encodes the other decodes, and anything else is refused in one line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError
from shared.messages import (
    MAX_MESSAGE_BYTES,
    BlobRef,
    DeviceState,
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

BLOB = BlobRef.of(b"x" * 1000, chunk_bytes=256)
MESSAGES: list[MessageModel] = [
    ServerState(online=True, session=3),
    RoundManifest(
        run="r1",
        round=2,
        rounds=10,
        phase="open",
        invited=("a", "b"),
        quorum=2,
        deadline_unix_s=1.5,
        model=ModelRef(name="arithmetic", manifest=BLOB, program=BLOB, reader=BLOB),
        weights=BLOB,
        plan=TrainingPlan(),
    ),
    DeviceState(online=True, session=9, samples={"1": 20}),
    Want(sha256=BLOB.sha256, ranges=((0, 2), (3, 4))),
    UpdateManifest(
        run="r1",
        round=2,
        samples=10,
        base=BLOB.sha256,
        blob=BLOB,
        metrics=LocalMetrics(train=Score(loss=0.5, accuracy=0.9, samples=10)),
    ),
    Reply(run="r1", round=2, sha256=BLOB.sha256, verdict="lacking", ranges=((0, 4),)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives_the_wire(message: MessageModel) -> None:
    """Decoding what was encoded gives the same message."""
    assert decode(type(message), message.encode(), topic="t") == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_unknown_keys_are_passed_over(message: MessageModel) -> None:
    """A newer writer may add keys."""
    wider = json.loads(message.encode()) | {"colour": "blue"}
    assert decode(type(message), json.dumps(wider).encode(), topic="t") == message


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(payload: bytes) -> None:
    """Bytes that are no message raise a protocol error that names the topic."""
    for kind in {type(message) for message in MESSAGES}:
        with pytest.raises(ProtocolError, match=r"^fl/v1/x: "):
            decode(kind, payload, topic="fl/v1/x")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"round": 0}, "round"),
        ({"samples": 0}, "samples"),
        ({"samples": 1 << 40}, "samples"),
        ({"samples": "3"}, "samples"),
        ({"samples": True}, "samples"),
        ({"samples": 3.0}, "samples"),
        ({"run": 7}, "run"),
        ({"round": 10**30}, "round"),
        ({"attempt": 10**30}, "attempt"),
        ({"metrics": {"train": {"loss": 1e308, "accuracy": 0.5, "samples": 1}}}, "metrics.train.loss"),
        ({"metrics": {"train": {"loss": 1.0, "accuracy": 0.5, "samples": 10**400}}}, "metrics.train.samples"),
        ({"run": "a/b"}, "run"),
        ({"base": "zz"}, "base"),
        ({"blob": {"sha256": BLOB.sha256, "size_bytes": -1, "chunk_bytes": 256}}, "blob.size_bytes"),
        ({"metrics": {"train": {"loss": "NaN", "accuracy": 0.5, "samples": 1}}}, "metrics.train.loss"),
    ],
)
def test_a_lying_update_is_refused_by_the_name_of_its_fault(change: dict[str, Any], named: str) -> None:
    """Out-of-range numbers, path characters and NaN are named in the error."""
    wrong = json.loads(MESSAGES[4].encode()) | change
    with pytest.raises(ProtocolError, match=f": {named}: "):
        decode(UpdateManifest, json.dumps(wrong).encode(), topic="t")


def test_a_fault_is_named_in_a_short_printable_line() -> None:
    """A key of the sender's choice reaches a log or a terminal cut short, and without control characters."""
    payload = json.dumps({"online": True, "session": 1, "samples": {"\x1b[2J\n" + "x" * 9999: -1}}).encode()
    with pytest.raises(ProtocolError) as refused:
        decode(DeviceState, payload, topic="t")
    assert len(str(refused.value)) < 300
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("change", [{"session": 1 << 63}, {"samples": {"1": 10**400}}])
def test_a_presence_of_absurd_numbers_is_refused(change: dict[str, Any]) -> None:
    """A session or a count that no database and no float holds is refused."""
    with pytest.raises(ProtocolError, match=next(iter(change))):
        decode(DeviceState, json.dumps({"online": True, "session": 1} | change).encode(), topic="t")


def test_a_failure_is_one_printable_line() -> None:
    """What a device says of its trouble is cut short, and moves no terminal's cursor."""
    failure = {"run": "r", "round": 1, "attempt": 1, "reason": "no\x1b[2J\n room" + "x" * 9999}
    state = decode(DeviceState, json.dumps({"online": True, "session": 1, "failure": failure}).encode(), topic="t")
    assert state.failure is not None
    assert state.failure.reason.startswith("no [2J  roomx")
    assert state.failure.reason.isprintable()
    assert len(state.failure.reason) == 300


def test_an_oversized_or_deep_message_is_refused() -> None:
    """Size and nesting are bounded before anything is built."""
    with pytest.raises(ProtocolError, match="at most"):
        decode(ServerState, b" " * (MAX_MESSAGE_BYTES + 1), topic="t")
    with pytest.raises(ProtocolError):
        decode(ServerState, b"[" * 100_000, topic="t")
