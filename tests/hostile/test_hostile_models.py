"""A round whose model is not one: the device says why it stays out, and takes part in the next true round."""

from __future__ import annotations

import hashlib
import json
import queue
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from deploy.brokers import RunningBroker
from edge_client.service import Device
from edge_client.settings import DeviceSettings
from shared.messages import DeviceState, ModelRef, UpdateManifest
from tests.edge_client.made_samples import bars
from tests.edge_client.scripted_aggregator import DEADLINE_S, ScriptedAggregator
from tflite_models.bundle import ModelBundle, builtin_bundle

Programs = tuple[bytes, bytes, bytes]
"""The manifest, the training program and the reader."""


def named(bundle: ModelBundle, *, program: bytes, changes: dict[str, Any] | None = None) -> Programs:
    """Make a manifest that names another program rightly, by its hash and size."""
    manifest = json.loads(bundle.manifest_bytes)
    manifest["program"] |= {"sha256": hashlib.sha256(program).hexdigest(), "size_bytes": len(program)}
    return json.dumps(manifest | (changes or {})).encode(), program, bundle.reader


def rewritten(program: bytes, change: Callable[[Any], None]) -> bytes:
    """Change a TFLite file by its schema."""
    model = schema.ModelT.InitFromPackedBuf(program, 0)
    change(model)
    builder = flatbuffers.Builder(len(program))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _custom_op(model: Any) -> None:
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b"RunAnything"


def _enormous(model: Any) -> None:
    graph = model.subgraphs[model.signatureDefs[0].subgraphIndex]
    for index in graph.inputs:
        graph.tensors[index].shape = np.array([1 << 15, 1 << 15, 64, 64], np.int32)


def _signatureless(model: Any) -> None:
    model.signatureDefs = []


def _garbage(bundle: ModelBundle) -> Programs:
    return named(bundle, program=b"\x1c\x00\x00\x00TFL3" + np.random.default_rng(1).bytes(50_000))


def _cut(bundle: ModelBundle) -> Programs:
    return named(bundle, program=bundle.program[: len(bundle.program) // 2])


def _layers(bundle: ModelBundle) -> Programs:
    layers = json.loads(bundle.manifest_bytes)["layers"]
    return named(bundle, program=bundle.program, changes={"layers": layers * 40})


def _words(bundle: ModelBundle) -> Programs:
    return b"[" * 5000, bundle.program, bundle.reader


HOSTILE: dict[str, Callable[[ModelBundle], Programs]] = {
    "garbage behind a true header": _garbage,
    "half a program": _cut,
    "a custom op": lambda bundle: named(bundle, program=rewritten(bundle.program, _custom_op)),
    "inputs that no memory holds": lambda bundle: named(bundle, program=rewritten(bundle.program, _enormous)),
    "no signatures": lambda bundle: named(bundle, program=rewritten(bundle.program, _signatureless)),
    "a manifest with forty times the layers": _layers,
    "a manifest that is no manifest": _words,
}


@pytest.fixture
def aggregator(mosquitto: RunningBroker, fleet_id: str) -> Iterator[ScriptedAggregator]:
    """Whoever holds the topics of the aggregator."""
    with ScriptedAggregator(mosquitto.address, fleet=fleet_id, bundle=builtin_bundle("arithmetic")) as one:
        yield one


@pytest.fixture
def events(mosquitto: RunningBroker, fleet_id: str, tmp_path: Path) -> Iterator[queue.Queue[Any]]:
    """The events of the device ``kitchen``."""
    told: queue.Queue[Any] = queue.Queue()
    device = Device(
        DeviceSettings(
            name="kitchen", fleet=fleet_id, folder=tmp_path / "kitchen", broker=str(mosquitto.address), adopt=False
        ),
        on_event=told.put,
        rng=np.random.default_rng(3),
    )
    device.open().add(bars(60), source="test")
    device.start()
    yield told
    device.stop()


def test_it_stays_out_and_comes_back(aggregator: ScriptedAggregator, events: queue.Queue[Any]) -> None:
    """Each hostile model is refused in one line, which the fleet is told; none ends the device or keeps it."""
    bundle, true = aggregator.bundle, aggregator.model
    for number, kind in enumerate(HOSTILE, start=1):
        manifest, program, reader = HOSTILE[kind](bundle)
        offered = (aggregator.offer(part) for part in (manifest, program, reader))
        names = ("manifest", "program", "reader")
        aggregator.open_round(number, run="hostile", model=ModelRef(name="m", **dict(zip(names, offered, strict=True))))
        reason = str(failed(events, number)["reason"])
        assert reason, kind
        assert "\n" not in reason, kind
        state = aggregator.next(DeviceState, where=partial(of_round, number))
        assert state.failure is not None
        assert state.failure.reason
    aggregator.open_round(1, run="true", model=true)
    assert aggregator.next(UpdateManifest).run == "true"


def failed(events: queue.Queue[Any], number: int) -> dict[str, Any]:
    """Wait until the device says that it cannot take part in a round."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        event: dict[str, Any] = events.get(timeout=max(0.01, deadline - time.monotonic()))
        assert event["event"] != "trained"
        if event["event"] == "failed" and event["round"] == number:
            return event


def of_round(number: int, state: DeviceState) -> bool:
    """Whether a presence speaks of a failure in this round."""
    return state.failure is not None and state.failure.round == number
