"""What becomes of an update: lost and damaged chunks are asked for again, each has its verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest

from aggregator.receiver import Arrived, Receiver
from shared.messages import RoundManifest
from shared.tensors import Tensors, encode_tensors, sha256_of
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import DEADLINE_S, Running, assert_true, expected_weights
from tests.hasty_clock import ROUND_S, Hasty
from tflite_models.bundle import ModelBundle


def test_lost_chunks_are_asked_for(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device whose chunks were lost is told which, sends them again, and is accepted."""
    came: set[int] = set()
    all_others, lost = threading.Event(), {2, 3, 9}
    take = Receiver.chunk

    def note(self: Receiver, name: str, sha256: str, index: int, payload: bytes, *, now: float) -> Arrived | None:
        came.add(index)
        if device._answered is not None and len(came) == device._answered[0].blob.chunks - len(lost):
            all_others.set()
        return take(self, name, sha256, index, payload, now=now)

    monkeypatch.setattr(Receiver, "chunk", note)
    clock = Hasty(standing=True)
    device = devices("a", lose=lost)
    running = serve(rounds=1, quiet_s=1.0, gather_ms=0, clock=clock)
    assert all_others.wait(DEADLINE_S)
    clock.rush(by_s=1.0)
    running.until("finished")
    clock.rush(by_s=1.0)
    running.end()
    replies = list(device.replies.queue)
    assert [reply.verdict for reply in replies] == ["lacking", "accepted"]
    assert replies[0].ranges == ((2, 4), (9, 10))


@pytest.mark.parametrize(("garble", "verdicts"), [(2, "lacking lacking accepted"), (3, "lacking lacking rejected")])
def test_a_damaged_update_is_asked_for_again(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], garble: int, verdicts: str
) -> None:
    """Bytes of another hash are lacking, not rejected, until the third time."""
    device = devices("a", garble=garble)
    running = serve(rounds=1)
    verdict = device.verdicts.get(timeout=DEADLINE_S)
    assert [reply.verdict for reply in device.replies.queue] == verdicts.split()
    if verdict.verdict == "accepted":
        running.end()
    else:
        assert "do not have the hash" in verdict.reason


def test_repeats_and_second_updates_have_their_verdict(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """While the round waits for another device: the same again is a duplicate, another is rejected; both count once."""
    held = threading.Event()
    devices("b", before_upload=lambda manifest: assert_true(held.wait(DEADLINE_S)))
    device = devices("a")
    clock = Hasty(standing=True)
    running = serve(rounds=1, min_devices=2, gather_ms=0, clock=clock)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "accepted"
    assert device._answered is not None
    manifest, data = device._answered
    device.upload(manifest, data)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "duplicate"
    other = manifest.model_copy(update={"blob": manifest.blob.model_copy(update={"sha256": "a" * 64})})
    device.upload(other, data)
    refused = device.verdicts.get(timeout=DEADLINE_S)
    assert (refused.verdict, refused.reason) == ("rejected", "another update of this device counts in round 1 already")
    held.set()
    assert running.until("round")["participants"] == 2
    device.upload(manifest, data)
    assert device.verdicts.get(timeout=DEADLINE_S).verdict == "duplicate"
    clock.rush(by_s=1.0)
    running.end()


def test_bad_updates_are_rejected_in_words_and_the_round_goes_on(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice], model: ModelBundle
) -> None:
    """NaN, another model's tensors and too many samples do not count; the good device's update does."""

    def broken(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors({name: tensor * np.float32("nan") for name, tensor in weights.items()})

    def other(weights: Tensors, manifest: RoundManifest) -> bytes:
        return encode_tensors(dict(list(weights.items())[1:]))

    bad = {"nan": devices("nan", train=broken), "other": devices("other", train=other)}
    devices("good")
    running = serve(rounds=1, min_devices=3, quorum=1, deadline_s=ROUND_S, max_samples=1000)
    reasons = {name: device.verdicts.get(timeout=DEADLINE_S) for name, device in bad.items()}
    assert {reply.verdict for reply in reasons.values()} == {"rejected"}
    assert "expected finite values" in reasons["nan"].reason
    assert "lacking" in reasons["other"].reason
    summary = running.end()
    expected = encode_tensors(expected_weights(model, rounds=1, samples={"good": 100}))
    assert summary.weights_sha256 == sha256_of(expected)


def test_a_device_that_sends_ever_so_slowly_is_let_go_when_its_round_closes(
    serve: Callable[..., Running], devices: Callable[..., FakeDevice]
) -> None:
    """It repeats nothing and asks for nothing; it is told, and what came of its update is dropped."""
    slow = devices("slow")
    send = slow._send_chunk
    slow._send_chunk = lambda manifest, data, index: None if index else send(manifest, data, index)  # type: ignore[method-assign]
    may = threading.Event()
    devices("ann", before_upload=lambda manifest: may.wait(DEADLINE_S))
    running = serve(rounds=1, min_devices=2, quorum=1, per_round=1, over_select=1.0, quiet_s=0.2, linger_s=5.0)
    try:
        assert slow.replies.get(timeout=DEADLINE_S).verdict == "lacking"
        may.set()
        told = slow.verdicts.get(timeout=DEADLINE_S)
        assert (told.verdict, told.reason) == ("stale", "round 1 is closed")
        assert running.until("update", device="slow")["verdict"] == "stale"
    finally:
        may.set()
