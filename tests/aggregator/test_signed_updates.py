"""An aggregator of an enrolled fleet: it signs what it says, and counts nothing that its devices did not sign."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from aggregator.run import shapes_of
from aggregator.service import Aggregator, RunSummary
from aggregator.settings import AggregatorSettings
from deploy.brokers import RunningBroker
from shared.enrolled import RosterCheck
from shared.errors import ProtocolError
from shared.messages import RoundManifest, decode
from shared.roster import Credential, Member, Roster, RosterList
from shared.signing import Check, Credentials, KeyCheck, KeySeal
from shared.topics import Topics
from tests.aggregator.fake_device import FakeDevice
from tflite_models.bundle import builtin_bundle

DEADLINE_S = 90.0
SERVER = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed, name in enumerate(("ann", "bob"))}
Event = dict[str, Any]


def key_of(topics: Topics) -> Callable[[str], Ed25519PublicKey]:
    """Look up the key of the device in a topic."""

    def find(topic: str) -> Ed25519PublicKey:
        device = topics.parse_device(topic).device
        if device not in KEYS:
            raise ProtocolError(f"device {device} is not enrolled")
        return KEYS[device].public_key()

    return find


class Serving:
    """An enrolled aggregator on a thread, and what it says."""

    def __init__(self, settings: AggregatorSettings, *, check: Check | None = None) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.stop = threading.Event()
        self.summary: RunSummary | None = None
        credentials = Credentials(KeySeal(SERVER), check or KeyCheck(key_of(Topics(settings.fleet))))
        model = builtin_bundle("arithmetic")
        self._aggregator = Aggregator(
            settings, model=model, test=None, on_event=self.events.put, credentials=credentials
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.summary = self._aggregator.run(self.stop)

    def until(self, kind: str, *, words: str = "") -> Event:
        """The next event of a kind whose reason holds these words."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            event = self.events.get(timeout=max(0.01, deadline - time.monotonic()))
            if event["event"] == kind and words in str(event.get("reason", "")):
                return event

    def end(self) -> RunSummary:
        """Wait for the end of the run."""
        self._thread.join(DEADLINE_S)
        assert self.summary is not None
        return self.summary


