"""Who may do what, shown against a real Mosquitto with the configuration that ``inkfleet fleet`` makes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.enrolment import FleetFolder
from deploy.enrolment.certificates import Authority, certificate_pem, key_pem, new_key
from shared.errors import BrokerError
from shared.identity import Identity
from shared.mqtt import Backoff, BrokerAddress, Message, Will
from shared.mqtt.tls import shake_hands
from shared.topics import Topics
from tests.broker_fixtures import DEADLINE_S, Ear
from tests.deploy.enrolment.conftest import SecureFleet

pytestmark = pytest.mark.xdist_group("secure-broker")

TOPICS = Topics("school")
HASH = "0" * 64
PROTOCOLS = ["5", "3.1.1"]

AGGREGATORS = [TOPICS.round, TOPICS.server_state, TOPICS.blob_chunk(HASH, 0), TOPICS.reply("garden")]
KITCHENS = [
    TOPICS.device_state("kitchen"),
    TOPICS.want("kitchen"),
    TOPICS.update("kitchen"),
    TOPICS.update_chunk("kitchen", HASH, 0),
]


def refusal(ear: Callable[..., Ear], address: BrokerAddress, **settings: object) -> str:
    """Try to connect, and return why that is not to be."""
    one = ear(address, retry_refused=False, backoff=Backoff(first_s=60.0, cap_s=60.0), **settings)
    one.link.start()
    with pytest.raises(BrokerError) as refused:
        one.link.wait_connected(DEADLINE_S, patient=False)
    return str(refused.value)


def heard(listener: Ear, speaker: Ear, *, last: str) -> list[str]:
    """The topics that the listener heard up to one that it may hear for certain."""
    assert speaker.link.flush(DEADLINE_S)
    topics = []
    while (message := listener.next()).topic != last:
        topics.append(message.topic)
    return topics


# -- strangers --------------------------------------------------------------------------------------------------------


def test_without_a_certificate_nobody_comes_in(secure: SecureFleet, ear: Callable[..., Ear]) -> None:
    """The broker asks for one before a word of MQTT."""
    anybody = dataclasses.replace(secure.identity("kitchen").address, cert_file=None)
    assert "lets nobody in without a certificate" in refusal(ear, anybody)


def test_another_authoritys_certificate_is_turned_away(
    secure: SecureFleet, elsewhere: FleetFolder, ear: Callable[..., Ear]
) -> None:
    """Also where the name on it is one of ours."""
    stranger = elsewhere.folder / "devices" / "kitchen.pem"
    address = dataclasses.replace(secure.identity("kitchen").address, cert_file=str(stranger))
    assert "not of the broker's fleet" in refusal(ear, address)


def test_without_tls_nobody_comes_in(secure: SecureFleet, ear: Callable[..., Ear]) -> None:
    """A plain connection is closed."""
    plain = BrokerAddress("127.0.0.1", secure.broker.address.port)
    assert "before it answers" in refusal(ear, plain, protocol="3.1.1")


def test_the_brokers_own_certificate_is_no_clients(
    secure: SecureFleet, tmp_path: Path, ear: Callable[..., Ear]
) -> None:
    """Who steals it can stand in for the broker, not for the aggregator."""
    folder = secure.folder.folder / "broker"
    both = tmp_path / "both.pem"
    both.write_bytes((folder / "broker.crt").read_bytes() + (folder / "broker.key").read_bytes())
    address = dataclasses.replace(secure.identity("kitchen").address, cert_file=str(both))
    assert "turns our certificate away" in refusal(ear, address)


def authority_of(folder: Path) -> Authority:
    """A fleet's authority, to issue what the command line does not."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return Authority(x509.load_pem_x509_certificate((folder / "ca.crt").read_bytes()), key, fleet="school")


def test_an_expired_certificate_is_told_in_words(secure: SecureFleet, tmp_path: Path, ear: Callable[..., Ear]) -> None:
    """By the broker's clock; the words say what to do."""
    key = new_key()
    then = datetime.now(UTC) - timedelta(days=9)
    certificate = authority_of(secure.folder.folder / "authority").issue_client(
        "kitchen", key.public_key(), now=then, days=3
    )
    old = tmp_path / "old.pem"
    old.write_bytes(certificate_pem(certificate) + key_pem(key))
    address = dataclasses.replace(secure.identity("kitchen").address, cert_file=str(old))
    said = refusal(ear, address)
    assert "has expired" in said
    assert "inkfleet fleet renew" in said


def test_a_broker_of_another_fleet_is_not_trusted(
    secure: SecureFleet, elsewhere: FleetFolder, ear: Callable[..., Ear]
) -> None:
    """A device connects to no broker but its fleet's, whatever its name is."""
    other = Identity.load(elsewhere.folder / "devices" / "kitchen.pem", role="device")
    said = refusal(ear, dataclasses.replace(other.address, port=secure.broker.address.port))
    assert "its authority is unknown" in said


