"""Real brokers for tests: one process each for the whole session, a fleet of its own for every test."""

from __future__ import annotations

import os
import queue
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from deploy.brokers import RunningBroker, start_broker
from deploy.brokers.embedded import installed as embedded_installed
from deploy.brokers.mosquitto import executable as mosquitto_executable
from shared.mqtt import Backoff, BrokerAddress, Message, MqttLink

# Every wait in a test has this deadline; none is expected to come near it.
DEADLINE_S = 60.0


class Ear:
    """A link and what it heard: messages, connects and losses, each on a queue to wait at."""

    def __init__(self, address: BrokerAddress, **settings: Any) -> None:
        self.messages: queue.Queue[Message] = queue.Queue()
        self.connects: queue.Queue[None] = queue.Queue()
        self.losses: queue.Queue[str] = queue.Queue()
        settings.setdefault("client_id", f"test-{secrets.token_hex(6)}")
        settings.setdefault("backoff", Backoff(first_s=0.05, cap_s=0.2))
        settings.setdefault("rng", np.random.default_rng(1))
        settings.setdefault("on_message", self.messages.put)
        self.link = MqttLink(
            address,
            on_connect=lambda: self.connects.put(None),
            on_disconnect=self.losses.put,
            **settings,
        )

    def up(self, *filters: str) -> Ear:
        """Start, connect, and have these subscriptions granted."""
        self.link.subscribe(*filters)
        self.link.start()
        self.link.wait_connected(DEADLINE_S)
        assert self.link.flush(DEADLINE_S)
        return self

    def next(self) -> Message:
        """The next message."""
        return self.messages.get(timeout=DEADLINE_S)


@pytest.fixture
def ear() -> Iterator[Callable[..., Ear]]:
    """Make links that are stopped when the test is over."""
    ears: list[Ear] = []

    def make(address: BrokerAddress, **settings: Any) -> Ear:
        ears.append(Ear(address, **settings))
        return ears[-1]

    yield make
    for one in ears:
        one.link.stop()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """A real Mosquitto on a free port. Not installed: a skip by name, and in CI a failure."""
    need(mosquitto_executable() is not None, "Mosquitto is not installed (apt install mosquitto)")
    with start_broker("mosquitto", folder=tmp_path_factory.mktemp("mosquitto")) as broker:
        yield broker


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBroker]:
    """The embedded broker on a free port."""
    need(embedded_installed(), "the embedded broker is not installed (pip install iotcore)")
    with start_broker("embedded", folder=tmp_path_factory.mktemp("embedded")) as broker:
        yield broker


@pytest.fixture(params=["mosquitto", "embedded_broker"])
def any_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Each broker in turn: what holds for one must hold for the other."""
    broker: RunningBroker = request.getfixturevalue(request.param)
    return broker


@pytest.fixture
def fleet_id() -> str:
    """A fleet nobody else uses, so that tests on one broker do not hear each other."""
    return f"test-{secrets.token_hex(6)}"


def need(there: bool, message: str) -> None:
    """Skip the test by name where it lacks something; in CI, fail it."""
    if not there:
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
