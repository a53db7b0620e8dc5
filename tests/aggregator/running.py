"""An aggregator on a thread of its own, and what its results are held against."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aggregator.service import Aggregator, RunSummary
from aggregator.settings import AggregatorSettings
from shared.dataset import Dataset
from shared.labels import label_set
from shared.tensors import Tensors
from tests.aggregator.fake_device import noisy
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import initial_weights

DEADLINE_S = 90.0
Event = dict[str, Any]


class Running:
    """An aggregator on a thread, and what it says."""

    def __init__(
        self,
        settings: AggregatorSettings,
        model: ModelBundle,
        test: Dataset | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.stop = threading.Event()
        self._summary: RunSummary | None = None
        self._error: Exception | None = None
        self._aggregator = Aggregator(settings, model=model, test=test, on_event=self.events.put, clock=clock)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._summary = self._aggregator.run(self.stop)
        except Exception as error:
            self._error = error

    def until(self, kind: str, **fields: Any) -> Event:
        """The next event of this kind with these fields."""
        while True:
            event = self.events.get(timeout=DEADLINE_S)
            if event["event"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event

    def end(self) -> RunSummary:
        """Wait for the end; raise what it raised."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error
        assert self._summary is not None
        return self._summary

    def give_up(self) -> None:
        """Stop it, whatever becomes of its run."""
        self.stop.set()
        self._thread.join(DEADLINE_S)


def handwriting_of(count: int) -> Dataset:
    """Noise with labels: enough to be evaluated."""
    rng = np.random.default_rng(0)
    labels = np.array((list(label_set("arithmetic").labels) * count)[:count])
    return Dataset(rng.integers(0, 256, (count, 45, 45), np.uint8), labels, np.array([""] * count))


def metrics_of(folder: Path) -> list[Event]:
    """The lines of metrics of a run, from its folder."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def expected_weights(model: ModelBundle, *, rounds: int, samples: dict[str, int], seed: int = 7) -> Tensors:
    """FedAvg of what the fake devices answer, worked out apart from the aggregator."""
    weights = initial_weights(model.manifest, seed=seed)
    total = sum(samples.values())
    for number in range(1, rounds + 1):
        sums = {key: np.zeros(tensor.shape, np.float64) for key, tensor in weights.items()}
        for name in sorted(samples):
            for key, tensor in noisy(weights, seed=seed, round_number=number, device=name).items():
                sums[key] += tensor.astype(np.float64) * samples[name]
        weights = {key: (tensor / total).astype(np.float32) for key, tensor in sums.items()}
    return weights


def assert_true(value: bool) -> None:
    """For a lambda."""
    assert value
