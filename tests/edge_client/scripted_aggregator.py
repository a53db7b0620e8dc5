"""An aggregator that does what a test tells it: a real client of a real broker, without rounds of its own."""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from shared.messages import (
    BlobRef,
    DeviceState,
    MessageModel,
    ModelRef,
    Reply,
    RoundManifest,
    ServerState,
    TrainingPlan,
    UpdateManifest,
    Want,
)
from shared.mqtt import Backoff, BrokerAddress, Message, MqttLink
from shared.signing import NoSeal, Seal
from shared.tensors import encode_tensors
from shared.topics import DeviceTopic, Topics
from shared.transfer import Assembly, chunk_of, indices_of
from tflite_models.bundle import ModelBundle
from tflite_models.runtime.weights import initial_weights

DEADLINE_S = 60.0
CHUNK_BYTES = 96 * 1024
M = TypeVar("M", bound=MessageModel)


class ScriptedAggregator:
    """Publishes rounds, serves wants, takes updates; what it heard waits in ``heard``.

    Attributes:
        heard: topics and messages of devices, in order; chunks are not among them.
        deaf_to: drop a message for which this says so, as if the network had lost it.
        lose: do not send a chunk of a blob for which this says so.
        verdict: what a whole update is answered with; None for silence.
        seal: signs what it says.
    """

    def __init__(self, address: BrokerAddress, *, fleet: str, bundle: ModelBundle) -> None:
        self.topics = Topics(fleet)
        self.bundle = bundle
        self.blobs: dict[str, tuple[BlobRef, bytes]] = {}
        self.model = ModelRef(
            name=bundle.manifest.name,
            manifest=self.offer(bundle.manifest_bytes),
            program=self.offer(bundle.program),
            reader=self.offer(bundle.reader),
        )
        self.weights = encode_tensors(initial_weights(bundle.manifest, seed=1))
        self.heard: queue.Queue[tuple[DeviceTopic, MessageModel]] = queue.Queue()
        self.wholes: queue.Queue[bytes] = queue.Queue()
        self.chunks_in: list[int] = []
        self.deaf_to: Callable[[DeviceTopic], bool] = lambda topic: False
        self.lose: Callable[[str, int], bool] = lambda sha256, index: False
        self.verdict: str | None = "accepted"
        self.seal: Seal = NoSeal()
        self._assemblies: dict[str, Assembly] = {}
        self._updates: dict[str, UpdateManifest] = {}
        self.link = MqttLink(
            address,
            client_id=f"aggregator-{secrets.token_hex(4)}",
            on_message=self._hear,
            on_connect=lambda: None,
            backoff=Backoff(first_s=0.05, cap_s=0.2),
            rng=np.random.default_rng(2),
        )

    def __enter__(self) -> ScriptedAggregator:
        self.link.subscribe(*self.topics.from_devices(), self.topics.device_states())
        self.link.start()
        self.link.wait_connected(DEADLINE_S)
        assert self.link.flush(DEADLINE_S)
        self.say(self.topics.server_state, ServerState(online=True, session=1), retain=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.link.publish(self.topics.round, b"", retain=True)
        self.link.flush(2.0)
        self.link.stop()

    def offer(self, data: bytes) -> BlobRef:
        """Serve these bytes to whoever wants them."""
        ref = BlobRef.of(data, chunk_bytes=CHUNK_BYTES)
        self.blobs[ref.sha256] = (ref, data)
        return ref

    def open_round(self, number: int = 1, *, weights: bytes | None = None, **changes: Any) -> RoundManifest:
        """Publish a round that ``kitchen`` is invited to."""
        values: dict[str, Any] = {
            "run": "run",
            "round": number,
            "rounds": 9,
            "phase": "open",
            "invited": ("kitchen",),
            "quorum": 1,
            "deadline_unix_s": time.time() + 60,
            "model": self.model,
            "weights": self.offer(weights if weights is not None else self.weights),
            "plan": TrainingPlan(local_epochs=1, seed=3),
        }
        manifest = RoundManifest(**(values | changes))
        self.say(self.topics.round, manifest, retain=True)
        return manifest

    def say(self, topic: str, message: MessageModel, *, retain: bool = False) -> None:
        """Publish a control message."""
        self.link.publish(topic, self.seal.sign(topic, message.encode()), retain=retain)

    def next(self, kind: type[M], *, where: Callable[[M], bool] = lambda message: True) -> M:
        """Wait for the next message of a kind, passing over others."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            _, message = self.heard.get(timeout=max(0.01, deadline - time.monotonic()))
            if isinstance(message, kind) and where(message):
                return message

    def whole(self) -> bytes:
        """Wait for the next update that is whole."""
        return self.wholes.get(timeout=DEADLINE_S)

    def reply(self, device: str, update: UpdateManifest, verdict: str, **more: Any) -> None:
        """Answer an update."""
        values = {"run": update.run, "round": update.round, "sha256": update.blob.sha256, "verdict": verdict}
        self.say(self.topics.reply(device), Reply.model_validate(values | more))

    def _hear(self, message: Message) -> None:
        topic = self.topics.parse_device(message.topic)
        if self.deaf_to(topic):
            return
        if topic.kind == "state":
            self.heard.put((topic, DeviceState.model_validate_json(message.payload)))
        elif topic.kind == "want":
            want = Want.model_validate_json(message.payload)
            self.heard.put((topic, want))
            ref, data = self.blobs[want.sha256]
            for index in indices_of(want.ranges, chunks=ref.chunks):
                if not self.lose(want.sha256, index):
                    self.link.publish(self.topics.blob_chunk(want.sha256, index), chunk_of(data, ref, index))
        elif topic.kind == "update":
            update = UpdateManifest.model_validate_json(message.payload)
            self._update(topic.device, update)
            self.heard.put((topic, update))
        elif topic.kind == "chunk":
            self.chunks_in.append(topic.index)
            assembly = self._assemblies.get(topic.sha256)
            if assembly is not None and assembly.add(topic.index, message.payload) and assembly.complete:
                self.wholes.put(assembly.take())
                self._judge(topic.device, topic.sha256)

    def _update(self, device: str, update: UpdateManifest) -> None:
        sha256 = update.blob.sha256
        before = self._updates.get(sha256)
        self._updates[sha256] = update
        if before is None or (before.run, before.round) != (update.run, update.round):
            self._assemblies[sha256] = Assembly(update.blob, max_bytes=1 << 24)
        elif sha256 not in self._assemblies:
            self.reply(device, update, "duplicate")
        elif not self._assemblies[sha256].complete:
            self.reply(device, update, "lacking", ranges=self._assemblies[sha256].lacking())

    def _judge(self, device: str, sha256: str) -> None:
        if self.verdict is not None:
            del self._assemblies[sha256]
            self.reply(device, self._updates[sha256], self.verdict, reason="as scripted")
