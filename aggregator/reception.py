"""The devices' side of a run: what each of their messages means, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from aggregator.acceptance import Asked, Bounds, Refusal, check_manifest
from aggregator.answers import Answers
from aggregator.engine import DeviceDeclined, DeviceExpelled, DeviceGone, DeviceSeen, Rest, RoundView
from aggregator.events import EventLog
from aggregator.receiver import Arrived, Receiver
from aggregator.registry import Registry
from aggregator.sender import Sender
from aggregator.settings import AggregatorSettings
from aggregator.store import Store
from shared.crash_points import reach
from shared.errors import ProtocolError
from shared.labels import LabelSet
from shared.messages import DeviceState, UpdateManifest, Want, decode
from shared.mqtt import Message
from shared.signing import Check, NoCheck
from shared.topics import DeviceTopic, Topics

# A client that sends rubbish without end must not fill the disk with events.
_SAY_DROPPED_EVERY_S = 10.0
# Nor one that comes and goes without end: so many comings and goings of a device are told in a round.
_MOST_CHANGES_SAID = 100
# And of all together: where nobody asks who they are, names are made up at will.
_MOST_CHANGES_OF_ALL_SAID = 100_000


class Reception:
    """Takes in what devices publish, and tells each of them what it is to know of its update.

    It decides nothing about the round: what the engine or the workbench is to look at, `message` returns. All methods
    are called on the loop's thread.

    Args:
        settings: of the aggregator.
        run: which run updates are for.
        labels: of the run's model.
        bounds: what an update may be.
        store: knows what counted in earlier rounds.
        sender: for replies and wants.
        log: for the events ``device``, ``update``, ``expelled`` and ``dropped``.
        clock: seconds, never running backwards.
        check: checks the devices' signatures.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        *,
        run: str,
        labels: LabelSet,
        bounds: Bounds,
        store: Store,
        sender: Sender,
        log: EventLog,
        clock: Callable[[], float],
        check: Check | None = None,
    ) -> None:
        self._run = run
        self._check = check or NoCheck()
        self._bounds = bounds
        self._store = store
        self._sender = sender
        self._log = log
        self._clock = clock
        self._topics = Topics(settings.fleet)
        self._answers = Answers(self._topics, sender=sender, log=log)
        self._registry = Registry(labels)
        self._receiver = Receiver(
            max_update_bytes=bounds.max_bytes, max_total_bytes=settings.assembly_bytes, quiet_s=settings.quiet_s
        )
        self._received_bytes = 0
        self._last_want_at = float("-inf")
        self._dropped, self._dropped_said_at = 0, float("-inf")
        self._changes_said: dict[str, int] = {}
        self._changes_of_all_said = 0
        # Devices known by nothing but a state that the broker had kept.
        self._unheard: set[str] = set()

    @property
    def online(self) -> list[str]:
        """The devices that are online, in the order of their names."""
        return self._registry.online()

    @property
    def registry(self) -> Registry:
        """What is known of the devices."""
        return self._registry

    @property
    def received_bytes(self) -> int:
        """Payload bytes of updates and their manifests so far, whatever became of them."""
        return self._received_bytes

    @property
    def last_want_at(self) -> float:
        """When a device last asked for chunks, on the clock; minus infinity before the first."""
        return self._last_want_at

    @property
    def wake_at(self) -> float:
        """When `ask_quiet` is to be called at the latest, on the clock; infinity while nothing is arriving."""
        quiet_at = self._receiver.next_quiet_at
        return float("inf") if quiet_at is None else quiet_at

    def message(
        self, message: Message, *, view: RoundView, base_sha256: str
    ) -> Sequence[DeviceSeen | DeviceGone | DeviceDeclined] | Arrived:
        """Take in a message of a device; one that breaks the protocol is passed over.

        Args:
            message: as it came.
            view: where the run stands.
            base_sha256: of the weights that the round under way starts from.

        Returns:
            What the engine is to be told, in order, or the update whose chunks are now all there.

        Raises:
            StorageError: the store cannot be read, or an event cannot be kept.
        """
        try:
            topic = self._topics.parse_device(message.topic)
            if not message.retain:
                self._unheard.discard(topic.device)
            if topic.kind != "chunk":  # whose hash is in a message that is checked
                self._check.check(message.topic, message.payload)
            if topic.kind == "state":
                return self._presence(topic, message)
            if topic.kind == "want":
                # A device asks for what the manifest names: that is out.
                reach("manifest published")
                self._last_want_at = self._clock()
                self._sender.want(topic.device, decode(Want, message.payload, topic=message.topic))
            elif topic.kind == "chunk":
                self._received_bytes += len(message.payload)
                arrived = self._receiver.chunk(
                    topic.device, topic.sha256, topic.index, message.payload, now=self._clock()
                )
                reach("chunk arrived")
                return arrived or ()
            elif topic.kind == "update":
                self._received_bytes += len(message.payload)
                manifest = decode(UpdateManifest, message.payload, topic=message.topic)
                return self._update(topic.device, manifest, view=view, base_sha256=base_sha256)
        except ProtocolError as error:
            self._dropped += 1
            if self._clock() - self._dropped_said_at >= _SAY_DROPPED_EVERY_S:
                self._log.say("dropped", reason=str(error)[:300], count=self._dropped)
                self._dropped, self._dropped_said_at = 0, self._clock()
        return ()

    def round_opened(self, round_number: int) -> None:
        """Drop what is still arriving for other rounds."""
        self._answers.round_opened()
        self._changes_said.clear()
        self._changes_of_all_said = 0
        self._receiver.keep_only(round_number=round_number)

    def round_closed(self, *, view: RoundView) -> None:
        """Tell those whose update is still arriving that the round is over, and drop what came of it.

        However slowly a device sends, it holds memory no longer than its round takes updates.
        """
        for device, manifest in sorted(self._receiver.all_arriving().items()):
            self.refuse(device, manifest, Refusal("stale", f"round {view.round} is closed"), view=view)

    def rest(self, rests: Iterable[Rest]) -> None:
        """Note which devices failed last, and until when they rest."""
        self._registry.rest(rests)

    def unheard(self, devices: Iterable[str]) -> list[str]:
        """Return those of these devices that have said nothing themselves since we came to the broker.

        A broker that was restarted keeps the state ``online`` of a device that died meanwhile, and its will is lost.
        """
        return [device for device in devices if device in self._unheard]

    def expel(self, *, view: RoundView) -> list[DeviceExpelled]:
        """Look who is there, or invited, and belongs to the fleet no more; what was arriving of them is refused.

        Their last wills are denied by the broker, which would leave them online for ever.
        """
        expelled = self._check.turned_away({*self._registry.online(), *view.invited})
        for device in sorted(expelled):
            manifest = self._receiver.arriving(device)
            if manifest is not None:
                self.refuse(device, manifest, Refusal("rejected", f"the device {expelled[device]}"), view=view)
            if self._registry.forget(device):
                self._log.say("expelled", device=device, reason=expelled[device], devices=len(self._registry.online()))
        return [DeviceExpelled(device, f"it {reason}") for device, reason in sorted(expelled.items())]

    def belongs(self, device: str) -> Refusal | None:
        """Return why an update that was checked meanwhile cannot count: its device was turned away."""
        reason = self._check.turned_away((device,)).get(device)
        return None if reason is None else Refusal("rejected", f"the device {reason}")

    def ask_quiet(self) -> None:
        """Ask for the chunks that stay away."""
        for lacking in self._receiver.quiet(now=self._clock()):
            self._answers.ask_for(lacking)

    def ask_all(self) -> None:
        """Ask for every chunk that has not come: the connection was lost, and chunks with it."""
        for lacking in self._receiver.all_lacking(now=self._clock()):
            self._answers.ask_for(lacking)

    def garbled(self, device: str, manifest: UpdateManifest, reason: str, *, view: RoundView) -> Refusal | None:
        """Ask a device for its whole update again, because what came does not have its hash.

        Returns:
            The refusal, where that was the last time.
        """
        lacking = self._receiver.garbled(device, now=self._clock()) if manifest.round == view.round else None
        if lacking is not None:
            self._answers.ask_for(lacking)
            return None
        refusal = Refusal("rejected", reason)
        self.refuse(device, manifest, refusal, view=view)
        return refusal

    def accept(self, device: str, manifest: UpdateManifest, *, received: int, of: int) -> None:
        """Tell a device that its update counts. Call it when that is durable.

        Args:
            device: whose update it is.
            manifest: of the update.
            received: how many updates count now.
            of: how many devices were invited.
        """
        self._receiver.forget(device)
        self._answers.accept(device, manifest, received=received, of=of)

    def refuse(self, device: str, manifest: UpdateManifest, refusal: Refusal, *, view: RoundView) -> None:
        """Tell a device that its update does not count, and why, and drop what came of it."""
        self._receiver.forget(device)
        self._answers.refuse(device, manifest, refusal, received=len(view.contributions), of=len(view.invited))

    def _presence(self, topic: DeviceTopic, message: Message) -> Sequence[DeviceSeen | DeviceGone | DeviceDeclined]:
        device = topic.device
        before = self._registry.get(device)
        events: list[DeviceSeen | DeviceGone | DeviceDeclined] = []
        online = False
        if not message.payload:
            if not self._registry.forget(device):
                return ()
        else:
            presence = self._registry.observe(device, decode(DeviceState, message.payload, topic=message.topic))
            if presence is None:
                return ()
            online = presence.online
            if online:
                if message.retain:
                    self._unheard.add(device)
                events.append(DeviceSeen(device, presence.usable_samples))
                failure = presence.failure
                if failure is not None and failure.run == self._run:
                    events.append(DeviceDeclined(device, failure.round, failure.attempt, failure.reason))
        said = self._changes_said.get(device, 0)
        room = said < _MOST_CHANGES_SAID and self._changes_of_all_said < _MOST_CHANGES_OF_ALL_SAID
        if online != (before is not None and before.online) and room:
            self._changes_said[device] = said + 1
            self._changes_of_all_said += 1
            self._log.say("device", device=device, online=online, devices=len(self._registry.online()))
        return events if online else (DeviceGone(device),)

    def _update(
        self, device: str, manifest: UpdateManifest, *, view: RoundView, base_sha256: str
    ) -> Sequence[DeviceDeclined]:
        if manifest.run == self._run and manifest.round != view.round:
            earlier = self._store.counted_sha256(self._run, manifest.round, device)
            if earlier == manifest.blob.sha256:
                self._answers.say_duplicate(device, manifest)
                return ()
        presence = self._registry.get(device)
        asked = Asked(
            run=self._run,
            round=view.round,
            attempt=view.attempt,
            taking=view.taking,
            invited=frozenset(view.invited),
            base_sha256=base_sha256,
            counted={entry.device: entry.sha256 for entry in view.contributions},
            announced=None if presence is None else presence.usable_samples,
        )
        refusal = check_manifest(device, manifest, asked=asked, bounds=self._bounds)
        if refusal is not None:
            self.refuse(device, manifest, refusal, view=view)
            ours = manifest.run == self._run and refusal.verdict == "rejected"
            return (rejected(device, manifest, refusal, attempt=view.attempt),) if ours else ()
        lacking = self._receiver.manifest(device, manifest, now=self._clock())
        if lacking is not None:
            self._answers.ask_for(lacking)
        return ()


def rejected(device: str, manifest: UpdateManifest, refusal: Refusal, *, attempt: int) -> DeviceDeclined:
    """Say to the engine that a device, whose update was rejected, will send no other for this attempt."""
    return DeviceDeclined(device, manifest.round, attempt, f"its update was rejected: {refusal.reason}")
