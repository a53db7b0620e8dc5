"""What an identity decides for a device or an aggregator: its name, its fleet, its broker, and whom it believes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.errors import ProtocolError, SettingsError
from shared.mqtt.address import BrokerAddress
from shared.signing import Credentials, KeyCheck, KeySeal
from shared.topics import Topics

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from shared.identity import Identity
    from shared.identity_file import Role
    from shared.roster import Member, Roster

_log = logging.getLogger(__name__)

_RUNS_WITH_FORMER = "runs with an identity that was revoked or has expired; start it with its new one"


def fill_in(values: Any, *, role: Role) -> Any:
    """Complete settings by what the identity among them says; what was given beside it has to agree.

    Args:
        values: the settings as they were given, by name; ``identity`` among them or not.
        role: whose settings they are.

    Raises:
        SettingsError: the identity cannot be read, or is of another device or fleet than the settings say.
    """
    if not isinstance(values, dict) or not values.get("identity"):
        return values
    who = _load(Path(values["identity"]), role=role)
    decided = {"fleet": who.fleet, "broker": str(who.address)} | ({"name": who.name} if role == "device" else {})
    for key in ("name", "fleet"):
        if key in values and key in decided and values[key] != decided[key]:
            raise SettingsError(f"identity {who.path} is of {key} {decided[key]}, but --{key} is {values[key]!r}")
    if "broker" in values:
        _check_place(str(values["broker"]), path=who.path)
    return decided | values


def _check_place(url: str, *, path: Path) -> None:
    """Refuse a broker's address that an identity cannot be used with, or that says what the identity says already."""
    place = BrokerAddress.parse(url)
    if not place.tls:
        raise SettingsError(
            f"broker address {place} is without TLS, which identity {path} needs: write mqtts://, or leave --broker out"
        )
    given = {"user name": place.username, "ca": place.ca_file, "cert": place.cert_file, "key": place.key_file}
    if said := [name for name, value in given.items() if value is not None]:
        raise SettingsError(
            f"broker address {place} is given with {', '.join(said)}, which identity {path} decides; "
            "leave that out of --broker"
        )


def check_broker(url: str, *, insecure: bool) -> None:
    """Refuse a broker on another machine without TLS, unless that is wanted.

    Raises:
        SettingsError: the address cannot be understood, or is without TLS.
    """
    address = BrokerAddress.parse(url)
    if not (address.tls or address.loopback or insecure):
        raise SettingsError(
            f"broker {address} is on another machine and without TLS: anyone on the way could read and change "
            "everything; take --identity (inkfleet fleet), or mqtts://, or accept that with --insecure"
        )


def broker_address(url: str, *, identity: Path | None, role: Role) -> BrokerAddress:
    """The broker's address with everything that TLS needs.

    Raises:
        SettingsError: the identity cannot be read, or the address cannot be understood.
    """
    return BrokerAddress.parse(url) if identity is None else _load(identity, role=role).address_for(url)


def notices(identity: Path | None, *, role: Role, now: datetime) -> tuple[str, ...]:
    """What a person should know about an identity at a start; nothing where there is none.

    Raises:
        SettingsError: it cannot be read.
    """
    return () if identity is None else _load(identity, role=role).notices(now=now)


def device_credentials(identity: Path | None) -> Credentials:
    """How an enrolled device signs, and knows its aggregator; without an identity, neither.

    Raises:
        SettingsError: it cannot be read.
    """
    if identity is None:
        return Credentials()
    who = _load(identity, role="device")
    return Credentials(seal=KeySeal(who.signing_key), check=KeyCheck(lambda topic: who.aggregator_key))


def newest_round_file(identity: Path | None) -> Path | None:
    """Where the number of the newest round is kept beside a device's identity; None without one.

    Named by the fleet and the aggregator's key: another aggregator's numbers say nothing about this one's.

    Raises:
        SettingsError: it cannot be read.
    """
    if identity is None:
        return None
    who = _load(identity, role="device")
    whose = hashlib.sha256(who.fleet.encode() + b"\0" + who.aggregator_key.public_bytes_raw()).hexdigest()
    return who.path.with_name(f"{who.path.name}.{whose[:16]}.newest-round")


