"""A device: present in its fleet, training when it is invited, on samples that stay with it.

The network thread and the trainer's thread only put functions on a queue; one thread, the device's own, runs them, and
everything that a device knows belongs to that thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Self

import numpy as np

from edge_client.adoption import Adopter, WeightsShelf
from edge_client.blob_cache import BlobCache
from edge_client.broker_search import BrokerSearch
from edge_client.complaints import Complaints
from edge_client.device_folder import DeviceFolder
from edge_client.governor import Governor
from edge_client.inbox import Inbox
from edge_client.learning import Learning
from edge_client.outbox import Outbox
from edge_client.participation import Participation
from edge_client.presence import Presence, capabilities
from edge_client.rollback import RollbackGuard
from edge_client.sample_store import SampleStore
from edge_client.settings import DeviceSettings
from edge_client.trainer import Trainer
from edge_client.uplink import Uplink
from shared import enrolled
from shared.errors import BrokerError, InkfleetError, StorageError
from shared.files import remove_unfinished
from shared.messages import Reply, RoundManifest, ServerState, decode
from shared.mqtt import Message, MqttLink
from shared.rising_numbers import RisingNumbers
from shared.signing import Credentials
from shared.topics import Topics

Event = dict[str, Any]

# On a device that reads, reading goes before training: it has nine tenths of a core that both want.
_TRAINING_NICE = 10
_FAREWELL_S = 2.0
_LONGEST_WAIT_S = 3600.0


class Device:
    """One device. ``open`` its folder, ``start`` it, ``stop`` it; or use it as a context manager.

    Args:
        settings: see `DeviceSettings`.
        trainer: shared with other devices of this process; without one the device has its own.
        on_event: told what happens, one dict with the key ``event`` each, on the device's thread.
        rng: the source of jitter; training does not draw from it.
        clock: monotonic, in seconds.
        unix_clock: Unix time, in seconds.
        credentials: sign what the device says, and check what it is told; without them neither happens.
    """

    def __init__(
        self,
        settings: DeviceSettings,
        *,
        trainer: Trainer | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        rng: np.random.Generator | None = None,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
        credentials: Credentials | None = None,
    ) -> None:
        self.settings = settings
        self._credentials = credentials or Credentials()
        self.folder = DeviceFolder(settings.device_folder())
        self.learning = Learning(device=settings.name, fleet=settings.fleet, path=self.folder.learning)
        self._own_trainer = trainer is None
        self._trainer = trainer or Trainer(threads=settings.threads, nice=_TRAINING_NICE if settings.page else 0)
        self._listeners = [on_event]
        self._rng = rng if rng is not None else np.random.default_rng()
        self._clock = clock
        self._unix_clock = unix_clock
        self._topics = Topics(settings.fleet)
        self._rollback = RollbackGuard(self.folder.newest_round, beside=enrolled.newest_round_file(settings.identity))
        self._inbox = Inbox(newest_only=(self._topics.round, self._topics.server_state), take=self._received)
        self._complaints = Complaints(self._emit, clock=clock)
        self._stopping = False
        self._ended = threading.Event()
        self._failure: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._store: SampleStore | None = None
        self._link: MqttLink | None = None
        self._server: ServerState | None = None

    # -- life ---------------------------------------------------------------------------------------------------------

    def open(self) -> SampleStore:
        """Take the folder and open the sample store; `start` does it if nobody has.

        Raises:
            RunError: the folder is another process's.
            StorageError: the folder cannot be made, or the store cannot be opened.
        """
        if self._store is None:
            self.folder.lock()
            try:
                remove_unfinished(self.folder.path, self.folder.outbox, self.folder.cache, self.folder.weights)
                self._store = SampleStore.open(self.folder.samples, max_samples=self.settings.max_samples)
            except BaseException:
                self.folder.unlock()
                raise
            self.learning.load()
            self.learning.on_switch(lambda paused: self._inbox.put(partial(self._switched, paused)))
            if self._store.notice:
                self._emit({"event": "trouble", "reason": self._store.notice})
        return self._store

    def start(self) -> None:
        """Begin: connect in the background, and follow the fleet's rounds. Returns at once.

        Raises:
            RunError, StorageError: see `open`.
            SettingsError: the broker's address cannot be understood.
        """
        address = self.settings.broker_address()
        store = self.open()
        settings = self.settings
        self._presence = Presence(
            self._topics.device_state(settings.name),
            sessions=RisingNumbers(self.folder.session, clock=self._unix_clock),
            capabilities=capabilities(),
            seal=self._credentials.seal,
        )
        link = self._link = MqttLink(
            address,
            client_id=f"{settings.fleet}.{settings.name}",
            on_message=self._inbox.hear,
            on_connect=lambda: self._inbox.put(self._connected),
            on_disconnect=lambda reason: self._inbox.put(lambda: self._disconnected(reason)),
            will=self._presence.will,
            publish_deadline_s=1.0,
            rng=self._rng.spawn(1)[0],
        )
        link.subscribe(self._topics.round, self._topics.server_state, self._topics.reply(settings.name))
        self._work = Participation(
            settings.name,
            holdout=settings.holdout,
            store=store,
            cache=BlobCache(self.folder.cache, max_bytes=settings.cache_mib * 1024 * 1024),
            max_fetch_bytes=settings.max_fetch_mib * 1024 * 1024,
            outbox=Outbox(self.folder.outbox),
            trainer=self._trainer,
            governor=Governor(
                train_hours=settings.train_hours,
                max_temperature_c=settings.max_temperature_c,
                max_load=settings.max_load,
                paused=lambda: self.learning.paused,
            ),
            uplink=Uplink(link, topics=self._topics, device=settings.name, seal=self._credentials.seal),
            adopter=self._adopter(),
            later=self._inbox.put,
            emit=self._emit,
            uniform=self._rng.random,
            clock=self._clock,
            unix_clock=self._unix_clock,
        )
        self._search = BrokerSearch(
            link, wait_s=settings.wait_s, emit=self._emit, uniform=self._rng.random, clock=self._clock
        )
        self._thread = threading.Thread(target=self._live, name=f"device-{settings.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end. What has no verdict stays on the disk, and is taken up at the next start."""
        if self._thread is not None:
            self._inbox.put(self._stop)
            if self._thread is not threading.current_thread():
                self._thread.join()
        elif self._store is not None:
            self._close()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the device has ended; return False if it still lives after ``timeout_s`` seconds.

        Raises:
            BrokerError: it has given up waiting for a broker (``wait_s``).
            InkfleetError: whatever else has ended it.
        """
        ended = self._ended.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        return ended

    def samples_changed(self) -> None:
        """Tell the device that its store has gained or lost samples; from any thread."""
        self._inbox.put(self._count_samples)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have another told what happens, as ``on_event`` is."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Tell an event of another part of this device, in its turn; from any thread."""
        self._inbox.put(partial(self._emit, event))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # -- the device's thread ------------------------------------------------------------------------------------------

    def _live(self) -> None:
        assert self._link is not None
        try:
            self._count_samples()
            self._link.start()
            while not self._stopping:
                self._wait_and_run()
        except BaseException as error:
            self._failure = error
        finally:
            self._leave()

    def _wait_and_run(self) -> None:
        now = self._clock()
        times = (self._work.wake_at, self._presence_at(), self._search.wake_at)
        wait_s = min((at - now for at in times if at is not None), default=_LONGEST_WAIT_S)
        task = self._inbox.get(timeout_s=wait_s)
        if task is not None:
            self._run(task)
        # Everything that came meanwhile goes first: a new round must not wait for the chunks of an old one.
        while not self._stopping and (task := self._inbox.get(timeout_s=0.0)) is not None:
            self._run(task)
        if not self._stopping:
            self._run(self._work.step)
            self._tell()
            self._search.look()

    def _run(self, task: Callable[[], None]) -> None:
        try:
            task()
        except InkfleetError as error:
            self._complaints.say(str(error))

    def _leave(self) -> None:
        link = self._link
        assert link is not None
        try:
            self._work.stop()
            if link.connected:
                link.publish(self._presence.topic, self._presence.death(), retain=True)
                link.flush(_FAREWELL_S)
        except InkfleetError:
            pass  # the will says it
        finally:
            link.stop()
            self._close()
            self._emit({"event": "stopped"})
            self._ended.set()

    def _close(self) -> None:
        if self._own_trainer:
            self._trainer.close()
        if self._store is not None:
            self._store.close()
        self.folder.unlock()

    def _stop(self) -> None:
        self._stopping = True

    # -- what it is told ----------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        assert self._link is not None
        self._search.found()
        try:
            birth = self._presence.birth(self._clock())
        except StorageError as error:
            # A device whose disk is full is there nevertheless.
            self._complaints.say(str(error))
            birth = self._presence.renewed(self._clock())
        self._emit({"event": "connected", "broker": str(self._link.address), "session": self._presence.session})
        self._publish_state(birth)
        self._work.connected()

    def _disconnected(self, reason: str) -> None:
        self._emit({"event": "disconnected", "reason": reason})
        self._search.lost()
        self._work.disconnected()

    def _received(self, message: Message) -> None:
        topic, payload = message.topic, message.payload
        if topic in (self._topics.round, self._topics.server_state, self._topics.reply(self.settings.name)):
            self._told(topic, payload)
        else:
            sha256, index = self._topics.parse_blob_chunk(topic)
            self._work.chunk(sha256, index, payload)

    def _told(self, topic: str, payload: bytes) -> None:
        """Take in a control message of the aggregator's. An empty one only clears what the broker had kept."""
        if not payload:
            return
        self._credentials.check.check(topic, payload)
        if topic == self._topics.round:
            manifest = decode(RoundManifest, payload, topic=topic)
            if self._credentials.enrolled:
                self._admit(manifest, topic=topic)
            self._work.round_published(manifest)
        elif topic == self._topics.server_state:
            self._server_state(decode(ServerState, payload, topic=topic))
        else:
            self._work.replied(decode(Reply, payload, topic=topic))

    def _admit(self, manifest: RoundManifest, *, topic: str) -> None:
        try:
            self._rollback.admit(manifest.sequence, topic=topic)
        except StorageError as error:
            # Guarded until the next start; a full disk does not keep the device from its fleet.
            self._complaints.say(str(error))

    def _server_state(self, state: ServerState) -> None:
        known, self._server = self._server, state
        if state.online and known is not None and known != state and not self._search.on:
            # The broker may have kept an older word about this device than the last: an aggregator knows no other.
            self._publish_state(self._presence.renewed(self._clock()))
        self._work.server_state(state)

    def _switched(self, paused: bool) -> None:
        self._emit({"event": "paused" if paused else "resumed"})
        self._work.pause_switched()

    def _count_samples(self) -> None:
        assert self._store is not None
        self._presence.count(self._store.counts())
        self._work.samples_changed()

    # -- what it tells ------------------------------------------------------------------------------------------------

    def _presence_at(self) -> float | None:
        assert self._link is not None
        self._presence.doing(self._work.activity.value, paused=self.learning.paused, failure=self._work.failure)
        return self._presence.wake_at() if self._link.connected and not self._search.on else None

    def _tell(self) -> None:
        if self._presence_at() is not None and (state := self._presence.due(self._clock())) is not None:
            self._publish_state(state)

    def _publish_state(self, state: bytes) -> None:
        assert self._link is not None
        with suppress(BrokerError):  # it is published anew at the next connection
            self._link.publish(self._presence.topic, state, retain=True)

    def _emit(self, event: Event) -> None:
        event = {"event": event["event"], "device": self.settings.name} | event
        self.learning.observe(event)
        for listener in self._listeners:
            listener(event)

    def _adopter(self) -> Adopter | None:
        if not self.settings.adopt:
            return None
        return Adopter(
            WeightsShelf(self.folder.weights),
            trainer=self._trainer,
            tolerance=self.settings.adopt_tolerance,
            later=self._inbox.put,
            emit=self._emit,
        )
