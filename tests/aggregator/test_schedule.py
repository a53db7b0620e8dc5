"""The learning rate of a round: where it begins, how it falls, where it ends."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aggregator.schedule import FINAL_SHARE, Schedule, learning_rate
from aggregator.settings import AggregatorSettings


def rates(schedule: Schedule, *, rounds: int) -> list[float]:
    """The rates of all rounds."""
    return [learning_rate(0.05, round_number=n, rounds=rounds, schedule=schedule) for n in range(1, rounds + 1)]


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_falling_rate_begins_at_its_value_and_ends_at_its_share(schedule: Schedule) -> None:
    """Round 1 has the rate asked for, the last round its final share, and no round more than the one before."""
    falling = rates(schedule, rounds=40)
    assert falling[0] == pytest.approx(0.05)
    assert falling[-1] == pytest.approx(0.05 * FINAL_SHARE)
    assert all(later < earlier for earlier, later in pairwise(falling))


def test_the_cosine_is_half_way_in_the_middle() -> None:
    """Half of the rounds in, half of the fall is done."""
    assert rates("cosine", rounds=5)[2] == pytest.approx(0.05 * (1 + FINAL_SHARE) / 2)


def test_a_cooldown_begins_after_three_quarters() -> None:
    """The full rate for most of the run, and a straight line down over the last quarter."""
    cooling = rates("cooldown", rounds=41)
    assert set(cooling[:31]) == {0.05}
    steps = [before - after for before, after in pairwise(cooling[30:])]
    assert steps == pytest.approx([0.05 * (1 - FINAL_SHARE) / 10] * 10)
    assert cooling[-1] == pytest.approx(0.05 * FINAL_SHARE)


@pytest.mark.parametrize("schedule", ["cooldown", "cosine", "linear", "constant"])
def test_a_single_round_has_the_whole_rate(schedule: Schedule) -> None:
    """With one round there is nothing to fall from."""
    assert rates(schedule, rounds=1) == [0.05]


def test_a_constant_rate_stays() -> None:
    """Constant means constant."""
    assert set(rates("constant", rounds=7)) == {0.05}


def test_devices_are_told_the_rate_of_the_round() -> None:
    """The plan that travels holds the rate of its round."""
    settings = AggregatorSettings(lr=0.1, rounds=3, lr_schedule="linear")
    told = [settings.training_plan(round_number=n).lr for n in (1, 2, 3)]
    assert told == pytest.approx([0.1, 0.051, 0.002])
