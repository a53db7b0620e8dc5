"""Which faults a run will meet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from deploy.chaos.schedule import FIRST_AT, KINDS, LAST_AT, draw_schedule


@given(st.integers(0, 2**32), st.integers(0, 80))
def test_a_schedule_depends_on_its_seed_alone_and_lies_within_the_run(seed: int, count: int) -> None:
    """The same seed, the same faults, in order, all of them between the run's beginning and its end."""
    schedule = draw_schedule(seed, faults=count)
    assert schedule == draw_schedule(seed, faults=count)
    assert len(schedule) == count
    places = [fault.at for fault in schedule]
    assert places == sorted(places)
    assert all(FIRST_AT <= at <= LAST_AT for at in places)
    longest = {kind.name: kind.longest_s for kind in KINDS}
    assert all(0.2 * longest[fault.kind] <= fault.lasts_s <= longest[fault.kind] for fault in schedule)


def test_every_kind_comes_before_any_comes_twice() -> None:
    """Thirty faults hold each of the kinds; other seeds, other faults."""
    schedule = draw_schedule(1, faults=30)
    assert {fault.kind for fault in schedule} == {kind.name for kind in KINDS}
    assert len({fault.kind for fault in draw_schedule(1, faults=8)}) == 8
    assert schedule != draw_schedule(2, faults=30)


def test_a_broker_without_memory_is_not_started_with_it() -> None:
    """The embedded broker keeps nothing; it is killed all the same."""
    kinds = {fault.kind for fault in draw_schedule(1, faults=60, broker_remembers=False)}
    assert "broker killed, memory kept" not in kinds
    assert "broker killed, memory lost" in kinds
