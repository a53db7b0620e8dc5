"""The parts of the link that do no I/O: address, backoff, outbox, subscriptions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SettingsError
from shared.mqtt import Backoff, BrokerAddress, OutboxBounds, Silence
from shared.mqtt.acknowledgements import PASSED_OVER_S, SILENT_S, Acknowledgements
from shared.mqtt.outbox import Outbox, Outgoing
from shared.mqtt.subscriptions import Subscriptions


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://broker", BrokerAddress("broker", 1883)),
        ("mqtts://broker", BrokerAddress("broker", 8883, tls=True)),
        ("mqtt://me:p%40ss@10.0.0.1:1999/", BrokerAddress("10.0.0.1", 1999, username="me", password="p@ss")),
        ("mqtt://[::1]:1883", BrokerAddress("::1", 1883)),
        ("mqtts://h?ca=/a.pem&cert=c&key=k", BrokerAddress("h", 8883, True, None, None, "/a.pem", "c", "k")),
    ],
)
def test_addresses_are_read(url: str, expected: BrokerAddress) -> None:
    """Scheme, host, port, percent-encoded credentials, IPv6 and TLS files."""
    assert BrokerAddress.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    ["", "broker:1883", "http://broker", "mqtt://", "mqtt://:1883", "mqtt://b:0", "mqtt://b:99999", "mqtt://b:x",
     "mqtt://b/topic", "mqtt://b#x", "mqtt://b?ca=x", "mqtts://b?what=x", "mqtt://[::1"],
)  # fmt: skip
def test_what_is_no_address_is_one_line(url: str) -> None:
    """Each mistake is a SettingsError of one line that shows the form."""
    with pytest.raises(SettingsError, match="mqtt://host:port") as caught:
        BrokerAddress.parse(url)
    assert "\n" not in str(caught.value)


def test_a_password_is_never_shown() -> None:
    """Not by repr, not by str, not by an error about the URL it stood in."""
    address = BrokerAddress.parse("mqtt://me:secret@broker")
    assert "secret" not in repr(address)
    assert str(address) == "mqtt://broker:1883"
    with pytest.raises(SettingsError) as caught:
        BrokerAddress.parse("mqtt://me:secret@broker:99999")
    assert "secret" not in str(caught.value)


def test_the_backoff_grows_to_its_cap_with_full_jitter() -> None:
    """Waits are spread evenly from 0 to a bound that doubles up to the cap."""
    backoff = Backoff(first_s=0.5, cap_s=30)
    rng = np.random.default_rng(7)
    for attempt, bound in [(0, 0.5), (1, 1.0), (5, 16.0), (6, 30.0), (10_000, 30.0)]:
        waits = np.array([backoff.wait_s(attempt, rng=rng) for _ in range(400)])
        assert waits.min() >= 0
        assert waits.max() <= bound
        assert abs(waits.mean() - bound / 2) < bound * 0.08


def test_a_fleet_is_back_within_seconds_and_not_in_one_of_them() -> None:
    """However long the broker was gone, nobody waits longer than 5 s, and no tenth of that time has a crowd in it."""
    rng = np.random.default_rng(8)
    waits = np.array([Backoff().wait_s(1000, rng=rng) for _ in range(1000)])
    assert waits.max() <= 5.0
    assert np.histogram(waits, bins=10, range=(0.0, 5.0))[0].max() < 150


def test_a_line_that_drops_is_told_from_two_clients_that_throw_each_other_out() -> None:
    """A connection that carried something counts as one failure; shorter ones add up; a long one forgets them all."""
    backoff = Backoff()
    assert backoff.failures_after(6, lived_s=0.5) == 6
    assert backoff.failures_after(6, lived_s=3.0) == 1
    assert backoff.failures_after(0, lived_s=3.0) == 0
    assert backoff.failures_after(6, lived_s=11.0) == 0


def test_a_message_that_a_later_one_has_overtaken_is_lost() -> None:
    """Acknowledgements come in order: one that is passed over has a few seconds, and no longer; late ones are fine."""
    now = [0.0]
    watch = Acknowledgements(clock=lambda: now[0])
    first, second, third = object(), object(), object()
    for message in (first, second):
        watch.sent(message)
    watch.came(second)
    now[0] = PASSED_OVER_S - 0.1
    assert not watch.lost
    watch.sent(third)
    watch.came(first)
    now[0] = 2 * PASSED_OVER_S
    assert not watch.lost
    watch.sent(second)
    watch.came(second)
    now[0] += PASSED_OVER_S
    assert watch.lost


def test_messages_of_which_none_is_acknowledged_are_lost_in_the_end() -> None:
    """A slow line has a minute for each message; nothing under way is never late."""
    now = [0.0]
    watch = Acknowledgements(clock=lambda: now[0])
    now[0] = 1000.0
    assert not watch.lost
    one, two = object(), object()
    watch.sent(one)
    watch.sent(two)
    now[0] += SILENT_S - 1
    watch.came(one)
    now[0] += SILENT_S - 1
    assert not watch.lost
    now[0] += 1
    assert watch.lost


def test_silence_is_broken_off_ever_more_rarely() -> None:
    """After a minute, then after two, then after four; a word starts it anew."""
    silence = Silence(first_s=60.0)
    over = [second for second in range(500) if silence.over(second)]
    assert over == [60, 180, 420]
    silence.heard(500)
    assert not silence.over(559)
    assert silence.over(560)


def _message(number: int, *, size: int = 10, qos: int = 1, expires_at: float | None = None) -> Outgoing:
    return Outgoing(f"t/{number}", bytes(size), qos, False, expires_at)


@given(st.lists(st.sampled_from(["put", "take", "done", "lost"]), max_size=60))
def test_the_outbox_loses_nothing_and_keeps_order(steps: list[str]) -> None:
    """Whatever happens in whatever order: every message is taken in order, and let go once it is acknowledged."""
    outbox = Outbox(OutboxBounds(messages=1000, window_messages=3))
    flying: list[int] = []
    waiting: list[int] = []
    kept: dict[int, Outgoing] = {}
    for number, step in enumerate(steps):
        if step == "put":
            assert outbox.put(_message(number), timeout_s=0)
            waiting.append(number)
        elif step == "take":
            message = outbox.take()
            if len(flying) < 3 and waiting:
                assert message is not None
                expected = waiting.pop(0)
                assert message.topic == f"t/{expected}"
                flying.append(expected)
                kept[expected] = message
            else:
                assert message is None
        elif step == "done" and flying:
            outbox.done(kept[flying.pop(0)])
        elif step == "lost":
            dropped = {int(message.topic[2:]) for message in outbox.requeue()}
            waiting = [one for one in flying if one not in dropped] + waiting
            flying = []
        assert len(outbox) == len(flying) + len(waiting)


def test_the_outbox_is_bounded_in_messages_and_bytes() -> None:
    """Past either bound there is no room, except for a first message that is larger than the bound."""
    outbox = Outbox(OutboxBounds(messages=2, size_bytes=1000))
    assert outbox.put(_message(0, size=5000), timeout_s=0)
    assert not outbox.put(_message(1), timeout_s=0)
    assert outbox.put(_message(1), timeout_s=None), "the network thread has a reserve"
    outbox.close()
    assert not outbox.put(_message(2), timeout_s=None)


def test_the_window_is_bounded_in_bytes() -> None:
    """What is in flight stays below the window, so that a keepalive behind it is answered in time."""
    outbox = Outbox(OutboxBounds(window_bytes=1000))
    for number in range(3):
        outbox.put(_message(number, size=600), timeout_s=0)
    first = outbox.take()
    assert first is not None
    assert outbox.take() is None
    outbox.done(first)
    assert outbox.take() is not None


def test_what_expired_is_not_sent() -> None:
    """A message nobody wants any more leaves the queue unsent."""
    now = 0.0
    outbox = Outbox(OutboxBounds(), clock=lambda: now)
    outbox.put(_message(0, expires_at=5.0), timeout_s=0)
    outbox.put(_message(1, expires_at=50.0), timeout_s=0)
    now = 10.0
    taken = outbox.take()
    assert taken is not None
    assert taken.topic == "t/1"
    assert len(outbox) == 1


def test_a_message_that_keeps_breaking_the_connection_is_dropped() -> None:
    """After eight connections that broke with it in flight, it is taken for the cause; QoS 0 is not repeated at all."""
    outbox = Outbox(OutboxBounds())
    outbox.put(_message(0), timeout_s=0)
    outbox.put(_message(1, qos=0), timeout_s=0)
    for attempt in range(Outbox.MAX_TRIES):
        taken = outbox.take()
        assert taken is not None
        outbox.take()
        dropped = outbox.requeue()
        assert bool(dropped) == (attempt == Outbox.MAX_TRIES - 1)
    assert len(outbox) == 0
    assert outbox.wait_empty(0)


def test_subscriptions_are_asked_for_again_on_a_new_session_only() -> None:
    """What the broker still holds is not asked for again; what it forgot, refused or never answered is."""
    subscriptions = Subscriptions()
    subscriptions.want(["a", "b"], qos=1)
    subscriptions.connected(session_present=False)
    assert subscriptions.to_subscribe() == {"a": 1, "b": 1}
    subscriptions.asked(1, ("a", "b"))
    unanswered = not subscriptions.settled
    assert unanswered
    assert subscriptions.granted(1, [False, True]) == ("b",)
    assert subscriptions.settled
    assert subscriptions.refused == {"b"}
    subscriptions.connected(session_present=True)
    assert subscriptions.to_subscribe() == {}
    subscriptions.want(["c"], qos=0)
    subscriptions.asked(2, ("c",))
    subscriptions.connected(session_present=True)
    assert subscriptions.to_subscribe() == {"c": 0}
    subscriptions.drop(["a"])
    assert subscriptions.to_unsubscribe() == ("a",)
    subscriptions.connected(session_present=False)
    assert subscriptions.to_subscribe() == {"b": 1, "c": 0}
    assert subscriptions.to_unsubscribe() == ()
