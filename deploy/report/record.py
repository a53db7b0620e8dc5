"""What a simulation leaves behind: the numbers of its runs, and all that is needed to repeat them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.chaos.account import Account
from shared.errors import DataError
from shared.files import write_bytes
from shared.messages import Score


class Recorded(BaseModel):
    """What all records are: immutable, and patient about keys of a newer version."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class AggregationRecord(Recorded):
    """What the aggregation of a round measured; its numbers are kept as they are.

    Attributes:
        left_out: devices whose updates the rule did not use.
        suspects: devices whose updates were far from all others, and why, in words.
        notice: what a person should know; mostly nothing.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    left_out: tuple[str, ...] = ()
    suspects: dict[str, str] = Field(default_factory=dict)
    notice: str = ""


class RoundRecord(Recorded):
    """One line of ``metrics.jsonl``: a round that is committed and evaluated.

    Attributes:
        accuracy: of the round's weights on the test set, 0 to 1.
        loss: mean cross-entropy of the same, in nats.
        participants: how many updates were averaged.
        samples: on how many samples these were trained, once each.
        wall_s: from the manifest's publication to the weights being committed.
        outside_training_s: the part of it in which no device was training.
        train_s: the time in which at least one device was training.
        bytes_up: payload bytes of the updates.
        bytes_down: payload bytes delivered to the devices.
        holdout_before: the global weights on the devices' own hold-outs, all together.
        holdout_after: each device's new weights on the same samples.
        aggregation: what it measured, and whom it suspects.
    """

    partition: str
    round: int
    accuracy: float
    loss: float
    participants: int
    samples: int
    wall_s: float
    bytes_up: int
    bytes_down: int
    train_s: float = 0.0
    outside_training_s: float = 0.0
    weights_sha256: str = ""
    holdout_before: Score | None = None
    holdout_after: Score | None = None
    aggregation: AggregationRecord | None = None


class DeviceRecord(Recorded):
    """A device of a run.

    Attributes:
        writers: how many people's handwriting it holds; 0 where nobody knows.
        labels: its samples of each class.
        rounds: in how many rounds it took part.
        holdout_before: the global weights on its own hold-out, in the last round it took part in.
        holdout_after: its own new weights on the same samples.
        attacks: whether the simulation had it attack the fleet.
        suspected: in how many rounds its update was suspected.
        left_out: in how many rounds its update was not used.
        rested: how often it was not invited for a while, because it had failed in rounds one after the other.
        rested_until: the last round that it was last not invited to; 0 if it never rested.
        rested_why: its last failure before that.
    """

    name: str
    writers: int = 0
    labels: dict[str, int] = Field(default_factory=dict)
    rounds: int = 0
    holdout_before: Score | None = None
    holdout_after: Score | None = None
    attacks: bool = False
    suspected: int = 0
    left_out: int = 0
    rested: int = 0
    rested_until: int = 0
    rested_why: str = ""

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return sum(self.labels.values())


class RunRecord(Recorded):
    """One run: one partition, trained for some rounds.

    Attributes:
        confusion: ``[true][predicted]`` counts of the final weights on the test set; empty where there are none.
        chaos: the account of the faults that were done to it; None where none were.
    """

    partition: str
    rounds: tuple[RoundRecord, ...] = ()
    devices: tuple[DeviceRecord, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    chaos: Account | None = None
    weights_sha256: str = ""
    wall_s: float = 0.0
    finished: bool = False

    @property
    def last(self) -> RoundRecord | None:
        """The last round that was evaluated."""
        return self.rounds[-1] if self.rounds else None

    @property
    def bytes_up(self) -> int:
        """Payload bytes of all updates."""
        return sum(line.bytes_up for line in self.rounds)

    @property
    def bytes_down(self) -> int:
        """Payload bytes delivered to devices."""
        return sum(line.bytes_down for line in self.rounds)

    @property
    def outside_training_share(self) -> float | None:
        """Which part of the rounds' time no device was training in; None before the first round."""
        wall_s = sum(line.wall_s for line in self.rounds)
        return sum(line.outside_training_s for line in self.rounds) / wall_s if wall_s > 0 else None


class SimulationRecord(Recorded):
    """A whole simulation.

    Attributes:
        labels: the classes, in the order of the confusion's rows and columns.
        tested_on: who wrote the test set, in words: "3 writers never seen".
        test_samples: the size of the test set.
        rounds_planned: how many rounds each run was to have.
        settings: what it was started with, by option.
        command: repeats it.
        versions: of what computed it.
        machine: what it ran on, in words.
        broker: the broker, in words.
        started: when, as ISO 8601.
        notes: what was left out of the data, and the like.
    """

    labels: tuple[str, ...]
    label_set: str
    tested_on: str
    test_samples: int
    rounds_planned: int
    per_round: int
    settings: dict[str, str]
    command: str
    versions: dict[str, str]
    machine: str
    broker: str
    started: str
    notes: tuple[str, ...] = ()
    runs: tuple[RunRecord, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether every run had all its rounds."""
        return bool(self.runs) and all(run.finished for run in self.runs)

    def save(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_bytes(path, self.model_dump_json(indent=1).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a record.

        Raises:
            DataError: it cannot be read, or is no record.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}") from None
        except ValidationError as error:
            raise DataError(f"{path} is not the record of a simulation: {error.errors()[0]['msg']}") from None
