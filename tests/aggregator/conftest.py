"""Aggregators and the devices that they serve, at a real broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aggregator.run import shapes_of
from aggregator.settings import AggregatorSettings
from deploy.brokers import RunningBroker
from shared.dataset import Dataset
from tests.aggregator.fake_device import FakeDevice
from tests.aggregator.running import Running
from tflite_models.bundle import ModelBundle, builtin_bundle


@pytest.fixture(scope="session")
def model() -> ModelBundle:
    """The smallest model there is."""
    return builtin_bundle("arithmetic")


@pytest.fixture
def devices(mosquitto: RunningBroker, fleet_id: str, model: ModelBundle) -> Iterator[Callable[..., FakeDevice]]:
    """Start devices that are stopped when the test is over."""
    started: list[FakeDevice] = []

    def start(name: str, *, broker: RunningBroker = mosquitto, **options: Any) -> FakeDevice:
        started.append(
            FakeDevice(broker.address, fleet=fleet_id, name=name, shapes=shapes_of(model), **options).start()
        )
        return started[-1]

    yield start
    for device in started:
        device.stop()


@pytest.fixture
def serve(
    mosquitto: RunningBroker, fleet_id: str, model: ModelBundle, tmp_path: Path
) -> Iterator[Callable[..., Running]]:
    """Start aggregators that are stopped when the test is over."""
    started: list[Running] = []

    def start(test: Dataset | None = None, *, clock: Callable[[], float] = time.monotonic, **options: Any) -> Running:
        defaults: dict[str, Any] = {
            "broker": str(mosquitto.address),
            "fleet": fleet_id,
            "folder": tmp_path / "run",
            "gather_ms": 10,
            "grace_s": 2.0,
            "linger_s": 0.5,
            "seed": 7,
        }
        started.append(Running(AggregatorSettings(**(defaults | options)), model, test, clock=clock))
        return started[-1]

    yield start
    for running in started:
        running.give_up()
