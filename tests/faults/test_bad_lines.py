"""Lines that are slow, that lose, repeat and reorder, that drop, and that are dead without saying so."""

from __future__ import annotations

import pytest

from deploy.chaos.line import Line
from tests.faults.network_fleet import WEIGHTS_BYTES, Lines, chunks_only, every_update_counted_once
from tests.faults.process_fleet import NAMES, ROUNDS

PATIENCE_S = 1500.0
"""256 kbit/s are slow."""

OVERHEAD = 1.2
"""A transfer without loss sends no more than this times its payload."""

ALL_HAVE_ASKED = 60_000.0
"""A window, in milliseconds, that ends when both devices have asked: who asks later hears the first chunks twice."""


@pytest.mark.parametrize(
    "kbit_s", [pytest.param(6000, id="6 Mbit/s"), pytest.param(256, id="256 kbit/s", marks=pytest.mark.soak)]
)
def test_a_slow_line_carries_everything_once(lines: Lines, undisturbed: str, kbit_s: float) -> None:
    """Nothing that is merely late is asked for again: neither weights on their way down, nor updates on theirs up."""
    lines.to("a").set(Line(kbit_s=kbit_s))
    for name in NAMES:
        lines.device(name)
    aggregator = lines.aggregator(deadline_s=3000.0, gather_ms=ALL_HAVE_ASKED)
    assert aggregator.end(within_s=PATIENCE_S).weights_sha256 == undisturbed
    for counts in lines.to("a").counts.values():
        # The last weights are fetched by nobody here: devices that adopt none.
        assert counts.passed_bytes <= OVERHEAD * ROUNDS * WEIGHTS_BYTES


@pytest.mark.parametrize(
    "kbit_s", [pytest.param(12_000, id="12 Mbit/s"), pytest.param(256, id="256 kbit/s", marks=pytest.mark.soak)]
)
def test_on_the_aggregators_slow_line_too(lines: Lines, undisturbed: str, kbit_s: float) -> None:
    """Updates of all devices share it: those that wait behind the others' are not taken for lost."""
    lines.to("aggregator").set(Line(kbit_s=kbit_s))
    for name in NAMES:
        lines.device(name)
    aggregator = lines.aggregator(deadline_s=3000.0, linger_s=0.0, gather_ms=ALL_HAVE_ASKED)
    assert aggregator.end(within_s=PATIENCE_S).weights_sha256 == undisturbed
    counts = lines.to("aggregator").counts
    assert counts["down"].passed_bytes <= OVERHEAD * ROUNDS * len(NAMES) * WEIGHTS_BYTES
    assert counts["up"].passed_bytes <= OVERHEAD * ROUNDS * WEIGHTS_BYTES


def test_chunks_that_are_lost_repeated_and_reordered_are_made_good(lines: Lines, undisturbed: str) -> None:
    """A tenth of all chunks each: what was lost is sent again, and nothing else; no number comes out otherwise."""
    for name in NAMES:
        lines.to(name).set(Line(lose=0.1, repeat=0.1, reorder=0.1, touches=chunks_only))
        lines.device(name)
    aggregator = lines.aggregator(quiet_s=1.0, gather_ms=ALL_HAVE_ASKED)
    assert aggregator.end(within_s=PATIENCE_S).weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)
    for name in NAMES:
        counts = lines.to(name).counts
        assert min(one.lost + one.repeated + one.reordered for one in counts.values()) > 0
        # One in ten is repeated by the line, one in ten is sent again because it was lost.
        assert counts["up"].passed_bytes <= 1.5 * ROUNDS * WEIGHTS_BYTES


@pytest.mark.parametrize(
    ("kbit_s", "every_s"),
    [pytest.param(8000, 1.0, id="8 Mbit/s"), pytest.param(256, 4.0, id="256 kbit/s", marks=pytest.mark.soak)],
)
def test_a_connection_that_drops_every_few_seconds_makes_progress(
    lines: Lines, undisturbed: str, kbit_s: float, every_s: float
) -> None:
    """What has arrived stays: a transfer goes on where it was, and loses what was under way at most."""
    lines.to("a").set(Line(kbit_s=kbit_s, cut_every_s=every_s))
    for name in NAMES:
        lines.device(name)
    aggregator = lines.aggregator(deadline_s=3000.0, grace_s=120.0)
    assert aggregator.end(within_s=PATIENCE_S).weights_sha256 == undisturbed
    assert lines.to("a").connections > 3
    assert every_update_counted_once(aggregator)


def test_connections_that_are_dead_without_saying_so_are_left(lines: Lines, undisturbed: str) -> None:
    """Half-open, a device's and the aggregator's at once: found out within half a minute, and the round goes on."""
    devices = {name: lines.fleet.device(name, broker=str(lines.to(name).address)) for name in NAMES}
    aggregator = lines.aggregator(grace_s=60.0)
    devices["a"].until("trained", round=1)
    lines.to("a").freeze()
    lines.to("aggregator").freeze()
    assert aggregator.end(within_s=PATIENCE_S).weights_sha256 == undisturbed
    assert every_update_counted_once(aggregator)
    assert lines.to("a").connections >= 2
