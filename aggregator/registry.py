"""Which devices there are, by the presence they publish."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aggregator.engine import Rest
from shared.labels import LabelSet
from shared.messages import Capabilities, DeviceState, Failure


@dataclass(frozen=True)
class Presence:
    """A device as it last described itself.

    Attributes:
        session: of the connection that this is about.
        samples: of each label that the run's model knows.
        activity: what it does, for people to read.
        failure: the round that it cannot take part in, while it says so.
        paused: its owner has paused training.
    """

    online: bool
    session: int
    samples: dict[str, int]
    capabilities: Capabilities
    activity: str
    failure: Failure | None = None
    paused: bool = False

    @property
    def usable_samples(self) -> int:
        """How many samples the run can use; none while the device is paused."""
        return 0 if self.paused else sum(self.samples.values())


class Registry:
    """The devices of a fleet.

    A device's birth and will carry the number of one session. The broker may deliver the death of an old connection
    after the birth of a new one: a death with an older number than the known one is passed over. A birth never is: it
    cannot come late, and the number of a device whose clock and folder were lost begins anew.

    Args:
        labels: of the run's model; samples of other labels do not count.
        at_most: how many devices are remembered; the states of further ones are passed over.
    """

    def __init__(self, labels: LabelSet, *, at_most: int = 100_000) -> None:
        self._labels = labels
        self._at_most = at_most
        self._devices: dict[str, Presence] = {}
        self._rests: dict[str, Rest] = {}

    def observe(self, device: str, state: DeviceState) -> Presence | None:
        """Take a state in; return the device's presence, or None if the state is outdated."""
        known = self._devices.get(device)
        if known is not None and state.session < known.session and not state.online:
            return None
        if known is None and len(self._devices) >= self._at_most:
            return None
        samples = {label: count for label, count in state.samples.items() if label in self._labels}
        if not state.online and known is not None:
            # A will cannot know what the device holds now.
            samples = known.samples
        presence = Presence(
            state.online, state.session, samples, state.capabilities, state.activity, state.failure, state.paused
        )
        self._devices[device] = presence
        return presence

    def forget(self, device: str) -> bool:
        """A device's retained state was cleared: it left the fleet. Return whether it was known."""
        return self._devices.pop(device, None) is not None

    def get(self, device: str) -> Presence | None:
        """Return what is known of a device."""
        return self._devices.get(device)

    def rest(self, rests: Iterable[Rest]) -> None:
        """Note which devices failed in the last rounds that they were invited to, in place of those noted before."""
        self._rests = {rest.device: rest for rest in rests}

    def resting(self, device: str) -> Rest | None:
        """Return how a device failed last, and until when it is not invited; None if it did not."""
        return self._rests.get(device)

    def all(self) -> dict[str, Presence]:
        """Return what is known of every device, those that are away included."""
        return dict(self._devices)

    def all_rests(self) -> dict[str, Rest]:
        """Return how devices failed last, by their names."""
        return dict(self._rests)

    def online(self) -> list[str]:
        """Name the devices that are online, in the order of their names."""
        return sorted(name for name, presence in self._devices.items() if presence.online)
