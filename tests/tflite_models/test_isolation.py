"""What a process that trains carries: no TensorFlow, little memory, a quick start, a quiet terminal."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

TRAIN = """
import json, re, sys, time
import numpy as np
begin = time.process_time()
from tflite_models.bundle import builtin_bundle
from tflite_models.runtime.training import TrainHyper, train
from tflite_models.runtime.program import TrainingProgram
from tflite_models.runtime.reader import FrozenReader
from tflite_models.runtime.weights import initial_weights
imported = time.process_time() - begin
bundle = builtin_bundle("arithmetic")
program = TrainingProgram(bundle)
program.set_weights(initial_weights(bundle.manifest, seed=0))
images = np.zeros((320, 45, 45), np.uint8)
labels = (np.arange(320) % 17).astype(np.int32)
rng = np.random.default_rng(0)
for optimizer in ("sgd", "adam"):
    train(program, images, labels, hyper=TrainHyper(optimizer=optimizer, lr=0.001), epochs=1, batch_size=32, rng=rng)
FrozenReader(bundle, weights=program.get_weights()).read(images)
print(json.dumps({
    "import_s": imported,
    # Not getrusage: a child's maximum begins at its parent's, and here that is the tests' TensorFlow.
    "rss_mb": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 1024,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def train_in_a_process() -> tuple[dict[str, Any], str]:
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, check=True, timeout=400)
    found: dict[str, Any] = json.loads(done.stdout)
    return found, done.stderr


def test_a_process_that_trains_is_small_and_quiet() -> None:
    """Training and reading load neither TensorFlow nor OpenCV, stay under 160 MB, and print nothing."""
    found, chatter = train_in_a_process()
    assert not {"tensorflow", "keras", "cv2"} & set(found["modules"])
    assert found["rss_mb"] <= 160
    assert found["import_s"] < 2
    assert chatter == ""
