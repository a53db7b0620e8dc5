"""Presence."""

from __future__ import annotations

from aggregator.registry import Registry
from shared.labels import label_set
from shared.messages import DeviceState, Failure


def state(*, online: bool = True, session: int = 1, **samples: int) -> DeviceState:
    return DeviceState(online=online, session=session, samples={k.removeprefix("_"): v for k, v in samples.items()})


def test_only_samples_of_the_models_labels_count() -> None:
    """A device's letters are no use to a model of digits."""
    presence = Registry(label_set("arithmetic")).observe("a", state(_1=3, _2=4, alpha=9))
    assert presence is not None
    assert presence.usable_samples == 7


def test_a_death_of_an_older_session_is_passed_over() -> None:
    """The broker may deliver the will of a connection after the birth of the next."""
    registry = Registry(label_set("arithmetic"))
    registry.observe("a", state(session=5, _1=3))
    assert registry.observe("a", state(online=False, session=4)) is None
    assert registry.online() == ["a"]
    assert registry.observe("a", state(online=False, session=5)) is not None
    assert registry.online() == []


def test_a_will_does_not_change_what_a_device_holds() -> None:
    """A dead device's samples stay known: an update of its may still arrive."""
    registry = Registry(label_set("arithmetic"))
    registry.observe("a", state(_1=3))
    presence = registry.observe("a", state(online=False))
    assert presence is not None
    assert presence.usable_samples == 3


def test_what_a_device_cannot_is_known_while_it_says_so() -> None:
    """A failure stands in its presence, and is gone with the next state without one."""
    registry, failure = Registry(label_set("arithmetic")), Failure(run="r", round=1, attempt=2, reason="no room")
    presence = registry.observe("a", state().model_copy(update={"failure": failure}))
    assert presence is not None
    assert presence.failure == failure
    presence = registry.observe("a", state())
    assert presence is not None
    assert presence.failure is None


def test_a_paused_device_has_nothing_to_train_with() -> None:
    """Its samples count again when its owner lets it go on."""
    registry = Registry(label_set("arithmetic"))
    paused = registry.observe("a", state().model_copy(update={"paused": True}))
    resumed = registry.observe("a", state())
    assert paused is not None
    assert resumed is not None
    assert (paused.usable_samples, resumed.usable_samples) == (0, sum(resumed.samples.values()))


def test_a_forgotten_device_is_gone() -> None:
    """Clearing a device's retained state takes it out of the fleet."""
    registry = Registry(label_set("arithmetic"))
    registry.observe("a", state())
    assert registry.forget("a")
    assert not registry.forget("a")
    assert registry.get("a") is None


def test_the_registry_is_bounded() -> None:
    """A client that invents names cannot fill the memory."""
    registry = Registry(label_set("arithmetic"), at_most=2)
    registry.observe("a", state())
    registry.observe("b", state())
    assert registry.observe("c", state()) is None
    assert registry.observe("a", state(session=2)) is not None
