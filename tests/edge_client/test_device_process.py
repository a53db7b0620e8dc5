"""``inkfleet device`` as a process: what it loads, what it takes, how it ends, and that it survives being killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from deploy.brokers import RunningBroker
from edge_client.sample_store import SampleStore
from shared.dataset import Dataset
from shared.messages import DeviceState, TrainingPlan, UpdateManifest
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import DEADLINE_S, ScriptedAggregator
from tests.reading_scenes import draw_scene, jpeg
from tflite_models.bundle import builtin_bundle

RSS_LIMIT_MIB = 160
RSS_READING_LIMIT_MIB = 286  # 300 MB
JPEG = b"\xff\xd8"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


class Process:
    """A device's process and its events."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "deploy", "device", "--json", *options]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("INKFLEET_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        self.killer = threading.Timer(DEADLINE_S * 2, self.process.kill)
        self.killer.start()

    def next(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of a kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == kind:
                return event
        assert self.process.stderr is not None
        raise AssertionError(f"the device ended before {kind!r}: {self.process.stderr.read()}")

    def end(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal and wait for the end; return the exit code and what is on stderr."""
        self.process.send_signal(number)
        _, error = self.process.communicate(timeout=DEADLINE_S)
        self.killer.cancel()
        return self.process.returncode, error

    def status(self, key: str) -> int:
        """A figure of /proc/PID/status, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith(key)).split()[1]) // 1024


def framed(n: int) -> Dataset:
    """Clean samples that no import changes: a frame from edge to edge, and in it the sample's number in bars."""
    images = np.zeros((n, 45, 45), np.uint8)
    images[:, :3] = images[:, -3:] = 255
    images[:, :, :3] = images[:, :, -3:] = 255
    for i in range(n):
        for bit in range(6):
            if i >> bit & 1:
                images[i, 10:35, 6 + 6 * bit : 9 + 6 * bit] = 255
    return Dataset(images, np.array(["1"] * n), np.array([""] * n))


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str) -> Iterator[ScriptedAggregator]:
    """A scripted aggregator of a fleet of its own."""
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=builtin_bundle("arithmetic")) as one:
        yield one


