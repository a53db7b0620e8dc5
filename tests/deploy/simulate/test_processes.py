"""The processes of a simulation end when they are to, and say why when they are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from deploy.simulate import processes as module
from deploy.simulate.processes import Processes
from shared.errors import BrokerError, RunError

DEADLINE_S = 60.0


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let children be Python programs instead of inkfleet commands."""

    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-c", *arguments]

    monkeypatch.setattr(module, "command", command)


def until(reached: Callable[[], bool]) -> None:
    """Wait for something that is about to be."""
    deadline = time.monotonic() + DEADLINE_S
    while not reached():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def alive(pids: Sequence[int]) -> list[int]:
    """Name the processes of these that still run."""
    found = []
    for pid in pids:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.usefixtures("python")
def test_a_child_that_fails_is_told_by_the_last_line_of_its_log(tmp_path: Path) -> None:
    """Its exit code becomes the error that the code stands for."""
    with Processes(tmp_path) as processes:
        child = processes.start("kitchen", ["import sys; print('inkfleet: no broker', file=sys.stderr); sys.exit(5)"])
        child.process.wait(DEADLINE_S)
        assert processes.ended() == [child]
        error = child.failure()
    assert isinstance(error, BrokerError)
    assert str(error) == "kitchen: no broker (exit 5)"


@pytest.mark.usefixtures("python")
def test_a_child_that_was_killed_is_told_by_the_signal(tmp_path: Path) -> None:
    """Nobody has to know the number of a signal."""
    with Processes(tmp_path) as processes:
        child = processes.start("kitchen", ["import time; time.sleep(600)"])
        child.process.kill()
        child.process.wait(DEADLINE_S)
        error = child.failure()
    assert isinstance(error, RunError)
    assert "kitchen was ended by SIGKILL" in str(error)


@pytest.mark.usefixtures("python")
def test_a_child_that_will_not_end_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """Leaving ends a child that ignores SIGTERM, and its own children."""
    stubborn = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(other.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    with Processes(tmp_path) as processes:
        child = processes.start("stubborn", [stubborn], output=True)
        assert child.stdout is not None
        pids = [child.process.pid, int(child.stdout.readline())]
        assert alive(pids) == pids
        processes.stop(grace_s=0.2)
        until(lambda: not alive(pids))


@pytest.mark.usefixtures("python")
def test_variables_for_other_commands_do_not_reach_the_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device's name in the environment is not the name of every device."""
    monkeypatch.setenv("INKFLEET_DEVICE_NAME", "kitchen")
    with Processes(tmp_path, environment={"INKFLEET_DEVICE_BROKER": "mqtt://b"}) as processes:
        show = "import os; print([k for k in sorted(os.environ) if k.startswith('INKFLEET_DEVICE')])"
        child = processes.start("shows", [show], output=True)
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "['INKFLEET_DEVICE_BROKER']"


def test_a_child_dies_with_a_parent_that_was_killed() -> None:
    """kill -9 of the simulation leaves nobody behind."""
    tied = (
        "import os, signal, sys, time\n"
        "from deploy.brokers.tether import tie_to_parent\n"
        "tie_to_parent(int(sys.argv[1]), with_signal=signal.SIGKILL)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(600)\n"
    )
    code = f"import os, subprocess, sys\nsubprocess.run([sys.executable, '-c', {tied!r}, str(os.getpid())])"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive([pid]) == [pid]
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(DEADLINE_S)
        assert parent.stdout is not None
        parent.stdout.close()
    until(lambda: not alive([pid]))