def test_a_broker_under_another_name_is_not_trusted(secure: SecureFleet, ear: Callable[..., Ear]) -> None:
    """The address a device connects to has to be in the broker's certificate."""
    said = refusal(ear, dataclasses.replace(secure.identity("kitchen").address, host="::1"))
    assert "for other addresses than ::1" in said


def test_a_handshake_alone_tells_whether_an_identity_is_taken(secure: SecureFleet, elsewhere: FleetFolder) -> None:
    """The check of a device that runs does not take its place at the broker."""
    address = secure.identity("kitchen").address
    shake_hands(address, timeout_s=DEADLINE_S)
    stranger = dataclasses.replace(address, cert_file=str(elsewhere.folder / "devices" / "kitchen.pem"))
    with pytest.raises(BrokerError, match="not of the broker's fleet"):
        shake_hands(stranger, timeout_s=DEADLINE_S)


# -- members ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_device_writes_under_its_own_name_alone(
    connect: Callable[..., Ear], protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Four kinds of message reach the aggregator; under another's name, or the aggregator's, none does."""
    aggregator = connect("aggregator", f"{TOPICS.root}/#")
    garden = connect("garden", TOPICS.round, TOPICS.server_state, TOPICS.blob_chunks(HASH), TOPICS.reply("garden"))
    kitchen = connect("kitchen", protocol=protocol)
    forged = [topic.replace("kitchen", "garden") for topic in KITCHENS]
    for topic in [*forged, *AGGREGATORS, TOPICS.reply("kitchen"), f"{TOPICS.root}/device/kitchen/other", "elsewhere"]:
        kitchen.link.publish(topic, b"forged")
    for topic in KITCHENS:
        kitchen.link.publish(topic, b"mine")
    assert heard(aggregator, kitchen, last=KITCHENS[-1]) == KITCHENS[:-1]
    aggregator.link.publish(TOPICS.reply("garden"), b"the end")
    assert heard(garden, aggregator, last=TOPICS.reply("garden")) == []
    # Version 5 tells of refusals; a hundred chunks of which are one line.
    said = [record.message for record in caplog.records if "refused a message" in record.message]
    assert len(said) == (protocol == "5")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_device_reads_what_is_for_it_and_for_all(connect: Callable[..., Ear], protocol: str) -> None:
    """A subscription to everything brings the fleet's broadcasts and its own replies, and nothing of another's."""
    garden = connect("garden")
    kitchen = connect("kitchen", "#", "$SYS/#", f"{TOPICS.root}/device/garden/#", protocol=protocol)
    aggregator = connect("aggregator")
    for topic in KITCHENS:
        garden.link.publish(topic.replace("kitchen", "garden"), b"garden's own")
    assert garden.link.flush(DEADLINE_S)
    aggregator.link.publish(TOPICS.reply("garden"), b"for the garden")
    for topic in (TOPICS.server_state, TOPICS.round, TOPICS.blob_chunk(HASH, 0), TOPICS.reply("kitchen")):
        aggregator.link.publish(topic, b"for the kitchen")
    said = heard(kitchen, aggregator, last=TOPICS.reply("kitchen"))
    assert set(said) == {TOPICS.server_state, TOPICS.round, TOPICS.blob_chunk(HASH, 0)}


def test_what_was_retained_is_nobody_elses_either(connect: Callable[..., Ear]) -> None:
    """A device's retained state is the aggregator's to read."""
    garden = connect("garden")
    garden.link.publish(TOPICS.device_state("garden"), b"here", retain=True)
    assert garden.link.flush(DEADLINE_S)
    aggregator = connect("aggregator", TOPICS.device_states())
    assert aggregator.next() == Message(TOPICS.device_state("garden"), b"here", True, 1)
    kitchen = connect("kitchen", f"{TOPICS.root}/device/+/state", TOPICS.reply("kitchen"))
    aggregator.link.publish(TOPICS.reply("kitchen"), b"the end")
    assert heard(kitchen, aggregator, last=TOPICS.reply("kitchen")) == []
    garden.link.publish(TOPICS.device_state("garden"), b"", retain=True)  # leave nothing to the other tests
    assert garden.link.flush(DEADLINE_S)


def test_a_will_is_written_with_no_more_rights(connect: Callable[..., Ear]) -> None:
    """A device that dies cannot have the broker say what it may not say itself."""
    aggregator = connect("aggregator", f"{TOPICS.root}/device/#")
    forged = Will(TOPICS.device_state("garden"), b"garden is dead")
    first = connect("kitchen", will=forged)
    connect("kitchen")  # takes its place: the broker publishes the will of the one that lost its connection
    first.losses.get(timeout=DEADLINE_S)
    porch = connect("porch")
    porch.link.publish(TOPICS.device_state("porch"), b"here")
    assert heard(aggregator, porch, last=TOPICS.device_state("porch")) == []


def test_nobody_takes_anothers_session(connect: Callable[..., Ear]) -> None:
    """The broker goes by the certificate: a client that calls itself like another is not taken for it."""
    garden = connect("garden", TOPICS.reply("garden"), client_id="garden")
    kitchen = connect("kitchen", client_id="garden", session_expiry_s=60)
    connect("aggregator").link.publish(TOPICS.reply("garden"), b"still here")
    assert garden.next().payload == b"still here"
    assert garden.losses.empty()
    assert kitchen.messages.empty()


def test_the_aggregator_speaks_for_no_device(connect: Callable[..., Ear]) -> None:
    """It may answer and broadcast; what devices say, it only reads."""
    aggregator = connect("aggregator", f"{TOPICS.root}/device/#")
    for topic in [*KITCHENS, TOPICS.device_state("aggregator")]:
        aggregator.link.publish(topic, b"forged")
    assert aggregator.link.flush(DEADLINE_S)
    porch = connect("porch")
    porch.link.publish(TOPICS.want("porch"), b"mine")
    assert heard(aggregator, porch, last=TOPICS.want("porch")) == []


# -- passwords --------------------------------------------------------------------------------------------------------


def test_a_password_works_over_tls(secure: SecureFleet, connect: Callable[..., Ear], ear: Callable[..., Ear]) -> None:
    """With it, a device has the rights of its name; a wrong one, or none, is refused, and so is another's name."""
    aggregator = connect("aggregator", f"{TOPICS.root}/device/#")
    attic = connect("attic")
    attic.link.publish(TOPICS.update("kitchen"), b"forged")
    attic.link.publish(TOPICS.update("attic"), b"mine")
    assert heard(aggregator, attic, last=TOPICS.update("attic")) == []
    address = secure.identity("attic").address
    for changes in ({"password": "guess"}, {"username": "kitchen"}, {"username": "aggregator"}, {"username": None}):
        assert "authorise" in refusal(ear, dataclasses.replace(address, **changes))


