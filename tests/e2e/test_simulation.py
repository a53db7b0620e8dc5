"""A simulated fleet, from the command line to the report, as processes through real brokers."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.brokers import RunningBroker
from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.report.record import SimulationRecord
from tests.broker_fixtures import Ear
from tests.e2e.conftest import Command

Start = Callable[..., Command]

FLEET = ("--devices", 3, "--rounds", 3, "--generated-samples", 120, "--lr", 0.1, "--seed", 3)
"""Small, and still a fleet that learns."""

ONE_PROCESS = ("--workers", 1)
"""The devices share a process where it is not devices that the test is about: each more costs seconds to start."""

FOR_LONG = ("--rounds", 100)
"""More rounds than a run goes through before something ends it."""

RESULTS = ["accuracy.png", "metrics.jsonl", "report.html", "run.json", "weights.safetensors"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]


def mosquitto() -> str:
    """Mosquitto where it is installed, as `auto` has it."""
    return "mosquitto" if mosquitto_executable() else "embedded"


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """The result of the fleet through Mosquitto, a process a device; filled by the first test."""
    return {}


def test_a_fleet_learns_and_leaves_a_report(inkfleet: Start, tmp_path: Path, undisturbed: dict[str, Any]) -> None:
    """Reads writers never seen far better than chance; leaves its files, and no process."""
    command = inkfleet("simulate", *FLEET, "--broker", mosquitto(), "--out", "run", "--json")
    assert command.end() == 0, command.lines
    assert command.leaves_nothing()
    result = json.loads(command.out[-1])
    assert len(command.out) == 1
    assert result["accuracy"] > 3 / 17
    assert (result["rounds"], result["devices"]) == (3, 3)
    assert result["bytes_up"] > 0 < result["bytes_down"]
    assert [run["partition"] for run in result["runs"]] == ["writer"]
    assert result["runs"][0]["weights_sha256"] == result["weights_sha256"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == RESULTS
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["round"] for line in lines] == [1, 2, 3]
    asked = {"partition", "round", "accuracy", "loss", "participants", "samples", "wall_s", "bytes_up", "bytes_down"}
    assert all(asked <= set(line) for line in lines)
    record = SimulationRecord.load(tmp_path / "run" / "run.json")
    assert record.finished
    assert sum(map(sum, record.runs[0].confusion)) == record.test_samples
    assert all(device.holdout_after is not None for device in record.runs[0].devices)
    undisturbed.update(result)


def test_ctrl_c_keeps_the_finished_rounds_and_resume_ends_at_the_same_weights(
    inkfleet: Start, tmp_path: Path, undisturbed: dict[str, Any]
) -> None:
    """Another broker, shared processes, ended after the first round and resumed: bit for bit the same."""
    fleet = ("simulate", *FLEET, "--broker", "embedded", "--workers", 2, "--out", "run", "--json")
    command = inkfleet(*fleet)
    command.wait_for("round 1 of 3")
    command.interrupt()
    assert command.end() == 130
    assert command.leaves_nothing()
    assert "interrupted" in command.lines[-1]
    assert "--resume" in command.lines[-1]
    assert command.out == []
    done = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert 1 <= len(done) < 3
    assert "--resume" in (tmp_path / "run" / "report.html").read_text()

    resumed = inkfleet(*fleet, "--resume")
    assert resumed.end() == 0, resumed.lines
    assert resumed.leaves_nothing()
    result = json.loads(resumed.out[-1])
    assert (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[: len(done)] == done
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == RESULTS
    assert result["rounds"] == 3
    if undisturbed:
        assert result["weights_sha256"] == undisturbed["weights_sha256"]
        assert result["accuracy"] == undisturbed["accuracy"]


def test_partitions_are_compared_in_one_figure(
    inkfleet: Start, tmp_path: Path, embedded_broker: RunningBroker, ear: Callable[..., Ear]
) -> None:
    """Two partitions make two runs, two sets of weights and one report, in the place of an old run's.

    It goes through a broker that was running before, and is left as it was found.
    """
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("old")
    (tmp_path / "run" / "weights-old.safetensors").write_text("old")
    fleet = ("--devices", 2, "--rounds", 1, "--generated-samples", 34, "--generated-writers", 4, "--workers", 1)
    partitions = ("--partition", "iid", "--partition", "shards")
    broker = ("--broker", embedded_broker.address)
    command = inkfleet("simulate", *fleet, *partitions, *broker, "--out", "run", "--json")
    assert command.end() == 0, command.lines
    result = json.loads(command.out[-1])
    assert [run["partition"] for run in result["runs"]] == ["iid", "shards"]
    assert result["accuracy"] == result["runs"][0]["accuracy"]
    names = sorted([*RESULTS, "weights-iid.safetensors", "weights-shards.safetensors"])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == names
    same = (tmp_path / "run" / "weights-iid.safetensors").read_bytes()
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == same
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Test accuracy after each communication round: IID, shards" in page
    listener = ear(embedded_broker.address).up("fl/v1/+/round", "fl/v1/+/server/state", "fl/v1/+/device/+/state", "end")
    listener.link.publish("end", b"end")
    assert listener.next().topic == "end"


def test_kill_9_leaves_no_process(inkfleet: Start) -> None:
    """The kernel ends broker, aggregator and devices when nobody else can."""
    command = inkfleet("simulate", *FLEET, *FOR_LONG, "--broker", "auto", "--out", "run")
    command.wait_for("round 1 of 100")
    assert len(command.family()) >= 5
    command.process.send_signal(signal.SIGKILL)
    command.process.wait()
    assert command.leaves_nothing()


def test_ctrl_c_while_the_fleet_gathers_leaves_nothing(inkfleet: Start, tmp_path: Path) -> None:
    """Before the first round there is nothing to keep: no folder, no process. A second Ctrl-C only makes it faster."""
    command = inkfleet("simulate", *FLEET, "--broker", "embedded", *ONE_PROCESS, "--out", "run")
    command.wait_for("3 devices through")
    command.interrupt()
    command.interrupt()
    assert command.end() == 130
    assert command.leaves_nothing()
    assert "interrupted" in command.lines[-1]
    assert not (tmp_path / "run" / "report.html").exists()


def test_a_broker_that_dies_ends_the_run_with_its_rounds_kept(inkfleet: Start, tmp_path: Path) -> None:
    """One line names the broker; the exit code is the broker's; the report has the rounds that were finished."""
    command = inkfleet("simulate", *FLEET, *FOR_LONG, "--broker", "embedded", *ONE_PROCESS, "--out", "run")
    command.wait_for("round 1 of 100")
    broker = next(one for one in command.family() if "embedded_server" in " ".join(one.cmdline()))
    broker.kill()
    assert command.end() == 5
    assert command.leaves_nothing()
    assert command.lines[-1].startswith("inkfleet: the embedded broker ended")
    assert (tmp_path / "run" / "report.html").exists()


