"""Twenty thousand hostile messages at a running aggregator, through a real broker."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from aggregator.run import shapes_of
from deploy.brokers import RunningBroker
from shared.messages import LocalMetrics, RoundManifest, Score, UpdateManifest, Want
from shared.tensors import decode_tensors, encode_tensors, sha256_of
from shared.topics import Topics
from tests.aggregator.fake_device import FakeDevice, noisy
from tests.hostile.mutation import worsened
from tests.hostile.parsers import device_state, update_manifest
from tflite_models.bundle import builtin_bundle

CASES = 20_000
DEADLINE_S = 120.0
MOST_GROWTH_BYTES = 48 << 20
"""Of the aggregator's memory, from a warm start to the end: less than two such messages a case would leave behind."""


class Serving:
    """``inkfleet aggregator`` as a process, and its events."""

    def __init__(self, broker: str, fleet: str, folder: Path) -> None:
        words = ["aggregator", "--broker", broker, "--fleet", fleet, "--folder", str(folder), "--json"]
        words += ["--rounds", "1", "--min-devices", "2", "--linger-s", "0", "--seed", "4", "--max-update-norm", "30"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.seen: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def until(self, kind: str) -> dict[str, Any]:
        """The next event of a kind."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            self.seen.append(event)
            if event["event"] == kind:
                return event

    def memory_bytes(self) -> int:
        """What the process holds in memory."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def end(self) -> str:
        """Wait for the end; return what it said on its standard error."""
        _, said = self.process.communicate(timeout=DEADLINE_S)
        self._thread.join(DEADLINE_S)
        return said


@pytest.fixture
def serving(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[Serving]:
    """An aggregator that is ended when the test is over."""
    one = Serving(str(mosquitto.address), fleet_id, tmp_path / "run")
    yield one
    one.process.kill()
    one.end()


def hostile(topics: Topics, open_round: RoundManifest, *, rng: np.random.Generator) -> tuple[str, bytes]:
    """Draw one hostile message: on a device's topic, made of what belongs there, or of something else."""
    stranger = ("mallory", "x" * 64, "m.2")[int(rng.choice(3, p=[0.8, 0.1, 0.1]))]
    # That only ann writes as ann is the broker's to see to; chunks and wants in her name must do no harm even so.
    who = (stranger, "ann", "bob")[int(rng.integers(0, 3))]
    sha256 = open_round.weights.sha256 if rng.random() < 0.5 else rng.bytes(32).hex()
    update = update_manifest().model_copy(update={"run": open_round.run, "round": 1, "base": open_round.weights.sha256})
    kind = int(rng.integers(0, 7))
    if kind == 0:
        # Presence is the device's own: a stranger may speak of itself alone.
        return topics.device_state("mallory"), worsened(device_state().encode(), rng=rng)
    if kind == 1:
        return topics.want(who), worsened(Want(sha256=sha256, ranges=((0, 3), (2, 1 << 40))).encode(), rng=rng)
    if kind == 2:
        return topics.update(stranger), worsened(update.encode(), rng=rng)
    if kind == 3:
        return topics.update_chunk(who, sha256, int(rng.integers(0, 10**7))), rng.bytes(int(rng.integers(0, 3000)))
    if kind == 4:
        return topics.update(stranger), _absurd(update, rng).encode()
    if kind == 5:
        odd = ("%00", "..", "ann ", "\u202e", "$SYS", "a" * 300)[int(rng.integers(0, 6))]
        return f"{topics.root}/device/{odd}/update", update.encode()
    return topics.device_state("mallory"), rng.bytes(int(rng.integers(0, 200)))


def _absurd(update: UpdateManifest, rng: np.random.Generator) -> UpdateManifest:
    """Return a well-formed update that can never count."""
    blob = update.blob.model_copy(update={"size_bytes": 1 << 31, "chunk_bytes": 256})
    score = Score(loss=1e39, accuracy=1.0, samples=1 << 31)
    changes: list[dict[str, Any]] = [
        {"blob": blob},
        {"samples": 1 << 31},
        {"round": 1 << 31},
        {"run": "another"},
        {"base": "f" * 64},
        {"attempt": 1 << 31},
        {"metrics": LocalMetrics(train=score, train_s=1e12)},
    ]
    return update.model_copy(update=changes[int(rng.integers(0, len(changes)))])


def test_it_goes_through_its_round_as_if_nothing_had_happened(
    serving: Serving, mosquitto: RunningBroker, fleet_id: str, ear: Any, tmp_path: Path
) -> None:
    """No message crashes it or fills its memory; the round counts the two honest updates, and nothing else."""
    topics, shapes = Topics(fleet_id), shapes_of(builtin_bundle("arithmetic"))
    may_upload = threading.Event()

    def wait(manifest: RoundManifest) -> None:
        may_upload.wait(DEADLINE_S)

    honest = [
        FakeDevice(
            mosquitto.address,
            fleet=fleet_id,
            name=name,
            shapes=shapes,
            before_upload=wait,
        ).start()
        for name in ("ann", "bob")
    ]
    try:
        serving.until("opened")
        attacker = ear(mosquitto.address, max_packet_bytes=None).up(topics.round)
        manifest = RoundManifest.model_validate_json(attacker.next().payload)
        rng = np.random.default_rng(11)
        warm = 0
        for number in range(CASES):
            topic, payload = hostile(topics, manifest, rng=rng)
            attacker.link.publish(topic, payload, qos=1)
            if number == CASES // 10:
                assert attacker.link.flush(DEADLINE_S)
                warm = serving.memory_bytes()
        assert attacker.link.flush(DEADLINE_S)
        may_upload.set()
        done = serving.until("round")
        grown = serving.memory_bytes() - warm
        serving.until("finished")
        assert done["participants"] == 2
        assert grown < MOST_GROWTH_BYTES
    finally:
        may_upload.set()
        for device in honest:
            device.stop()
    said = serving.end()
    assert serving.process.returncode == 0
    assert "Traceback" not in said
    first = (tmp_path / "run" / "checkpoints" / "round-000000.safetensors").read_bytes()
    base = decode_tensors(first, shapes=shapes)
    both = [noisy(base, seed=4, round_number=1, device=name) for name in ("ann", "bob")]
    mean = {name: ((both[0][name].astype(np.float64) + both[1][name]) / 2).astype(np.float32) for name in base}
    assert sha256_of((tmp_path / "run" / "weights.safetensors").read_bytes()) == sha256_of(encode_tensors(mean))
