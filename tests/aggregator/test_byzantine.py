"""How many hostile updates are assumed, and what that asks of the settings."""

from __future__ import annotations

from typing import Any

import pytest

from aggregator.byzantine import Byzantine, RuleName, TooFewUpdatesError, needed_updates
from aggregator.settings import AggregatorSettings
from shared.errors import SettingsError

ROBUST: tuple[RuleName, ...] = ("median", "trimmed-mean", "krum", "multi-krum")


@pytest.mark.parametrize(
    ("assumed", "updates", "hostile"), [(0.2, 10, 2), (0.2, 14, 2), (0.2, 4, 1), (0.3, 10, 3), (0.1, 30, 3), (3, 5, 3)]
)
def test_a_share_is_of_the_round_and_a_number_is_a_number(assumed: float, updates: int, hostile: int) -> None:
    """Of a share the whole part counts, and never less than one device; rounding takes nothing away."""
    assert Byzantine(assumed).of(updates) == hostile


@pytest.mark.parametrize("assumed", [0.0, -1.0, 0.5, 0.99, 1.5, float("inf"), float("nan")])
def test_what_is_neither_share_nor_number_is_refused(assumed: float) -> None:
    """Half of the fleet is too much for any rule, and one and a half devices are none."""
    with pytest.raises(SettingsError, match=r"a share above 0 and below 0\.5, or a whole number from 1 on"):
        Byzantine(assumed)


@pytest.mark.parametrize("rule", ROBUST)
@pytest.mark.parametrize("assumed", [0.01, 0.1, 0.2, 1 / 3, 0.4, 0.45, 0.49, 1, 2, 7])
def test_from_the_least_updates_on_a_rule_always_has_enough(rule: RuleName, assumed: float) -> None:
    """At the number that is said, and at every greater one; just below it, not."""
    byzantine = Byzantine(assumed)
    least = byzantine.least_updates(rule)
    for updates in range(least, least + 200):
        assert byzantine.among(updates, rule=rule) == byzantine.of(updates)
    with pytest.raises(TooFewUpdatesError, match=f"{rule} needs .* updates or more where"):
        byzantine.among(least - 1, rule=rule)


def test_krum_needs_two_f_and_three() -> None:
    """As its paper has it; the median and the trimmed mean need more than twice as many."""
    assert [needed_updates(rule, hostile=2) for rule in ("mean", *ROBUST)] == [1, 5, 5, 7, 7]


def load(**given: Any) -> AggregatorSettings:
    return AggregatorSettings.load(given=given, environ={})


def test_settings_that_let_a_round_close_with_too_few_are_refused() -> None:
    """One line says how many are needed, and which options ask for them."""
    with pytest.raises(
        SettingsError, match=r"--aggregation krum with --byzantine 0.2 needs 5 .* --quorum or --min-dev"
    ):
        load(aggregation="krum")
    with pytest.raises(SettingsError, match=r"may close with 4; ask for 7 with --quorum"):
        load(aggregation="multi-krum", byzantine=2, quorum=4)
    with pytest.raises(SettingsError, match=r"and raise --per-round"):
        load(aggregation="median", min_devices=9, per_round=2)
    assert load(aggregation="krum", quorum=5).run_defining()["aggregation"] == "krum"
    assert load(aggregation="median", min_devices=3).byzantine == 0.2


def test_a_share_of_one_half_is_refused_where_it_was_given() -> None:
    """The option is named."""
    with pytest.raises(SettingsError, match=r"^--byzantine: hostile devices are a share above 0 and below 0\.5"):
        load(aggregation="median", byzantine=0.5)
