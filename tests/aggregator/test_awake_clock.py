"""The clock that deadlines go by."""

from __future__ import annotations

from aggregator.awake_clock import AwakeClock


def test_time_in_which_nothing_ran_does_not_count() -> None:
    """Of an hour between two questions three seconds count; asked often, it is the clock it is made of."""
    now = 100.0
    clock = AwakeClock(lambda: now, most_s=3.0)
    assert clock() == 100.0
    now = 102.5
    assert clock() == 102.5
    now += 3600.0
    assert clock() == 105.5
    now += 1.0
    assert clock() == 106.5


def test_time_without_a_broker_does_not_count() -> None:
    """Held, it stands still however often it is asked; released, it goes on from there."""
    now = 100.0
    clock = AwakeClock(lambda: now, most_s=3.0)
    clock.hold()
    for _ in range(50):
        now += 1.0
        assert clock() == 100.0
    clock.release()
    now += 2.0
    assert clock() == 102.0
    clock.release()
    now += 2.0
    assert clock() == 104.0