def test_a_device_that_dies_ends_the_run_and_is_named(inkfleet: Start) -> None:
    """A round that needs all its devices does not wait for one that is gone."""
    command = inkfleet("simulate", *FLEET, *FOR_LONG, "--broker", "embedded", "--out", "run")
    command.wait_for("3 devices through")
    device = wait_for_child(command, "device-002")
    device.kill()
    assert command.end() == 8
    assert command.leaves_nothing()
    assert "device-002 was ended by SIGKILL" in command.lines[-1]


def test_a_full_disk_is_one_line(inkfleet: Start, tmp_path: Path) -> None:
    """When weights cannot be written the run ends with the storage's exit code, and nothing half-written."""

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    command = inkfleet("simulate", *FLEET, "--broker", "embedded", *ONE_PROCESS, "--out", "run", limit=small_disk)
    assert command.end() == 7, command.lines
    assert command.leaves_nothing()
    assert command.lines[-1].startswith("inkfleet: ")
    assert "File too large" in command.lines[-1]
    assert not (tmp_path / "run").exists()


def wait_for_child(command: Command, name: str) -> psutil.Process:
    """Find the process of a device, as soon as it is there."""
    while True:
        for one in command.family():
            if name in one.cmdline():
                return one
        assert command.process.poll() is None