@pytest.fixture
def serve(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start enrolled aggregators that are stopped when the test is over."""
    started: list[Serving] = []

    def start(*, check: Check | None = None, **options: Any) -> Serving:
        values: dict[str, Any] = {
            "broker": str(mosquitto.address),
            "fleet": fleet_id,
            "folder": tmp_path / "run",
            "gather_ms": 10,
            "linger_s": 1.0,
        }
        started.append(Serving(AggregatorSettings(**(values | options)), check=check))
        return started[-1]

    yield start
    for one in started:
        one.stop.set()
        one._thread.join(DEADLINE_S)


@pytest.fixture
def join(mosquitto: RunningBroker, fleet_id: str) -> Iterator[Callable[..., FakeDevice]]:
    """Start devices that sign with a key of their own, or another's."""
    started: list[FakeDevice] = []
    shapes = shapes_of(builtin_bundle("arithmetic"))

    def start(name: str, *, key: Ed25519PrivateKey | None, **options: Any) -> FakeDevice:
        seal = None if key is None else KeySeal(key)
        device = FakeDevice(mosquitto.address, fleet=fleet_id, name=name, shapes=shapes, seal=seal, **options)
        started.append(device.start())
        return device

    yield start
    for device in started:
        device.stop()


def test_an_enrolled_fleet_goes_through_its_rounds(
    serve: Callable[..., Serving],
    join: Callable[..., FakeDevice],
    ear: Callable[..., Any],
    fleet_id: str,
    mosquitto: RunningBroker,
) -> None:
    """All that the aggregator says to the fleet is signed with its key, and each manifest has a greater number."""
    topics, end = Topics(fleet_id), f"{fleet_id}/end"
    heard = ear(mosquitto.address).up(topics.round, topics.server_state, topics.reply("ann"), end)
    for name, key in KEYS.items():
        join(name, key=key)
    running = serve(rounds=2, min_devices=2)
    assert running.end().finished
    check = KeyCheck(lambda topic: SERVER.public_key())
    sequences, seen = [], set()
    heard.link.publish(end, b"")
    while (message := heard.next()).topic != end:
        check.check(message.topic, message.payload)
        seen.add(message.topic)
        if message.topic == topics.round:
            sequences.append(decode(RoundManifest, message.payload, topic=message.topic).sequence)
    assert seen == {topics.round, topics.server_state, topics.reply("ann")}
    assert sequences == sorted(set(sequences))


@pytest.mark.parametrize("key", [None, KEYS["ann"]])
def test_a_device_that_does_not_sign_as_itself_is_not_there(
    serve: Callable[..., Serving], join: Callable[..., FakeDevice], key: Ed25519PrivateKey | None
) -> None:
    """Unsigned, or signed by another device, a presence is dropped and said, and no round waits for it."""
    join("bob", key=key)
    running = serve(rounds=1, min_devices=1)
    running.until("dropped", words="signature")
    join("ann", key=KEYS["ann"])
    assert running.until("opened")["invited"] == ["ann"]
    assert running.end().finished


def test_a_stranger_is_not_there(serve: Callable[..., Serving], join: Callable[..., FakeDevice]) -> None:
    """A device without an entry among the enrolled is dropped, in words that say so."""
    join("mallory", key=Ed25519PrivateKey.generate())
    running = serve(rounds=1, min_devices=1)
    running.until("dropped", words="not enrolled")
    join("ann", key=KEYS["ann"])
    assert running.until("opened")["invited"] == ["ann"]
    assert running.end().finished


def test_the_numbers_of_manifests_grow_over_a_restart_and_a_clock_set_back(
    serve: Callable[..., Serving], join: Callable[..., FakeDevice], tmp_path: Path
) -> None:
    """The last number is on the disk, and the next run begins above it even when the clock says less."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sequence").write_text(f"{1 << 60}\n")
    device = join("ann", key=KEYS["ann"])
    running = serve(rounds=1, min_devices=1)
    assert running.end().finished
    assert device.rounds == [(1, 1)]
    assert int((tmp_path / "run" / "sequence").read_text()) > 1 << 60


class _Enrolled:
    """A roster's file, and an aggregator's check by it."""

    def __init__(self, path: Path, *, fleet: str) -> None:
        self._path = path
        self._fleet = fleet
        self.members = {name: _member(name, key) for name, key in KEYS.items()}
        self.save()
        self.check = RosterCheck(Roster(path, fleet=fleet), fleet=fleet)

    def save(self) -> None:
        RosterList(self._fleet, self.members).save(self._path)


def _member(name: str, key: Ed25519PrivateKey, *, revoked: datetime | None = None) -> Member:
    never = datetime(9000, 1, 1, tzinfo=UTC)
    return Member(name, (Credential(name, "certificate", key.public_key(), never, revoked),))


def test_a_round_does_not_wait_for_a_device_that_was_revoked(
    serve: Callable[..., Serving], join: Callable[..., FakeDevice], fleet_id: str, tmp_path: Path
) -> None:
    """It is offline at once, the round goes on without it, and enrolled anew it is in the next one."""
    enrolled = _Enrolled(tmp_path / "roster.json", fleet=fleet_id)
    held, second = threading.Event(), threading.Event()
    join("ann", key=KEYS["ann"], before_upload=lambda manifest: manifest.round == 1 or second.wait(DEADLINE_S))
    bob = join("bob", key=KEYS["bob"], before_upload=lambda manifest: held.wait(DEADLINE_S))
    running = serve(check=enrolled.check, rounds=3, min_devices=2, quorum=1, deadline_s=3600.0)
    try:
        running.until("opened")
        enrolled.members["bob"] = _member("bob", KEYS["bob"], revoked=datetime(2026, 1, 1, tzinfo=UTC))
        enrolled.save()
        assert running.until("expelled", words="revoked")["device"] == "bob"
        assert running.until("declined", words="revoked")["device"] == "bob"
        assert running.until("opened")["invited"] == ["ann"]
        held.set()
        bob.stop()
        anew = Ed25519PrivateKey.generate()
        enrolled.members["bob"] = _member("bob", anew)
        enrolled.save()
        join("bob", key=anew)
        while running.until("device")["device"] != "bob":
            pass
        second.set()
        assert running.until("opened")["invited"] == ["ann", "bob"]
        assert running.end().finished
    finally:
        held.set()
        second.set()


def test_a_round_does_not_wait_for_a_device_that_runs_on_with_what_was_revoked(
    serve: Callable[..., Serving], join: Callable[..., FakeDevice], fleet_id: str, tmp_path: Path
) -> None:
    """Renewed at once, its name is good: what it is sending is refused, and with its new key it is in again."""
    enrolled = _Enrolled(tmp_path / "roster.json", fleet=fleet_id)
    held, second = threading.Event(), threading.Event()
    join(
        "ann",
        key=KEYS["ann"],
        before_upload=lambda manifest: (held if manifest.round == 1 else second).wait(DEADLINE_S),
    )
    bob = join("bob", key=KEYS["bob"])
    send = bob._send_chunk
    bob._send_chunk = lambda manifest, data, index: None if index else send(manifest, data, index)  # type: ignore[method-assign]
    running = serve(check=enrolled.check, rounds=3, min_devices=2, quorum=1, quiet_s=0.2, deadline_s=3600.0)
    try:
        assert bob.replies.get(timeout=DEADLINE_S).verdict == "lacking"
        anew = Ed25519PrivateKey.generate()
        revoked = _member("bob", KEYS["bob"], revoked=datetime(2026, 1, 1, tzinfo=UTC))
        enrolled.members["bob"] = Member("bob", _member("bob", anew).credentials + revoked.credentials)
        enrolled.save()
        refused = running.until("update", words="its new one")
        assert (refused["device"], refused["verdict"]) == ("bob", "rejected")
        assert running.until("expelled", words="its new one")["device"] == "bob"
        held.set()
        assert running.until("opened")["invited"] == ["ann"]
        bob.stop()
        join("bob", key=anew)
        while running.until("device")["device"] != "bob":
            pass
        second.set()
        assert running.until("opened")["invited"] == ["ann", "bob"]
        assert running.end().finished
    finally:
        held.set()
        second.set()


def test_an_update_on_its_way_is_refused_when_its_device_is_revoked(
    serve: Callable[..., Serving], join: Callable[..., FakeDevice], fleet_id: str, tmp_path: Path
) -> None:
    """Half of it came, then its device was revoked: the log says why it does not count."""
    enrolled = _Enrolled(tmp_path / "roster.json", fleet=fleet_id)
    held = threading.Event()
    join("ann", key=KEYS["ann"], before_upload=lambda manifest: held.wait(DEADLINE_S))
    bob = join("bob", key=KEYS["bob"])
    send = bob._send_chunk
    bob._send_chunk = lambda manifest, data, index: None if index else send(manifest, data, index)  # type: ignore[method-assign]
    running = serve(check=enrolled.check, rounds=1, min_devices=2, quorum=1, quiet_s=0.2)
    try:
        assert bob.replies.get(timeout=DEADLINE_S).verdict == "lacking"
        enrolled.members["bob"] = _member("bob", KEYS["bob"], revoked=datetime(2026, 1, 1, tzinfo=UTC))
        enrolled.save()
        refused = running.until("update", words="revoked")
        assert (refused["device"], refused["verdict"]) == ("bob", "rejected")
        held.set()
        assert running.end().finished
    finally:
        held.set()
