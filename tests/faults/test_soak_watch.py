"""The watch of the long run, put over processes that leak on purpose."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.faults.soak_watch import MOST_GROWTH, SoakWatch

STEPS = 100

LEAKING = """
import os, sys, threading
what, state = sys.argv[1:]
kept = [open("/dev/null") for _ in range(20)] + [bytearray(b"x" * 10_000_000)]
ended = threading.Event()
for step, _ in enumerate(sys.stdin):
    if what == "memory_bytes":
        kept.append(bytearray(b"x" * 100_000))
    elif what == "threads" and step == 80:
        threading.Thread(target=ended.wait, daemon=True).start()
    elif what == "descriptors":
        kept.append(open("/dev/null"))
    elif what == "temporary files" and step == 0:
        open(state + "/.left.unfinished", "w").close()
    # What is made and dropped again is no leak.
    passing = [bytearray(b"x" * 200_000), open("/dev/null")]
    if step:
        os.unlink(f"{state}/.{step - 1}.unfinished")
    open(f"{state}/.{step}.unfinished", "w").close()
    print(flush=True)
"""


@pytest.mark.parametrize("what", [*MOST_GROWTH, "temporary files", "nothing"])
def test_a_leak_is_found(what: str, tmp_path: Path) -> None:
    """A process that lets memory, descriptors, a thread or a file go astray is told; one that does not is not."""
    call = [sys.executable, "-c", LEAKING, what, str(tmp_path)]
    with subprocess.Popen(call, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        watch = SoakWatch(psutil.Process(process.pid), state=tmp_path)
        for _ in range(STEPS):
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert process.stdout.readline()
            watch.look()
        process.stdin.close()
    (life,) = watch.lives()
    assert len(life.samples) == STEPS
    found = [line.split()[1] for line in life.leaks()] + ["temporary files"] * bool(watch.left_behind)
    assert found == ([] if what == "nothing" else [what])
