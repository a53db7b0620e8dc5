"""Pictures judged, added up: shares of what is right, and what costs most."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from deploy.reading_score.outcome import Confusions, Found, Outcome


@dataclass(frozen=True)
class Score:
    """How well a set of pictures was read.

    Attributes:
        pictures: how many there are.
        pictures_right: those with every line right and none too many.
        lines: how many are written; a picture in which nothing may be read counts as one.
        lines_right: those read exactly.
        tokens: how many are written.
        edits: tokens taken for another, missed or added.
        confusions: which ones.
        found: how symbol boxes fared; None where none are known.
        failures: pictures that could not be read at all.
        seconds: the median time a picture took.
        sure_right: the median confidence of lines that were read rightly; None where there are none.
        sure_wrong: the median confidence of lines that were read wrongly; None where there are none.
    """

    pictures: int
    pictures_right: int
    lines: int
    lines_right: int
    tokens: int
    edits: int
    confusions: Confusions
    found: Found | None
    failures: int
    seconds: float
    sure_right: float | None
    sure_wrong: float | None

    @property
    def exact(self) -> float:
        """The share of lines read exactly."""
        return share(self.lines_right, self.lines)

    @property
    def symbol_error_rate(self) -> float:
        """Tokens taken for another, missed or added, over tokens written."""
        return share(self.edits, self.tokens)


def add_up(outcomes: Sequence[Outcome]) -> Score:
    """Add up judged pictures."""
    sureness = [line for outcome in outcomes for line in outcome.sureness]
    return Score(
        pictures=len(outcomes),
        pictures_right=sum(outcome.exact for outcome in outcomes),
        lines=sum(outcome.lines for outcome in outcomes),
        lines_right=sum(outcome.right for outcome in outcomes),
        tokens=sum(outcome.tokens for outcome in outcomes),
        edits=sum(outcome.edits for outcome in outcomes),
        confusions=_all(outcome.confusions for outcome in outcomes),
        found=_all_found([outcome.found for outcome in outcomes if outcome.found is not None]),
        failures=sum(bool(outcome.failure) for outcome in outcomes),
        seconds=statistics.median([outcome.seconds for outcome in outcomes]) if outcomes else 0.0,
        sure_right=_median([confidence for confidence, right in sureness if right]),
        sure_wrong=_median([confidence for confidence, right in sureness if not right]),
    )


def break_down(outcomes: Sequence[Outcome], by: Callable[[Outcome], str]) -> dict[str, Score]:
    """Add up pictures group by group, in the order of the groups' names; those without a name belong to none."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if name := by(outcome):
            groups.setdefault(name, []).append(outcome)
    return {name: add_up(groups[name]) for name in sorted(groups)}


def costliest(confusions: Confusions, most: int | None = None) -> list[tuple[str, str, int]]:
    """List confusions, ``(written, read, how often)``, the most frequent first."""
    ranked = sorted(confusions.items(), key=lambda item: (-item[1], item[0]))
    return [(written, read, count) for (written, read), count in ranked[:most]]


def share(part: int, whole: int) -> float:
    """Return a part of a whole; 0 where there is nothing to have a part of."""
    return part / whole if whole else 0.0


def _all(parts: Iterable[Confusions]) -> Confusions:
    total: Confusions = Counter()
    for part in parts:
        total.update(part)
    return total


def _all_found(parts: Sequence[Found]) -> Found | None:
    if not parts:
        return None
    return Found(
        written=sum(part.written for part in parts),
        found=sum(part.found for part in parts),
        extra=sum(part.extra for part in parts),
        labelled=sum(part.labelled for part in parts),
        confusions=_all(part.confusions for part in parts),
    )


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
