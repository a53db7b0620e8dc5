"""A device for tests: a real MQTT client that speaks the protocol, and "trains" by adding noise of its own."""

from __future__ import annotations

import contextlib
import hashlib
import queue
import secrets
import threading
import time
from collections.abc import Callable

import numpy as np

from shared.errors import BrokerError
from shared.messages import (
    BlobRef,
    DeviceState,
    Failure,
    LocalMetrics,
    MessageModel,
    Reply,
    RoundManifest,
    Score,
    UpdateManifest,
    Want,
    decode,
)
from shared.mqtt import Backoff, BrokerAddress, Message, MqttLink
from shared.signing import NoSeal, Seal
from shared.tensors import Tensors, decode_tensors, encode_tensors
from shared.topics import Topics
from shared.transfer import Assembly, chunk_of, indices_of

Shapes = dict[str, tuple[int, ...]]


def noisy(weights: Tensors, *, seed: int, round_number: int, device: str) -> Tensors:
    """Weights that depend on the seed, the round and the device alone, as trained ones do."""
    words = np.frombuffer(hashlib.sha256(device.encode()).digest(), np.uint32).tolist()
    rng = np.random.default_rng(np.random.SeedSequence([seed, round_number, *words]))
    return {name: (tensor + rng.normal(0, 0.01, tensor.shape)).astype(np.float32) for name, tensor in weights.items()}


