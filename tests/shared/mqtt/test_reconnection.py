"""What a link tries after a connection has ended."""

from __future__ import annotations

import numpy as np
import pytest

from shared.mqtt import Backoff
from shared.mqtt.ending import Cause, Ending
from shared.mqtt.reconnection import Reconnection

LOST = Ending(Cause.LOST, "lost")


def _reconnection(protocol: str = "auto") -> Reconnection:
    backoff = Backoff(first_s=1.0, cap_s=4.0, refused_s=100.0)
    return Reconnection(client_id="kitchen", protocol=protocol, backoff=backoff, rng=np.random.default_rng(5))  # type: ignore[arg-type]


@pytest.mark.parametrize(("cause", "later"), [(Cause.VERSION, "3.1.1"), (Cause.SILENT, "5")])
def test_the_older_version_is_tried_at_once_and_kept_if_the_broker_asked_for_it(cause: Cause, later: str) -> None:
    """A refusal in words settles the version; after a silence, MQTT 5 is tried again the next time."""
    reconnection = _reconnection()
    assert reconnection.protocol == "5"
    assert reconnection.wait_after(Ending(cause, "no")) == 0.0
    assert (reconnection.protocol, reconnection.failures) == ("3.1.1", 0)
    reconnection.wait_after(LOST)
    assert (reconnection.protocol, reconnection.failures) == (later, 1)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_version_that_was_asked_for_is_kept(protocol: str) -> None:
    """Whoever names a version gets that one, or none."""
    reconnection = _reconnection(protocol)
    for cause in Cause:
        reconnection.wait_after(Ending(cause, "no"))
        assert reconnection.protocol == protocol


def test_a_refusal_is_waited_out_and_a_loss_is_not() -> None:
    """Credentials that are refused, and a place that is taken, are waited out for long; a loss up to its cap."""
    reconnection = _reconnection()
    for cause in (Cause.REFUSED, Cause.TAKEN_OVER):
        assert 50.0 <= reconnection.wait_after(Ending(cause, "no")) <= 100.0
    assert reconnection.wait_after(LOST) <= 4.0


def test_a_connection_that_breaks_again_and_again_is_suspected() -> None:
    """The third that does not last names the identifier that another may use; one that lasts clears it."""
    reconnection = _reconnection()
    for _ in range(2):
        assert reconnection.judged(LOST, lived_s=0.5) == LOST
    assert "does another client use the identifier 'kitchen'" in reconnection.judged(LOST, lived_s=0.5).reason
    assert reconnection.judged(LOST, lived_s=60.0) == LOST
    assert reconnection.judged(LOST, lived_s=0.5) == LOST
