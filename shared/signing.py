"""Signed control messages: who said what, whatever the broker does.

A broker's access control list says who may write a topic. Where the broker itself was broken into, it says nothing
any more; then these signatures still do. They are Ed25519 (RFC 8032), made with the keys that a device and the
aggregator were enrolled with.

A signed message is still JSON that ``mosquitto_sub`` shows to a person: its last member is ``"signature"``, the
64 bytes in base64. Signed are the bytes before it, after the topic: the fleet, the device and the kind of message are
in the topic, so that no message passes for one of another kind, of another device or to another fleet. Chunks carry no
signature of their own: the hash of the whole is in a signed message.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from shared.errors import ProtocolError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_BYTES = 64

_CONTEXT = b"inkfleet control message, version 1\0"
_OPENING, _CLOSING = b',"signature":"', b'"}'
_BASE64_BYTES = 4 * -(-SIGNATURE_BYTES // 3)
TAIL_BYTES = len(_OPENING) + _BASE64_BYTES + len(_CLOSING)
"""A signed message is at most so much longer than without its signature, in bytes."""
_TAIL = re.compile(re.escape(_OPENING) + rb"([A-Za-z0-9+/]{%d}==)" % (_BASE64_BYTES - 2) + re.escape(_CLOSING) + rb"\Z")


class Seal(Protocol):
    """Makes what we publish ours."""

    def sign(self, topic: str, payload: bytes) -> bytes:
        """Return a control message as it is to be published on a topic.

        Args:
            topic: where it is published.
            payload: a JSON object with one member or more, without blanks at its end.
        """


class Check(Protocol):
    """Tells what is theirs from what is not."""

    def check(self, topic: str, payload: bytes) -> None:
        """Return if a control message that came on a topic is by whom it has to be.

        Raises:
            ProtocolError: it is not signed, or by somebody else, or was changed on its way.
        """

    def turned_away(self, devices: Iterable[str]) -> dict[str, str]:
        """Return those of these devices of whom nothing is taken any more, each with the reason for a person."""


class NoSeal:
    """Signs nothing: for a fleet that was not enrolled."""

    def sign(self, topic: str, payload: bytes) -> bytes:
        """Return the message as it is."""
        return payload


class NoCheck:
    """Takes everything: for a fleet that was not enrolled."""

    def check(self, topic: str, payload: bytes) -> None:
        """Return."""

    def turned_away(self, devices: Iterable[str]) -> dict[str, str]:
        """Return nobody."""
        return {}


class KeySeal:
    """Signs with a private key.

    Args:
        key: ours.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, topic: str, payload: bytes) -> bytes:
        """Return the message with its signature as the last member.

        Raises:
            ValueError: the payload is no JSON object with a member.
        """
        if len(payload) < 3 or payload[:1] != b"{" or payload[-1:] != b"}":
            raise ValueError("expected a JSON object with one member or more")
        body = payload[:-1]
        signature = base64.b64encode(self._key.sign(_signed(topic, body)))
        return body + _OPENING + signature + _CLOSING


class KeyCheck:
    """Checks signatures against public keys.

    Args:
        key_of: returns the key that messages on a topic are signed with; raises `ProtocolError` where there is none,
            saying why.
    """

    def __init__(self, key_of: Callable[[str], Ed25519PublicKey]) -> None:
        self._key_of = key_of

    def check(self, topic: str, payload: bytes) -> None:
        """Return if the message has the signature that it has to have.

        Raises:
            ProtocolError: see `Check.check`.
        """
        from cryptography.exceptions import InvalidSignature

        tail = _TAIL.match(payload[-TAIL_BYTES:])
        if tail is None:
            raise ProtocolError(f"{topic}: expected a signed message, got one without a signature")
        try:
            signature = base64.b64decode(tail[1], validate=True)
        except binascii.Error:
            raise ProtocolError(f"{topic}: the signature is not base64") from None
        if base64.b64encode(signature) != tail[1]:  # bits that mean nothing are zero, so that a message has one form
            raise ProtocolError(f"{topic}: the signature is not base64")
        key = self._key_of(topic)
        try:
            key.verify(signature, _signed(topic, payload[:-TAIL_BYTES]))
        except InvalidSignature:
            raise ProtocolError(f"{topic}: the signature does not fit the message and the enrolled key") from None

    def turned_away(self, devices: Iterable[str]) -> dict[str, str]:
        """Return nobody: keys are all that is known here."""
        return {}


@dataclass(frozen=True)
class Credentials:
    """How a device or an aggregator shows that it is itself, and knows the other; without any, neither does.

    Attributes:
        seal: signs what is published.
        check: checks what is received.
    """

    seal: Seal = field(default_factory=NoSeal)
    check: Check = field(default_factory=NoCheck)

    @property
    def enrolled(self) -> bool:
        """Whether messages are checked."""
        return not isinstance(self.check, NoCheck)


def _signed(topic: str, body: bytes) -> bytes:
    """Return what is signed. A topic has no NUL, so that where it ends is plain."""
    return _CONTEXT + topic.encode() + b"\0" + body
