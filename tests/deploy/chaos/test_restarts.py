"""A process that ends again and again is given up; one that ran well in between is not."""

from __future__ import annotations

import pytest

from deploy.chaos.restarts import WELL_S, Restarts


class Clock:
    """A clock that is set by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_it_is_given_up_after_so_many_in_a_row() -> None:
    """Whether it never came to work, or for a moment only."""
    clock = Clock()
    restarts = Restarts(most=3, clock=clock)
    assert restarts.again()
    for _ in range(2):
        restarts.at_work()
        clock.now_s += WELL_S - 1
        assert restarts.again()
    clock.now_s += 1000
    assert not restarts.again()


@pytest.mark.parametrize("often", [1, 5])
def test_a_process_that_ran_well_has_its_restarts_back(often: int) -> None:
    """All of them, each time."""
    clock = Clock()
    restarts = Restarts(most=2, clock=clock)
    for _ in range(often):
        restarts.at_work()
        clock.now_s += WELL_S
        assert [restarts.again() for _ in range(3)] == [True, True, False]
