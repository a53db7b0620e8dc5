"""The part of a device that faces a person: page, reader, and the weights that it reads with."""

from __future__ import annotations

import queue
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from edge_client import page
from edge_client.adoption import AdoptedWeights, WeightsShelf
from edge_client.front import Front
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from shared.errors import DataError, SettingsError
from shared.tensors import encode_tensors, sha256_of
from tflite_models.bundle import ModelBundle, builtin_bundle
from tflite_models.runtime.weights import initial_weights

DEADLINE_S = 60.0


class Faced:
    """A device with its front, away from any broker, and what it told."""

    def __init__(self, settings: DeviceSettings) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.device = Device(settings, on_event=self.events.put, rng=np.random.default_rng(1))
        self.device.start()
        self.front = Front(self.device)

    def next(self, kind: str) -> dict[str, Any]:
        """Wait for the next event of a kind."""
        while (event := self.events.get(timeout=DEADLINE_S))["event"] != kind:
            pass
        return event

    def stop(self) -> None:
        """End both."""
        self.front.stop()
        self.device.stop()


@pytest.fixture
def make(tmp_path: Path, unused_port: int) -> Iterator[Callable[..., Faced]]:
    """Make devices on one folder; all are stopped in the end."""
    made: list[Faced] = []

    def one(**changes: Any) -> Faced:
        values = {"name": "kitchen", "folder": tmp_path / "kitchen", "page_port": 0, "wait_s": 0.0}
        made.append(Faced(DeviceSettings(**(values | {"broker": f"mqtt://127.0.0.1:{unused_port}"} | changes))))
        return made[-1]

    yield one
    for faced in made:
        faced.stop()


def adopt(shelf: WeightsShelf, bundle: ModelBundle, *, rounds: int) -> str:
    """Put some weights of a model on the shelf; return their hash."""
    blob = encode_tensors(initial_weights(bundle.manifest, seed=rounds))
    label = AdoptedWeights(sha256_of(blob), bundle.sha256, "run", rounds)
    shelf.adopt(label, blob, model=lambda: bundle)
    return label.weights_sha256


def test_the_page_is_there_without_a_broker(make: Callable[..., Faced]) -> None:
    """It is served while the device still looks for its broker, and is gone when the device ends."""
    faced = make()
    faced.front.start()
    url = faced.next("page")["url"]
    assert httpx.get(url).status_code == 200
    faced.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_what_is_adopted_is_read_with_now_and_after_a_restart(make: Callable[..., Faced], tmp_path: Path) -> None:
    """First the weights that ship; then those of the fleet, with a model that does not ship, from the disk alone."""
    shipped = builtin_bundle("algebra")
    manifest = shipped.manifest.model_copy(update={"name": "ours"})
    ours = ModelBundle.from_bytes(manifest=manifest.to_bytes(), program=shipped.program, reader=shipped.reader)
    shelf = WeightsShelf(tmp_path / "kitchen" / "weights")
    faced = make()
    faced.front.start()
    assert faced.next("reading")["origin"] == "shipped"
    first = adopt(shelf, shipped, rounds=1)
    faced.device.tell({"event": "adopted", "rounds": 1})
    told = faced.next("reading")
    assert (told["origin"], told["weights_sha256"], told["rounds"]) == ("fleet", first, 1)
    second = adopt(shelf, ours, rounds=2)
    faced.device.tell({"event": "adopted", "rounds": 2})
    assert faced.next("reading")["weights_sha256"] == second
    assert faced.front._recogniser is not None
    assert faced.front._recogniser.labels.name == "ours"
    faced.stop()
    again = make()
    again.front.start()
    assert again.next("reading")["weights_sha256"] == second
    weights = again.device.learning.reading
    assert weights == {"sha256": second, "run": "run", "rounds": 2, "origin": "fleet"}


def test_adopted_weights_without_their_model_are_passed_over(make: Callable[..., Faced], tmp_path: Path) -> None:
    """A shelf that lost its model, or holds half of what was written, leaves the device with what ships."""
    shipped = builtin_bundle("algebra")
    blob = encode_tensors(initial_weights(shipped.manifest, seed=1))
    shelf = WeightsShelf(tmp_path / "kitchen" / "weights")
    shelf.adopt(AdoptedWeights(sha256_of(blob), "0" * 64, "run", 1), blob)
    faced = make()
    faced.front.start()
    assert faced.next("reading")["origin"] == "shipped"


def test_the_default_port_gives_way_and_one_that_is_asked_for_does_not(
    make: Callable[..., Faced], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second device of a machine finds a free port; where a port was named, one line says that it is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(page, "DEFAULT_PORT", port)
        with pytest.raises(SettingsError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            make(page_port=port, name="a").front.start()
    with socket.create_server(("127.0.0.1", port)):
        faced = make(page_port=None, name="b", folder=tmp_path / "b")
        faced.front.start()
        assert faced.next("page")["url"] != f"http://127.0.0.1:{port}/"


def test_a_source_that_means_nothing_is_one_line(make: Callable[..., Faced], tmp_path: Path) -> None:
    """The reader, the port and the camera are let go of again."""
    faced = make(source=str(tmp_path / "nowhere.mp4"))
    with pytest.raises(DataError, match="there is no such file or folder"):
        faced.front.start()
    assert faced.front.url == ""
