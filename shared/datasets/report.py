"""What an import took, and what it left out and why, in words and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from shared.dataset import UNKNOWN_WRITER, Dataset
from shared.errors import DataError
from shared.labels import LabelSet

Progress = Callable[[int, int], None]
"""Told ``(done, total)`` as an import goes on."""

EXAMPLES = 3
"""How many of the things left out are named for each reason."""

NOT_ASKED_FOR = "of a class outside the label set"
BLANK = "blank, no ink to be seen"
DUPLICATE = "the same ink again"
NOT_A_PICTURE = "not a picture that can be read"
UNSAFE_NAME = "named outside the archive"
TOO_LARGE = "too large to be one symbol"


@dataclass(frozen=True)
class LeftOut:
    """What was left out for one reason.

    Attributes:
        reason: why, as the end of "3 pictures left out: …".
        count: how many.
        examples: the first few, by file name or position.
    """

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ImportReport:
    """What an import took, and what it left out and why.

    Attributes:
        source: the path, as it was given.
        layout: what the path turned out to be, in words.
        samples: how many samples were taken.
        labels: samples of each label, most first.
        writers: samples of each known writer, most first.
        unknown_writer: how many samples no writer is known of.
        left_out: every reason, the most frequent first.
        notes: what else a person should know, one sentence each.
    """

    source: str
    layout: str
    samples: int
    labels: dict[str, int]
    writers: dict[str, int]
    unknown_writer: int
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the report as an object of plain JSON values."""
        return {
            "source": self.source,
            "layout": self.layout,
            "samples": self.samples,
            "labels": dict(self.labels),
            "writers": len(self.writers),
            "samples_per_writer": dict(self.writers),
            "samples_of_unknown_writers": self.unknown_writer,
            "left_out": [
                {"reason": one.reason, "count": one.count, "examples": list(one.examples)} for one in self.left_out
            ],
            "notes": list(self.notes),
        }

    def in_words(self) -> str:
        """Tell the report as a few lines for a person."""
        lines = [f"{self.source}: {self.layout}"]
        lines.append(f"took {_number(self.samples, 'sample')} of {_number(len(self.labels), 'class', 'classes')}")
        if self.writers:
            lines[-1] += f" by {_number(len(self.writers), 'writer')}"
            if self.unknown_writer:
                lines[-1] += f" ({self.unknown_writer:,} by nobody known)"
        else:
            lines[-1] += ", no writers known"
        lines += [f"left out {one.count:,}: {one.reason} (such as {', '.join(one.examples)})" for one in self.left_out]
        lines += list(self.notes)
        return "\n".join(lines)


@dataclass
class Tally:
    """Counts what an import leaves out, while it runs.

    Attributes:
        source: the path being read, as it was given.
        layout: what the path turned out to be, in words.
    """

    source: str
    layout: str
    _counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, list[str]] = field(default_factory=dict)
    _classes: Counter[str] = field(default_factory=Counter)
    _notes: list[str] = field(default_factory=list)

    def leave_out(self, reason: str, example: str, *, count: int = 1) -> None:
        """Count things left out for a reason; the first few examples of each reason are kept."""
        self._counts[reason] += count
        examples = self._examples.setdefault(reason, [])
        if len(examples) < EXAMPLES and example not in examples:
            examples.append(example)

    def leave_out_class(self, label: str, *, count: int = 1) -> None:
        """Count samples whose class is outside the label set."""
        self._classes[label] += count

    def note(self, sentence: str) -> None:
        """Keep a sentence for the reader of the report."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def report(self, dataset: Dataset, *, labels: LabelSet | None) -> ImportReport:
        """Close the account.

        Raises:
            DataError: nothing was taken; the message says why in one line.
        """
        if not len(dataset):
            raise DataError(self._nothing(labels))
        writers = dict.fromkeys(dataset.writers_by_samples(), 0)
        known = Counter(dataset.writers.tolist())
        unknown = known.pop(UNKNOWN_WRITER, 0)
        writers.update(known)
        return ImportReport(
            source=self.source,
            layout=self.layout,
            samples=len(dataset),
            labels=dataset.counts(),
            writers=writers,
            unknown_writer=unknown,
            left_out=tuple(self._left_out()),
            notes=tuple(self._notes),
        )

    def _left_out(self) -> Iterable[LeftOut]:
        counts = Counter(self._counts)
        examples = {reason: tuple(named) for reason, named in self._examples.items()}
        if self._classes:
            counts[NOT_ASKED_FOR] += self._classes.total()
            examples[NOT_ASKED_FOR] = tuple(
                f"{label!r}: {count:,}" for label, count in self._classes.most_common(EXAMPLES)
            )
        return [LeftOut(reason, count, examples[reason]) for reason, count in counts.most_common()]

    def _nothing(self, labels: LabelSet | None) -> str:
        if self._classes and labels is not None:
            return (
                f"{self.source} holds none of the classes asked for: found {_some(sorted(self._classes))}; "
                f"asked for {_some(labels.labels)}"
            )
        reasons = "; ".join(f"{one.count:,} {one.reason} ({one.examples[0]})" for one in self._left_out())
        return f"{self.source} holds no symbol that can be used ({self.layout})" + (f": {reasons}" if reasons else "")


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _some(names: Iterable[str], *, most: int = 8) -> str:
    named = list(names)
    text = ", ".join(named[:most])
    return text if len(named) <= most else f"{text} and {len(named) - most} more"
