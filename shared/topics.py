"""Every MQTT topic of a fleet. Identity is in the topic, so that a broker's ACL can enforce it.

All lie under ``fl/v1/{fleet}/``; the table of who writes what is in ``docs/reference/protocol.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import ProtocolError, SettingsError

PREFIX = "fl/v1"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_INDEX = re.compile(r"(0|[1-9][0-9]{0,6})\Z")


def check_name(name: str, *, what: str) -> str:
    """Return the name if it can stand in a topic and in a file name.

    Args:
        name: a fleet's or a device's name.
        what: what is named, for the message: "fleet" or "device".

    Raises:
        SettingsError: it is empty, longer than 64 characters, or holds a character other than letters, digits,
            ``_``, ``.`` and ``-``.
    """
    if not _NAME.match(name):
        raise SettingsError(
            f"{what} name {name!r} cannot be used: take 1 to 64 letters, digits, '_', '.' or '-', "
            "beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True)
class DeviceTopic:
    """A parsed topic of a device: ``kind`` is ``state``, ``want``, ``update``, ``chunk`` or ``reply``."""

    device: str
    kind: str
    sha256: str = ""
    index: int = 0


@dataclass(frozen=True)
class Topics:
    """The topics of one fleet.

    Attributes:
        fleet: the fleet's name, see `check_name`.
    """

    fleet: str

    def __post_init__(self) -> None:
        check_name(self.fleet, what="fleet")

    @property
    def root(self) -> str:
        """What every topic of the fleet begins with, without a slash at its end."""
        return f"{PREFIX}/{self.fleet}"

    @property
    def server_state(self) -> str:
        """Whether the aggregator is online: retained, with a will."""
        return f"{self.root}/server/state"

    @property
    def round(self) -> str:
        """The round manifest: retained, the whole truth about what to do now."""
        return f"{self.root}/round"

    def blob_chunk(self, sha256: str, index: int) -> str:
        """One chunk of a program or of weights, broadcast by the aggregator."""
        return f"{self.root}/blob/{sha256}/{index}"

    def blob_chunks(self, sha256: str) -> str:
        """The filter for every chunk of one blob."""
        return f"{self.root}/blob/{sha256}/+"

    def device_state(self, device: str) -> str:
        """A device's presence: retained, with a will."""
        return f"{self.root}/device/{device}/state"

    def want(self, device: str) -> str:
        """The chunks of a blob that a device still lacks."""
        return f"{self.root}/device/{device}/want"

    def update(self, device: str) -> str:
        """The manifest of a device's update."""
        return f"{self.root}/device/{device}/update"

    def update_chunk(self, device: str, sha256: str, index: int) -> str:
        """One chunk of a device's update."""
        return f"{self.root}/device/{device}/chunk/{sha256}/{index}"

    def reply(self, device: str) -> str:
        """The aggregator's answer to an update: chunks still lacking, or the verdict."""
        return f"{self.root}/device/{device}/reply"

    def device_states(self) -> str:
        """The filter for every device's presence.

        To be subscribed to at QoS 0: a retained state says it all again at the next subscription, and a broker that
        bounds what it has in flight at QoS 1 may bound with it how many retained states a newcomer is told.
        """
        return self.device_state("+")

    def from_devices(self) -> tuple[str, ...]:
        """The filters, beside `device_states`, that an aggregator subscribes to."""
        device = f"{self.root}/device/+"
        return (f"{device}/want", f"{device}/update", f"{device}/chunk/+/+")

    def parse_blob_chunk(self, topic: str) -> tuple[str, int]:
        """Read a blob's hash and the chunk's index out of a topic.

        Raises:
            ProtocolError: it is not the topic of a blob's chunk of this fleet.
        """
        parts = topic.removeprefix(self.root + "/").split("/")
        if topic.startswith(self.root + "/") and len(parts) == 3 and parts[0] == "blob":
            return _sha256(parts[1], topic), _index(parts[2], topic)
        raise ProtocolError(f"expected a topic {self.root}/blob/SHA256/INDEX, got {topic[:200]!r}")

    def parse_device(self, topic: str) -> DeviceTopic:
        """Read who and what a device's topic is about.

        Raises:
            ProtocolError: it is not the topic of a device of this fleet.
        """
        parts = topic.removeprefix(self.root + "/").split("/")
        if topic.startswith(self.root + "/") and len(parts) >= 3 and parts[0] == "device" and _NAME.match(parts[1]):
            if len(parts) == 3 and parts[2] in ("state", "want", "update", "reply"):
                return DeviceTopic(parts[1], parts[2])
            if len(parts) == 5 and parts[2] == "chunk":
                return DeviceTopic(parts[1], "chunk", _sha256(parts[3], topic), _index(parts[4], topic))
        raise ProtocolError(f"expected a topic {self.root}/device/NAME/…, got {topic[:200]!r}")


def _sha256(text: str, topic: str) -> str:
    if not _SHA256.match(text):
        raise ProtocolError(f"expected a SHA-256 of 64 hexadecimal digits in the topic, got {topic[:200]!r}")
    return text


def _index(text: str, topic: str) -> int:
    if not _INDEX.match(text):
        raise ProtocolError(f"expected a chunk index in the topic, got {topic[:200]!r}")
    return int(text)
