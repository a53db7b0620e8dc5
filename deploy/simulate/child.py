"""Runs one ``inkfleet`` command, or a worker, as a child that cannot outlive the simulation.

``python -m deploy.simulate.child PARENT_PID aggregator --json …`` is ``inkfleet aggregator --json …``, except that the
kernel kills it when the simulation is gone, even if that was killed itself.
"""

from __future__ import annotations

import os
import signal
import sys

from deploy.brokers.tether import tie_to_parent

WORKER = "worker"
"""In place of a command's name: host many devices."""


def command(*arguments: str) -> list[str]:
    """Return the command line that starts such a child of this process."""
    return [sys.executable, "-m", "deploy.simulate.child", str(os.getpid()), *arguments]


def main(arguments: list[str]) -> None:
    """Tie this process to its parent and become what it was started as."""
    tie_to_parent(int(arguments[0]), with_signal=signal.SIGKILL)
    if arguments[1] == WORKER:
        from deploy.simulate.worker import main as work

        work(arguments[2:])
    else:
        from deploy.cli import main as inkfleet

        inkfleet(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