class FakeDevice:
    """Follows the retained round on a thread of its own.

    Args:
        before_upload: called before an update is published; a test holds a device back there, or counts rounds.
        train: what it answers with, instead of `noisy` weights.
        lose: chunk indices whose first publishing is left out.
        garble: so many times its first chunk goes out with other bytes, as forged or damaged.
        trouble: why it cannot train; it says so instead.
        seal: signs what it says.
        patience_s: so long without a word, and it asks again for what it lacks, in seconds.
    """

    def __init__(
        self,
        address: BrokerAddress,
        *,
        fleet: str,
        name: str,
        shapes: Shapes,
        samples: int = 100,
        before_upload: Callable[[RoundManifest], None] = lambda manifest: None,
        train: Callable[[Tensors, RoundManifest], bytes] | None = None,
        lose: set[int] | None = None,
        garble: int = 0,
        trouble: str = "",
        seal: Seal | None = None,
        patience_s: float = 2.0,
    ) -> None:
        self.name = name
        self.topics = Topics(fleet)
        self.replies: queue.Queue[Reply] = queue.Queue()
        self.verdicts: queue.Queue[Reply] = queue.Queue()
        self.weights_sha256 = ""
        self.has_last_weights = threading.Event()
        self.rounds: list[tuple[int, int]] = []
        self._shapes = shapes
        self._samples = samples
        self._before_upload = before_upload
        self._train = train
        self._lose = set(lose or ())
        self._garble = garble
        self._trouble = trouble
        self._seal = seal or NoSeal()
        self._patience_s = patience_s
        self._inbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._session = time.time_ns() // 1000
        self._done: set[tuple[str, int]] = set()
        self._answered: tuple[UpdateManifest, bytes] | None = None
        self.link = MqttLink(
            address,
            client_id=f"{name}-{secrets.token_hex(4)}",
            on_message=self._inbox.put,
            on_connect=self._announce,
            backoff=Backoff(first_s=0.05, cap_s=0.2),
            rng=np.random.default_rng(0),
        )
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> FakeDevice:
        """Connect and follow."""
        self.link.subscribe(self.topics.round, self.topics.reply(self.name))
        self.link.start()
        self._thread.start()
        return self

    def stop(self) -> None:
        """Go offline."""
        if self.link.connected:
            self._say_state(online=False)
            self.link.flush(2.0)
        self._inbox.put(None)
        self._thread.join(1.0)
        self.link.stop()
        self._thread.join(10.0)

    def vanish(self) -> None:
        """Die: the broker says so in the device's name."""
        self._say_state(online=False)
        assert self.link.flush(10.0)
        self.link.stop()

    def publish(self, topic: str, message: MessageModel, *, retain: bool = False) -> None:
        """Publish a control message."""
        self.link.publish(topic, self._seal.sign(topic, message.encode()), retain=retain)

    def _announce(self) -> None:
        self._say_state(online=True)

    def _say_state(self, *, online: bool, failure: Failure | None = None) -> None:
        samples = {"1": self._samples} if online else {}
        state = DeviceState(online=online, session=self._session, samples=samples, failure=failure)
        self.publish(self.topics.device_state(self.name), state, retain=True)

    def _next(self, timeout_s: float = 30.0) -> Message | None:
        return self._inbox.get(timeout=timeout_s)

    def _follow(self) -> None:
        with contextlib.suppress(BrokerError):  # the link was stopped under it
            self._follow_until_stopped()

    def _follow_until_stopped(self) -> None:
        while (message := self._inbox.get()) is not None:
            if message.topic == self.topics.round:
                manifest = decode(RoundManifest, message.payload, topic=message.topic)
                if not self._take_part(manifest):
                    return
            elif message.topic == self.topics.reply(self.name):
                self._heard(decode(Reply, message.payload, topic=message.topic))

    def _take_part(self, manifest: RoundManifest) -> bool:
        key = (manifest.run, manifest.round)
        if manifest.phase == "finished":
            data = self.fetch(manifest.weights)
            self.weights_sha256 = manifest.weights.sha256 if data is not None else ""
            self.has_last_weights.set()
            return data is not None
        if manifest.phase != "open" or self.name not in manifest.invited or key in self._done:
            return True
        if self._answered is not None and (self._answered[0].run, self._answered[0].round) == key:
            self.upload(*self._answered)
            return True
        self.rounds.append((manifest.round, manifest.attempt))
        if self._trouble:
            failure = Failure(run=manifest.run, round=manifest.round, attempt=manifest.attempt, reason=self._trouble)
            self._say_state(online=True, failure=failure)
            return True
        started = time.time()
        data = self.fetch(manifest.weights)
        if data is None:
            return False
        weights = decode_tensors(data, shapes=self._shapes)
        if self._train is not None:
            update = self._train(weights, manifest)
        else:
            update = encode_tensors(
                noisy(weights, seed=manifest.plan.seed, round_number=manifest.round, device=self.name)
            )
        self._before_upload(manifest)
        self.upload(self.manifest_for(manifest, update, started=started), update)
        return True

    def manifest_for(self, manifest: RoundManifest, update: bytes, *, started: float = 0.0) -> UpdateManifest:
        """Describe an update to this round."""
        score = Score(loss=0.5, accuracy=0.75, samples=self._samples)
        return UpdateManifest(
            run=manifest.run,
            round=manifest.round,
            attempt=manifest.attempt,
            samples=self._samples,
            base=manifest.weights.sha256,
            blob=BlobRef.of(update, chunk_bytes=manifest.weights.chunk_bytes),
            metrics=LocalMetrics(train=score, train_started_unix_s=started, train_ended_unix_s=time.time()),
        )

    def upload(self, manifest: UpdateManifest, data: bytes) -> None:
        """Publish the manifest and all chunks, but for those that are to be lost."""
        self._answered = (manifest, data)
        self.publish(self.topics.update(self.name), manifest)
        for index in range(manifest.blob.chunks):
            if index in self._lose:
                self._lose.discard(index)
            else:
                self._send_chunk(manifest, data, index)

    def _send_chunk(self, manifest: UpdateManifest, data: bytes, index: int) -> None:
        topic = self.topics.update_chunk(self.name, manifest.blob.sha256, index)
        chunk = chunk_of(data, manifest.blob, index)
        if index == 0 and self._garble:
            self._garble -= 1
            chunk = bytes(len(chunk))
        self.link.publish(topic, chunk)

    def _heard(self, reply: Reply) -> None:
        self.replies.put(reply)
        if reply.verdict != "lacking":
            self._done.add((reply.run, reply.round))
            self.verdicts.put(reply)
        elif self._answered is not None and self._answered[0].blob.sha256 == reply.sha256:
            manifest, data = self._answered
            for index in indices_of(reply.ranges, chunks=manifest.blob.chunks):
                self._send_chunk(manifest, data, index)

    def fetch(self, ref: BlobRef) -> bytes | None:
        """Ask for a blob until it is there; None if the device was stopped meanwhile."""
        assembly = Assembly(ref, max_bytes=1 << 26)
        self.link.subscribe(self.topics.blob_chunks(ref.sha256))
        put_back: list[Message] = []
        try:
            assert self.link.flush(20.0)
            self.publish(self.topics.want(self.name), Want(sha256=ref.sha256, ranges=assembly.lacking()))
            while not assembly.complete:
                try:
                    message = self._next(self._patience_s)
                except queue.Empty:
                    self.publish(self.topics.want(self.name), Want(sha256=ref.sha256, ranges=assembly.lacking()))
                    continue
                if message is None:
                    return None
                if message.topic.startswith(f"{self.topics.root}/blob/{ref.sha256}/"):
                    assembly.add(self.topics.parse_blob_chunk(message.topic)[1], message.payload)
                elif message.topic.startswith(f"{self.topics.root}/blob/"):
                    continue
                else:
                    put_back.append(message)
        finally:
            self.link.unsubscribe(self.topics.blob_chunks(ref.sha256))
            for message in put_back:
                self._inbox.put(message)
        return assembly.take()