@pytest.fixture
def start(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start processes of a device called ``kitchen``; none outlives the test."""
    started: list[Process] = []

    def one(*options: str) -> Process:
        common = ("--name", "kitchen", "--fleet", fleet_id, "--folder", str(tmp_path / "kitchen"))
        started.append(Process(*common, "--broker", str(mosquitto.address), *options))
        return started[-1]

    yield one
    for process in started:
        process.killer.cancel()
        process.process.kill()
        process.process.communicate()


def test_a_device_is_small_and_knows_no_tensorflow(
    aggregator: ScriptedAggregator, start: Callable[..., Process], tmp_path: Path
) -> None:
    """From import to verdict: within the memory of a small board, with neither TensorFlow nor OpenCV nor matplotlib."""
    bars(2000).save(tmp_path / "bars.npz")
    device = start("--no-page", "--data", str(tmp_path / "bars.npz"))
    assert device.next("imported")["added"] == 2000
    device.next("connected")
    aggregator.open_round(1, plan=TrainingPlan(local_epochs=1, lr=0.02))
    assert device.next("verdict")["verdict"] == "accepted"
    maps = Path(f"/proc/{device.process.pid}/maps").read_text()
    assert "ai_edge_litert" in maps
    assert not [word for word in ("tensorflow", "cv2", "matplotlib") if f"/{word}/" in maps]
    assert device.status("VmHWM") <= RSS_LIMIT_MIB
    code, error = device.end(signal.SIGINT)
    assert (code, error.strip()) == (130, "interrupted")


def test_a_device_that_reads_and_trains_is_small_too(
    aggregator: ScriptedAggregator, start: Callable[..., Process], tmp_path: Path
) -> None:
    """A camera's pictures are read, and photographs of phones on the page, while it trains: within a small board's
    memory."""
    bars(600).save(tmp_path / "bars.npz")
    (tmp_path / "camera").mkdir()
    for number, text in enumerate(("3+4=7", "12-5=7")):
        (tmp_path / "camera" / f"{number}.jpg").write_bytes(jpeg(draw_scene(text, width=1280, height=720).picture))
    device = start("--page-port", "0", "--data", str(tmp_path / "bars.npz"), "--source", str(tmp_path / "camera"))
    device.next("connected")
    url = device.next("page")["url"]
    aggregator.open_round(1, plan=TrainingPlan(local_epochs=1, lr=0.02))
    device.next("training")
    assert httpx.get(f"{url}api/live/frame", timeout=DEADLINE_S).content.startswith(JPEG)
    for width, height in ((4000, 3000), (8064, 6048)):
        photo = jpeg(cv2.resize(draw_scene("3+4=7", width=1000, height=750).picture, (width, height)))
        answer = httpx.post(
            f"{url}api/photos", content=photo, headers={"content-type": "image/jpeg"}, timeout=DEADLINE_S
        )
        assert len(answer.json()["reading"]["lines"]) == 1
    assert device.next("verdict")["verdict"] == "accepted"
    assert device.status("VmHWM") <= RSS_READING_LIMIT_MIB


def test_the_same_data_is_not_added_twice(start: Callable[..., Process], tmp_path: Path) -> None:
    """A second start with the same file reads nothing; with a longer file it adds what is new."""
    framed(20).save(tmp_path / "bars.npz")
    for expected in ({"added": 20, "known": 0}, {"unchanged": True}):
        device = start("--no-page", "--data", str(tmp_path / "bars.npz"))
        assert expected.items() <= device.next("imported").items()
        device.next("connected")
        device.end(signal.SIGTERM)
    framed(30).save(tmp_path / "bars.npz")
    device = start("--no-page", "--data", str(tmp_path / "bars.npz"))
    assert device.next("imported")["samples"] == 30
    device.end(signal.SIGTERM)
    with SampleStore.open(tmp_path / "kitchen" / "samples.sqlite") as store:
        assert len(store) == 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_device_says_goodbye(
    aggregator: ScriptedAggregator, start: Callable[..., Process], number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM end it with 130, and it is offline at once, under the number it was online with."""
    device = start("--no-page")
    session = device.next("connected")["session"]
    assert aggregator.next(DeviceState).online
    assert device.end(number)[0] == 130
    gone = aggregator.next(DeviceState, where=lambda state: not state.online)
    assert gone.session == session


def test_a_device_killed_while_it_uploads_resumes(
    aggregator: ScriptedAggregator, start: Callable[..., Process], tmp_path: Path
) -> None:
    """Killed between its chunks, the next process offers the same update, sends what is lacking, and trains nothing."""
    bars(60).save(tmp_path / "bars.npz")
    aggregator.deaf_to = lambda topic: topic.kind == "chunk" and topic.index > 4
    device = start("--no-page", "--data", str(tmp_path / "bars.npz"))
    device.next("connected")
    aggregator.open_round(1)
    update = aggregator.next(UpdateManifest)
    device.end(signal.SIGKILL)
    assert not aggregator.next(DeviceState, where=lambda state: not state.online).online
    aggregator.chunks_in.clear()
    aggregator.deaf_to = lambda topic: False
    again = start("--no-page")
    assert aggregator.next(UpdateManifest).blob == update.blob
    assert again.next("verdict")["verdict"] == "accepted"
    assert sorted(aggregator.chunks_in)[-1] == update.blob.chunks - 1
    assert not (tmp_path / "kitchen" / "outbox" / "update.json").exists()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--name", "a b"], 2, "device name 'a b' cannot be used"),
        (["--data", "/no/such/file.npz"], 3, "there is no such file or folder"),
        (["--data", __file__], 3, "test_device_process.py"),
        (["--folder", "/dev/null/x"], 7, "cannot use folder /dev/null/x"),
        (["--broker", "mqtt://127.0.0.1:9", "--wait-s", "0.5"], 5, "given up after 0.5 s"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(
    start: Callable[..., Process], options: list[str], code: int, said: str
) -> None:
    """Bad options, data, folders and brokers end the command with their code and one line on stderr."""
    device = start(*options)
    _, error = device.process.communicate(timeout=DEADLINE_S)
    assert device.process.returncode == code
    assert len(error.strip().splitlines()) == 1
    assert said in error
