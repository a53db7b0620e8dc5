"""Mistakes of a user's: one clear line, an exit code, nothing half-written, nothing started."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from deploy.brokers import start_broker
from deploy.brokers.mosquitto import executable as mosquitto_executable
from deploy.cli import main
from shared.dataset import Dataset
from shared.sample import SIDE


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """The command line takes SIGTERM for itself; give it back."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def scribbles(path: Path, *, label: str = "1", writers: int = 4) -> Path:
    """Write a small set of pictures of one label."""
    rng = np.random.default_rng(0)
    count = 10 * writers
    images = np.zeros((count, SIDE, SIDE), np.uint8)
    images[:, 0, :] = images[:, -1, :] = 255
    images[:, 5:40, 5:40] = 255 * (rng.random((count, 35, 35)) < 0.1)
    names = [f"w{i // 10}" for i in range(count)]
    Dataset(images, np.array([label] * count, np.str_), np.array(names, np.str_)).save(path)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Run a command that must be refused; return its exit code and the one line it says."""
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    said = capsys.readouterr()
    lines = said.err.strip().splitlines()
    assert lines[-1].startswith("inkfleet: ")
    assert not [line for line in lines[:-1] if line.startswith(("inkfleet:", "Traceback"))]
    return ended.value.code, lines[-1]


CASES = {
    "no such dataset": (["--data", "nowhere.npz"], 3, "nowhere.npz"),
    "a dataset without a byte": (["--data", "empty.npz"], 3, "empty.npz"),
    "an empty folder": (["--data", "folder"], 3, "folder"),
    "no pictures": (["--data", "words"], 3, "words"),
    "classes the label set lacks": (["--data", "greek.npz"], 3, "alpha"),
    "test data of other classes": (["--data", "ones.npz", "--test-data", "greek.npz"], 3, "alpha"),
    "fewer devices than a round needs": (["--devices", "2", "--per-round", "3"], 2, "--per-round"),
    "fewer writers than devices": (["--data", "ones.npz", "--devices", "9"], 2, "9 devices need a writer each"),
    "weights of another model": (["--weights", "other.safetensors", "--generated-samples", "5"], 4, "another model"),
    "weights that are none": (["--weights", "words/1/a.txt", "--generated-samples", "5"], 4, "a.txt"),
    "an unknown option": (["--devises", "3"], 2, "--devises"),
    "an unknown label set": (["--labels", "runes"], 4, "runes"),
    "an unknown partition": (["--partition", "diagonal"], 2, "diagonal"),
    "a broker's address that is none": (
        ["--broker", "carrier pigeon", "--generated-samples", "5"],
        2,
        "no broker is called 'carrier pigeon'",
    ),
    "a folder that cannot be": (["--out", "ones.npz/out", "--generated-samples", "5"], 7, "ones.npz/out"),
}


@pytest.mark.parametrize(("arguments", "code", "says"), CASES.values(), ids=CASES.keys())
def test_a_mistake_is_one_line(
    arguments: list[str],
    code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The line names what was wrong; the folder for results is not there afterwards."""
    from safetensors.numpy import save_file

    monkeypatch.chdir(tmp_path)
    scribbles(Path("ones.npz"))
    scribbles(Path("greek.npz"), label="alpha")
    Path("empty.npz").write_bytes(b"")
    Path("folder").mkdir()
    Path("words/1").mkdir(parents=True)
    Path("words/1/a.txt").write_text("not a picture")
    save_file({"kernel": np.zeros((2, 2), np.float32)}, "other.safetensors")
    out = [] if "--out" in arguments else ["--out", "results"]
    ended, line = refused(capsys, "--devices", "2", *arguments, *out)
    assert ended == code, line
    assert says in line
    assert not Path("results").exists()


def test_an_unknown_variable_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt variable is named, not passed over."""
    monkeypatch.setenv("INKFLEET_SIMULATE_DEVISES", "4")
    code, line = refused(capsys, "--out", tmp_path / "results")
    assert code == 2
    assert "INKFLEET_SIMULATE_DEVISES" in line


def test_a_broker_that_is_absent_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, unused_port: int) -> None:
    """Nothing listens at the address: the broker's exit code, and no folder."""
    address = f"mqtt://127.0.0.1:{unused_port}"
    code, line = refused(
        capsys, "--broker", address, "--out", tmp_path / "out", "--devices", 1, "--generated-samples", 5
    )
    assert code == 5
    assert str(unused_port) in line
    assert not (tmp_path / "out").exists()


def test_a_broker_that_refuses_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path, unused_port: int) -> None:
    """A broker that wants a password says so: the broker's exit code, and no folder."""
    program = mosquitto_executable()
    if program is None:
        pytest.skip("Mosquitto is not installed (apt install mosquitto)")
    configuration = tmp_path / "mosquitto.conf"
    configuration.write_text(f"listener {unused_port} 127.0.0.1\nallow_anonymous false\n")
    with subprocess.Popen([program, "-c", configuration], stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_it_listens(unused_port)
            address = f"mqtt://127.0.0.1:{unused_port}"
            out = tmp_path / "out"
            code, line = refused(capsys, "--broker", address, "--out", out, "--devices", 1, "--generated-samples", 5)
        finally:
            process.terminate()
    assert code == 5
    assert "refuse" in line or "not authori" in line.lower()
    assert not out.exists()


def wait_until_it_listens(port: int) -> None:
    """Wait for a server that was just started."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("it does not listen")


def test_a_second_simulation_in_the_folder_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One folder, one run at a time."""
    from deploy.simulate.out_folder import OutFolder

    with OutFolder(tmp_path):
        code, line = refused(capsys, "--out", tmp_path, "--devices", 1, "--generated-samples", 5)
    assert code == 8
    assert "another simulation" in line


def test_a_port_in_use_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`inkfleet broker` says which port, and how to choose another."""
    with start_broker("embedded", folder=tmp_path) as running, pytest.raises(SystemExit) as ended:
        main(["broker", "--port", str(running.address.port)])
    assert ended.value.code == 5
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert f"port {running.address.port} on 127.0.0.1 is in use" in line
