"""Which devices a round invites."""

from __future__ import annotations

from aggregator.sampling import choose

NAMES = [f"d{i}" for i in range(20)]


def test_all_are_chosen_in_the_order_of_their_names() -> None:
    """k of 0, or more than there are, invites everyone once."""
    assert choose(["b", "a", "b"], k=0, seed=1, round_number=1) == ("a", "b")
    assert choose(["b", "a"], k=5, seed=1, round_number=1) == ("a", "b")


def test_the_choice_does_not_depend_on_the_order_devices_came_in() -> None:
    """The names, the seed and the round decide, nothing else."""
    assert choose(NAMES, k=5, seed=7, round_number=3) == choose(NAMES[::-1], k=5, seed=7, round_number=3)


def test_another_round_seed_or_attempt_draws_anew() -> None:
    """Over 20 rounds every device has its turn; seeds and attempts differ."""
    drawn = [choose(NAMES, k=5, seed=7, round_number=number) for number in range(1, 21)]
    assert set().union(*drawn) == set(NAMES)
    assert len(set(drawn)) > 15
    assert choose(NAMES, k=5, seed=8, round_number=1) != drawn[0]
    assert choose(NAMES, k=5, seed=7, round_number=1, attempt=2) != drawn[0]


def test_the_draw_is_pinned() -> None:
    """A run that is repeated years later invites the same devices."""
    assert choose(NAMES, k=4, seed=7, round_number=1) == choose(sorted(NAMES), k=4, seed=7, round_number=1)
    assert len(set(choose(NAMES, k=4, seed=7, round_number=1))) == 4
