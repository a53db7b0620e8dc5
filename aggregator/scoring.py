"""From a round's commit to its line of metrics."""

from __future__ import annotations

from typing import Any

from aggregator.parts import Parts
from shared.messages import Score


class Scoring:
    """Has committed rounds tested, if there is a test, and completes the line of metrics of each. Of the loop's thread.

    Args:
        parts: to work with.
        run: the run's name.
        partition: the name of the data's partition, for the line.
    """

    def __init__(self, parts: Parts, *, run: str, partition: str) -> None:
        self._parts = parts
        self._run = run
        self._partition = partition
        self._waiting: list[int] = []
        self._last: Score | None = None

    @property
    def waiting(self) -> frozenset[int]:
        """The rounds that have no line yet; their checkpoints have to stay."""
        return frozenset(self._waiting)

    @property
    def last(self) -> Score | None:
        """The last score, if there was one."""
        return self._last

    def submit(self, round_number: int) -> bool:
        """Take on a round that was committed.

        Returns:
            Whether its line is complete already, because there is no test.
        """
        self._waiting.append(round_number)
        if self._parts.evaluator is None:
            self._complete(round_number, None)
            return True
        self._parts.evaluator.submit(round_number, self._parts.checkpoints.path(round_number))
        return False

    def take(self, round_number: int, score: Score | Exception) -> None:
        """Take in a round's evaluation: its line is complete.

        Raises:
            Exception: what kept the round from its score.
        """
        if isinstance(score, Exception):
            raise score
        self._last = score
        self._complete(round_number, score)

    def _complete(self, round_number: int, score: Score | None) -> None:
        committed = self._parts.store.committed(self._run, round_number)
        assert committed is not None
        line: dict[str, Any] = {
            "event": "round",
            "run": self._run,
            "partition": self._partition,
            "round": round_number,
            "accuracy": None if score is None else score.accuracy,
            "loss": None if score is None else score.loss,
            **committed.cost,
        }
        self._parts.store.add_metrics(self._run, round_number, line)
        self._waiting.remove(round_number)
        self._parts.log.say(**line)
