"""Devices in a fleet: a real broker, a real model, a scripted aggregator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.brokers import RunningBroker
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer
from shared.dataset import Dataset
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import ScriptedAggregator
from tests.edge_client.watched import Watched
from tflite_models.bundle import ModelBundle, builtin_bundle


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    """The model that ships for arithmetic."""
    return builtin_bundle("arithmetic")


@pytest.fixture(scope="module")
def trainer() -> Iterator[Trainer]:
    """One interpreter for all tests of a module."""
    one = Trainer()
    yield one
    one.close()


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str, bundle: ModelBundle) -> Iterator[ScriptedAggregator]:
    """A scripted aggregator of a fleet of its own."""
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=bundle) as one:
        yield one


@pytest.fixture
def make(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path, trainer: Trainer) -> Iterator[Callable[..., Watched]]:
    """Make devices called ``kitchen`` that hold 60 samples, and stop them in the end."""
    made: list[Watched] = []

    def one(*, samples: Dataset | None = None, start: bool = True, **changes: Any) -> Watched:
        values: dict[str, Any] = {"name": "kitchen", "fleet": fleet_id, "folder": tmp_path / "kitchen"}
        settings = DeviceSettings(**(values | {"broker": str(mosquitto.address), "adopt": False} | changes))
        watched = Watched(settings, trainer=trainer)
        made.append(watched)
        watched.device.open().add(bars(60) if samples is None else samples, source="test")
        if start:
            watched.device.start()
        return watched

    yield one
    for watched in made:
        watched.device.stop()