def test_a_certificate_does_not_stand_for_a_password(secure: SecureFleet, ear: Callable[..., Ear]) -> None:
    """At the port for passwords, a certificate says nothing."""
    port = secure.identity("attic").address.port
    assert "authorise" in refusal(ear, dataclasses.replace(secure.identity("kitchen").address, port=port))


# -- revocation: last, for it changes the fleet ------------------------------------------------------------------------


def test_a_revoked_device_is_mute_at_once_and_never_comes_back(
    secure: SecureFleet, connect: Callable[..., Ear], ear: Callable[..., Ear]
) -> None:
    """Once the lists are read again, the connection that it has carries nothing, a new one is refused in words, and the
    others notice nothing.
    """
    kitchen, garden = connect("kitchen", TOPICS.round), connect("garden", TOPICS.round)
    aggregator = connect("aggregator", f"{TOPICS.root}/device/#")
    gone = secure.identity("kitchen").address
    gone = dataclasses.replace(gone, cert_file=str(_kept(Path(str(gone.cert_file)))))
    secure.folder.revoke(["kitchen"])
    secure.reload()
    # The broker has read its lists when a newcomer with the certificate is refused.
    while True:
        try:
            shake_hands(gone, timeout_s=DEADLINE_S)
        except BrokerError:
            break
    assert "was revoked" in refusal(ear, gone)
    kitchen.link.publish(TOPICS.update("kitchen"), b"still here?")
    assert kitchen.link.flush(DEADLINE_S)
    aggregator.link.publish(TOPICS.round, b"for members")
    assert garden.next().payload == b"for members"
    garden.link.publish(TOPICS.update("garden"), b"mine")
    assert heard(aggregator, garden, last=TOPICS.update("garden")) == []
    assert kitchen.messages.empty()
    assert garden.losses.empty()


def test_a_revoked_password_opens_nothing(
    secure: SecureFleet, connect: Callable[..., Ear], ear: Callable[..., Ear]
) -> None:
    """The device is thrown out when the lists are read again, and refused after."""
    attic = connect("attic", retry_refused=False)
    address = secure.identity("attic").address
    secure.folder.revoke(["attic"])
    secure.reload()
    attic.losses.get(timeout=DEADLINE_S)
    assert "authorise" in refusal(ear, address)


def _kept(file: Path) -> Path:
    """A copy of a bundle: revoking removes one that was not copied yet."""
    copy = file.parent.parent / "kept.pem"
    copy.write_bytes(file.read_bytes())
    return copy
