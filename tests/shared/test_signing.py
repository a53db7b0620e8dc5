"""Signed control messages."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import ProtocolError
from shared.messages import Reply, ServerState, decode
from shared.signing import KeyCheck, KeySeal, NoCheck, NoSeal

TOPIC = "fl/v1/school/server/state"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
MESSAGE = ServerState(online=True, session=7).encode()


def check_of(key: Ed25519PublicKey) -> KeyCheck:
    return KeyCheck(lambda topic: key)


SEAL, CHECK = KeySeal(KEY), check_of(KEY.public_key())


def test_a_signed_message_is_still_the_message() -> None:
    """Who does not know of signatures reads a signed message as before; whoever does, finds it good."""
    signed = SEAL.sign(TOPIC, MESSAGE)
    CHECK.check(TOPIC, signed)
    assert decode(ServerState, signed, topic=TOPIC) == ServerState(online=True, session=7)
    assert set(json.loads(signed)) == {"online", "session", "signature"}


def test_the_signature_is_the_same_every_time() -> None:
    """A message that is published again is the same bytes."""
    assert SEAL.sign(TOPIC, MESSAGE) == SEAL.sign(TOPIC, MESSAGE)


@pytest.mark.parametrize(
    "topic",
    ["fl/v1/school/round", "fl/v1/other/server/state", "fl/v1/school/server/stat", "fl/v1/school/server/state/x"],
)
def test_it_holds_for_one_topic(topic: str) -> None:
    """A message is worth nothing on the topic of another kind, device or fleet."""
    with pytest.raises(ProtocolError, match="does not fit"):
        CHECK.check(topic, SEAL.sign(TOPIC, MESSAGE))


def test_it_holds_for_one_key() -> None:
    """A message signed by somebody else is refused."""
    with pytest.raises(ProtocolError, match="does not fit"):
        CHECK.check(TOPIC, KeySeal(Ed25519PrivateKey.generate()).sign(TOPIC, MESSAGE))


@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_no_bit_can_be_changed(at: int, bit: int) -> None:
    """Whatever bit of a signed message flips, it is refused."""
    signed = bytearray(SEAL.sign(TOPIC, MESSAGE))
    signed[at % len(signed)] ^= 1 << bit
    with pytest.raises(ProtocolError):
        CHECK.check(TOPIC, bytes(signed))


def test_a_message_has_one_signed_form() -> None:
    """The last bits of the base64, which mean nothing, cannot be used to make another message of it."""
    signed = SEAL.sign(TOPIC, MESSAGE)
    before, last, after = signed[:-5], signed[-5:-4], signed[-4:]
    others = [before + bytes([last[0] + step]) + after for step in (1, 2, 3) if bytes([last[0] + step]).isalnum()]
    assert others
    for other in others:
        with pytest.raises(ProtocolError):
            CHECK.check(TOPIC, other)


@given(payload=st.binary(max_size=300))
def test_anything_else_is_refused(payload: bytes) -> None:
    """Bytes that nobody signed are refused in one line, whatever they are."""
    with pytest.raises(ProtocolError) as caught:
        CHECK.check(TOPIC, payload)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tail", [b" ", b"\n", b",", b'{"a":1}'])
def test_nothing_may_follow_or_be_put_between(tail: bytes) -> None:
    """What is added after a signature, or before it, was not signed."""
    signed = SEAL.sign(TOPIC, MESSAGE)
    for changed in (signed + tail, signed[:-1] + tail + b"}", tail + signed):
        with pytest.raises(ProtocolError):
            CHECK.check(TOPIC, changed)


def test_a_second_signature_is_no_way_in() -> None:
    """A message that already has a member of that name is signed whole, and only the last one counts."""
    twice = SEAL.sign(TOPIC, SEAL.sign(TOPIC, MESSAGE))
    CHECK.check(TOPIC, twice)
    foreign = KeySeal(Ed25519PrivateKey.generate()).sign(TOPIC, SEAL.sign(TOPIC, MESSAGE))
    with pytest.raises(ProtocolError, match="does not fit"):
        CHECK.check(TOPIC, foreign)


def test_a_key_that_is_not_there_is_said_in_its_words() -> None:
    """Why there is no key (not enrolled, revoked) is what the refusal says."""

    def none(topic: str) -> Ed25519PublicKey:
        raise ProtocolError("device pi-7 was revoked")

    with pytest.raises(ProtocolError, match="revoked"):
        KeyCheck(none).check(TOPIC, SEAL.sign(TOPIC, MESSAGE))


@pytest.mark.parametrize("payload", [b"", b"{}", b"[1]", b'"text"', b'{"a":1} '])
def test_only_an_object_can_be_signed(payload: bytes) -> None:
    """What could not carry a signature is a mistake of ours, and is said at once."""
    with pytest.raises(ValueError, match="JSON object"):
        SEAL.sign(TOPIC, payload)


def test_without_keys_messages_go_as_they_are() -> None:
    """A fleet that was not enrolled signs and checks nothing."""
    reply = Reply(run="r", round=1, sha256="0" * 64, verdict="accepted").encode()
    assert NoSeal().sign(TOPIC, reply) == reply
    NoCheck().check(TOPIC, b"anything")
