"""An enrolled device at a broker that cannot be trusted: a real broker, a real model, a scripted aggregator."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy.brokers import RunningBroker
from edge_client.rollback import RollbackGuard
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from shared.errors import ProtocolError
from shared.messages import UpdateManifest
from shared.mqtt import Message
from shared.signing import Credentials, KeyCheck, KeySeal, NoSeal
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import DEADLINE_S, ScriptedAggregator
from tflite_models.bundle import builtin_bundle

OURS, THEIRS, FOREIGN = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2, 3))
Event = dict[str, Any]


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str) -> Iterator[ScriptedAggregator]:
    """An aggregator that signs with its key."""
    one = ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=builtin_bundle("arithmetic"))
    one.seal = KeySeal(THEIRS)
    with one:
        yield one


@pytest.fixture
def start(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[Callable[[], queue.Queue[Event]]]:
    """Start the enrolled device ``kitchen``, which tells its events."""
    started: list[Device] = []

    def one(*, folder: str = "kitchen") -> queue.Queue[Event]:
        for before in started:
            before.stop()
        events: queue.Queue[Event] = queue.Queue()
        device = Device(
            DeviceSettings(
                name="kitchen", fleet=fleet_id, folder=tmp_path / folder, broker=str(mosquitto.address), adopt=False
            ),
            on_event=events.put,
            rng=np.random.default_rng(3),
            credentials=Credentials(KeySeal(OURS), KeyCheck(lambda topic: THEIRS.public_key())),
        )
        # As with an identity, whose file this broker without TLS has no use for.
        device._rollback = RollbackGuard(device.folder.newest_round, beside=tmp_path / "kitchen.pem.newest-round")
        started.append(device)
        device.open().add(bars(60), source="test")
        device.start()
        return events

    yield one
    for device in started:
        device.stop()


def said(events: queue.Queue[Event], kind: str, *, words: str = "") -> Event:
    """Wait for an event of a kind whose reason holds these words."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        event = events.get(timeout=max(0.01, deadline - time.monotonic()))
        if event["event"] == kind and words in str(event.get("reason", "")):
            return event


def test_a_signed_round_is_followed_and_answered_with_signatures(
    aggregator: ScriptedAggregator, start: Callable[[], queue.Queue[Event]], ear: Callable[..., Any], fleet_id: str
) -> None:
    """The device trains for the aggregator it was enrolled with, and whatever it says of itself carries its own key."""
    end = f"{fleet_id}/end"
    heard = ear(aggregator.link.address).up(
        *(f"fl/v1/{fleet_id}/device/+/{kind}" for kind in ("state", "update", "want")), end
    )
    events = start()
    aggregator.open_round(1, sequence=10)
    assert said(events, "verdict")["verdict"] == "accepted"
    check = KeyCheck(lambda topic: OURS.public_key())
    kinds = set()
    heard.link.publish(end, b"")
    message: Message
    while (message := heard.next()).topic != end:
        check.check(message.topic, message.payload)
        kinds.add(message.topic.rsplit("/", 1)[-1])
    assert kinds == {"state", "update", "want"}


@pytest.mark.parametrize(("seal", "words"), [(NoSeal(), "without a signature"), (KeySeal(FOREIGN), "does not fit")])
def test_a_round_of_somebody_else_is_passed_over(
    aggregator: ScriptedAggregator, start: Callable[[], queue.Queue[Event]], seal: KeySeal, words: str
) -> None:
    """A manifest that the aggregator did not sign is complained of and not followed; the next true one is."""
    aggregator.seal = seal
    forged = aggregator.open_round(1, sequence=10)
    events = start()
    said(events, "trouble", words=words)
    aggregator.seal = KeySeal(THEIRS)
    aggregator.open_round(2, sequence=11)
    assert aggregator.next(UpdateManifest).round == 2
    assert forged.round == 1


def test_a_verdict_of_somebody_else_does_not_end_the_care_for_an_update(
    aggregator: ScriptedAggregator, start: Callable[[], queue.Queue[Event]]
) -> None:
    """A forged "accepted" leaves the update where it is; the aggregator's own verdict ends it."""
    aggregator.verdict = None
    events = start()
    aggregator.open_round(1, sequence=10)
    update = aggregator.next(UpdateManifest)
    aggregator.whole()
    aggregator.seal = KeySeal(FOREIGN)
    aggregator.reply("kitchen", update, "accepted")
    said(events, "trouble", words="does not fit")
    aggregator.seal = KeySeal(THEIRS)
    aggregator.reply("kitchen", update, "rejected", reason="in earnest")
    assert said(events, "verdict")["verdict"] == "rejected"


def test_an_old_round_is_not_followed_again(
    aggregator: ScriptedAggregator, start: Callable[[], queue.Queue[Event]]
) -> None:
    """A manifest that was rightly signed once is refused when a newer one was followed, after a restart as well."""
    events = start()
    aggregator.open_round(2, sequence=11)
    said(events, "verdict")
    events = start()
    aggregator.open_round(1, sequence=10)
    said(events, "trouble", words="older than 11")
    aggregator.open_round(3, sequence=12)
    assert said(events, "verdict")["round"] == 3


def test_a_new_folder_does_not_forget_what_the_identity_has_followed(
    aggregator: ScriptedAggregator, start: Callable[..., queue.Queue[Event]]
) -> None:
    """Beside the identity stands how far its device was, whatever folder it is given."""
    events = start()
    aggregator.open_round(2, sequence=11)
    said(events, "verdict")
    events = start(folder="another")
    aggregator.open_round(1, sequence=10)
    said(events, "trouble", words="older than 11")


def test_a_place_that_cannot_be_written_leaves_the_folder_to_guard(tmp_path: Path) -> None:
    """A bundle in a folder that is read-only is no trouble."""
    (tmp_path / "file").write_text("")
    guard = RollbackGuard(tmp_path / "newest", beside=tmp_path / "file" / "newest-round")
    guard.admit(9, topic="t")
    with pytest.raises(ProtocolError, match="older than 9"):
        RollbackGuard(tmp_path / "newest", beside=tmp_path / "file" / "newest-round").admit(8, topic="t")


def test_who_refuses_an_old_round_is_told_the_way_out(tmp_path: Path) -> None:
    """Where the aggregator did begin anew, the numbers have to go: both files are named; without them it is heard."""
    files = tmp_path / "newest", tmp_path / "beside"
    RollbackGuard(files[0], beside=files[1]).admit(9, topic="t")
    with pytest.raises(ProtocolError, match=f"delete {files[0]} and {files[1]} and start"):
        RollbackGuard(files[0], beside=files[1]).admit(8, topic="t")
    for file in files:
        file.unlink()
    RollbackGuard(files[0], beside=files[1]).admit(8, topic="t")


def test_the_newest_sequence_number_outlives_the_process(tmp_path: Path) -> None:
    """The guard takes the same manifest again and newer ones, and refuses older ones whoever asks."""
    guard = RollbackGuard(tmp_path / "newest")
    guard.admit(5, topic="t")
    guard.admit(5, topic="t")
    guard.admit(9, topic="t")
    with pytest.raises(ProtocolError, match="older than 9"):
        RollbackGuard(tmp_path / "newest").admit(8, topic="t")
    (tmp_path / "newest").write_text("rubbish")
    RollbackGuard(tmp_path / "newest").admit(1, topic="t")