def aggregator_credentials(identity: Path | None) -> Credentials:
    """How an enrolled aggregator signs, and knows its devices: by the roster beside its identity.

    Raises:
        SettingsError: identity or roster cannot be read.
    """
    if identity is None:
        return Credentials()
    from shared.roster import FILE_NAME, Roster

    who = _load(identity, role="aggregator")
    roster = Roster(who.path.parent / FILE_NAME, fleet=who.fleet)
    roster.refresh()
    return Credentials(seal=KeySeal(who.signing_key), check=RosterCheck(roster, fleet=who.fleet))


class RosterCheck:
    """Checks what devices say against the roster, which is read again when its file changes. Use it from any thread.

    A device that was renewed may run on with what it had before. Once that is good no more, it is turned away like one
    that was revoked, until it signs with something that is.

    Args:
        roster: of the devices.
        fleet: the fleet's name.
        clock: gives the time, with its zone; expired credentials count for nothing.
    """

    def __init__(
        self, roster: Roster, *, fleet: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._roster = roster
        self._topics = Topics(fleet)
        self._clock = clock
        self._lock = threading.Lock()
        # The key that each device signed with last, as far as is known.
        self._signed_with: dict[str, bytes] = {}

    def check(self, topic: str, payload: bytes) -> None:
        """Return if a device's message is signed with one of the keys that it was enrolled with.

        Raises:
            ProtocolError: it is not, or the device is a stranger, was revoked, or its credentials have expired.
        """
        device = self._topics.parse_device(topic).device
        member = self._members([device])[device]
        now = self._clock()
        if reason := _why_not(member, now=now):
            raise ProtocolError(f"{topic}: device {device} {reason}")
        assert member is not None
        keys = member.keys(now=now)
        fault = ProtocolError(topic)
        for key in keys:
            try:
                KeyCheck(lambda _, key=key: key).check(topic, payload)  # type: ignore[misc]
            except ProtocolError as error:
                fault = error
                continue
            self._signed_with[device] = key.public_bytes_raw()
            return
        if device not in self._signed_with and (former := _former_key(member, topic, payload, now=now)):
            # It said nothing to us while that was good. (Had it signed with what is, nothing old would undo it.)
            self._signed_with[device] = former
        raise fault

    def turned_away(self, devices: Iterable[str]) -> dict[str, str]:
        """Return those of these devices that are not on the roster, were revoked, or have let it expire.

        And those that signed last with a key that was revoked or has expired, though they have another.
        """
        now = self._clock()
        reasons: dict[str, str] = {}
        for device, member in self._members(devices).items():
            reason, key = _why_not(member, now=now), self._signed_with.get(device)
            if not reason and member is not None and key is not None and key not in _raw(member.keys(now=now)):
                reason = _RUNS_WITH_FORMER
            if reason:
                reasons[device] = reason
        return reasons

    def _members(self, devices: Iterable[str]) -> dict[str, Member | None]:
        """Look devices up in the roster as its file has it now."""
        with self._lock:
            try:
                self._roster.refresh()
            except SettingsError as error:
                _log.warning("%s; the roster that was read before still holds", error)
            return {device: self._roster.get(device) for device in devices}


def _former_key(member: Member, topic: str, payload: bytes, *, now: datetime) -> bytes | None:
    """Return which of the keys that were a device's, and are good no more, it signed a message with."""
    good = _raw(member.keys(now=now))
    for one in member.credentials:
        if one.key.public_bytes_raw() in good:
            continue
        with contextlib.suppress(ProtocolError):
            KeyCheck(lambda _, key=one.key: key).check(topic, payload)  # type: ignore[misc]
            return one.key.public_bytes_raw()
    return None


def _raw(keys: Iterable[Ed25519PublicKey]) -> set[bytes]:
    return {key.public_bytes_raw() for key in keys}


def _why_not(member: Member | None, *, now: datetime) -> str:
    """Say why nothing of a device is taken; empty where there is no reason."""
    if member is None:
        return "is not on the roster; copy the newest one to the aggregator"
    if member.revoked:
        return "was revoked"
    return "" if member.keys(now=now) else "has credentials that have expired; inkfleet fleet renew it"


def _load(path: Path, *, role: Role) -> Identity:
    # `cryptography` takes a twentieth of a second to load, which those without an identity need not spend.
    from shared.identity import Identity

    return Identity.load(path, role=role)
