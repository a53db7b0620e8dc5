"""A hundred devices, three hundred rounds, and somebody who kills: nothing grows, nothing leaks, nothing is lost.

It takes half an hour on two cores. ``INKFLEET_TEST_SOAK_ROUNDS`` makes it shorter for a first look.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.faults.soak_watch import MOST_GROWTH, SoakWatch

_log = logging.getLogger(__name__)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]

DEVICES = 100
ROUNDS = int(os.environ.get("INKFLEET_TEST_SOAK_ROUNDS", "300"))

TINY = """
import keras, sys
layers = keras.layers
model = keras.Sequential(
    [layers.Input((45, 45, 1)), layers.MaxPool2D(5), layers.Flatten(), layers.Dense(17, activation="softmax")]
)
model.save(sys.argv[1])
"""
"""The smallest network that is one: 1,394 parameters."""


@pytest.fixture
def tiny_model(tmp_path: Path) -> Path:
    """A model whose training and transfer take next to nothing."""
    pytest.importorskip("tensorflow", reason="building a model needs TensorFlow (pip install 'inkfleet[build]')")
    keras, out = tmp_path / "tiny.keras", tmp_path / "model"
    subprocess.run([sys.executable, "-c", TINY, str(keras)], check=True, capture_output=True)
    call = ["model", "build", "--keras", str(keras), "--name", "tiny", "--out", str(out)]
    subprocess.run([sys.executable, "-m", "deploy", *call], check=True, capture_output=True)
    return out


def test_a_long_run_with_kills_neither_grows_nor_leaks(tiny_model: Path, tmp_path: Path) -> None:
    """Memory flat after the warm-up, as many threads and descriptors as before, no file left, the account right."""
    out = tmp_path / "run"
    call: list[object] = ["simulate", "--model", tiny_model, "--devices", DEVICES, "--rounds", ROUNDS, "--workers", 4]
    call += ["--generated-samples", 34, "--local-epochs", 1, "--augment", 0, "--seed", 3]
    call += ["--chaos", 5, "--chaos-faults", max(6, ROUNDS // 5), "--out", out, "--json"]
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy", *map(str, call)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    watch = SoakWatch(psutil.Process(process.pid), state=out / "state")
    # It says more than a pipe holds: somebody must read while we watch.
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(process.communicate)
        watch.run()
        output, errors = said.result()
    assert process.returncode == 0, errors[-3000:]
    account = json.loads(output)["chaos"]
    _log.info("%s", account)
    assert account["rounds"] == account["proven"] == ROUNDS
    assert (account["lost"], account["twice"], account["wrong"]) == (0, 0, [])
    lives = watch.lives()
    for life in lives:
        grown = {what: round(life.growth(what), 4) for what in MOST_GROWTH}
        _log.info("%s: %d samples, %s; grown by %s", life.name, len(life.samples), life.samples[-1], grown)
    watched = {life.name.rstrip("-1234") for life in lives}
    # In a run that was shortened, those that are killed may not live long enough to tell.
    assert watched == {"simulation", "aggregator", "broker", "worker"} or (ROUNDS < 300 and "simulation" in watched)
    assert [leak for life in lives for leak in life.leaks()] == []
    assert watch.left_behind == set()
    assert list(temporary.iterdir()) == []
    assert not (out / "state").exists()
