"""A secure broker's lists are read again when they change, and tried again where that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.brokers.reloading import look, wait_and_reload


class Broker:
    """A broker whose disk has no room for the lists at first; each look at it takes a second."""

    def __init__(self, answers: list[str], *, looks: int) -> None:
        self.now = 0.0
        self.tried: list[float] = []
        self._answers = answers
        self._looks = looks

    def wait(self, timeout_s: float) -> int | None:
        """A second has passed; after so many, it has ended."""
        self.now += 1.0
        return 0 if self.now > self._looks else None

    def reload(self) -> str:
        """Why not, while there is a reason."""
        self.tried.append(self.now)
        return self._answers.pop(0)


def test_a_list_that_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    """Without another change, for a revocation must hold once there is room. Each reason is said once."""
    file = tmp_path / "acl"
    file.write_text("one")
    known = look([file])
    file.write_text("another")
    broker: Any = Broker(["no room", "no room", "rights", ""], looks=30)
    said: list[str] = []
    code = wait_and_reload(broker, known, greeting="here", say=said.append, clock=lambda: float(broker.now))
    assert code == 0
    assert broker.tried == [1.0, 6.0, 11.0, 16.0]
    assert said == [
        "here",
        "not reloaded: no room (what was read before still holds)",
        "not reloaded: rights (what was read before still holds)",
        "reloaded: acl changed",
    ]
