"""Runs every benchmark, one after the other: ``python -m tests.benchmarks``. Each can be run alone by its module."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = (
    "tests.benchmarks.train_step",
    "tests.benchmarks.reading",
    "tests.benchmarks.fleet",
    "tests.benchmarks.recovery",
    "deploy.brokers.benchmark",
)


def main() -> None:
    """Run each benchmark in a process of its own, so that none warms the other's caches."""
    failed = []
    for name in BENCHMARKS:
        print(f"== {name}", flush=True)  # noqa: T201
        if subprocess.run([sys.executable, "-m", name], check=False).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
