"""The settings of a simulated fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from aggregator import training_settings as training
from aggregator.byzantine import Byzantine
from deploy.simulate.attack import parse_attack
from shared.enrolled import check_broker
from shared.errors import SettingsError
from shared.labels import LABEL_SETS
from shared.settings import Settings

OPERATIONAL = (
    "broker",
    "insecure",
    "out",
    "workers",
    "deadline_s",
    "quorum",
    "max_attempts",
    "page",
    "chaos",
    "chaos_faults",
)
"""Settings that a run may be resumed with others of: its result does not depend on them."""


class SimulationSettings(Settings):
    """What to simulate."""

    section: ClassVar[str] = "simulate"

    data: Path | None = Field(
        None, description="handwriting to train on: any dataset or sample store; without it, handwriting is generated"
    )
    test_data: Path | None = Field(None, description="handwriting to test on; then nothing of the data is held out")
    holdout_writers: float = Field(
        0.1, gt=0, lt=1, description="the share of the writers that is kept for the test, where there is no test data"
    )
    labels: str = Field("arithmetic", description=f"the classes to read: {', '.join(LABEL_SETS)}")
    model: training.ModelFolder = None
    weights: training.FirstWeights = None

    partition: tuple[str, ...] = Field(
        ("writer",),
        description="how the data are dealt out: writer, iid, shards, dirichlet:ALPHA; "
        "given again, one more run, and one figure of all",
    )
    devices: int = Field(8, ge=1, le=10_000, description="how many devices; under writer, the most prolific writers")
    per_round: int = Field(0, ge=0, description="how many devices, drawn at random, train in a round; 0: all")
    over_select: float = Field(
        0.0,
        ge=0,
        le=10,
        description="how many more devices than per_round to invite, as a fraction of it; the round closes when "
        "per_round updates have come",
    )
    rounds: int = Field(15, ge=1, le=1_000_000, description="how many rounds")
    local_epochs: training.LocalEpochs = 2
    batch_size: Annotated[training.BatchSize, Field(le=32)] = 32
    optimizer: training.Optimizer = "sgd"
    lr: training.LearningRate = 0.05
    lr_schedule: training.LearningRateSchedule = "cooldown"
    momentum: training.Momentum = 0.9
    clip_norm: training.ClipNorm = 0.0
    prox_mu: training.ProxMu = 0.0
    augment: training.Augment = 0.5
    balance: training.Balance = 0.0
    weighting: training.Weighting = "samples"
    sample_cap: training.SampleCap = 10.0
    aggregation: training.Rule = "mean"
    byzantine: training.AssumedHostile = 0.2
    clip_to_median: training.ClipToMedian = 0.0
    attack: str = Field(
        "",
        description="what some devices do to the fleet: sign-flip, scale or label-flip, perhaps with :STRENGTH; "
        "for research, in simulations alone",
    )
    attackers: float = Field(
        0.2, gt=0, lt=1, description="the share of the devices that attack, where there is an attack"
    )
    seed: int = Field(7, ge=0, lt=1 << 63, description="of everything that is drawn: the same seed, the same weights")

    broker: str = Field(
        "auto", description="auto (Mosquitto if installed), embedded, mosquitto, or the mqtt:// address of your own"
    )
    insecure: bool = Field(
        False, description="take a broker on another machine without TLS, which anyone on the way can change"
    )
    out: Path = Field(Path("runs/simulation"), description="folder for the report, metrics, weights")
    workers: int = Field(
        0, ge=0, description="processes that the devices share; 0: one a device up to 16 devices, then a few for all"
    )
    page: bool = Field(
        False, description="serve the aggregator's page, to watch the fleet in a browser while it trains"
    )
    deadline_s: training.Deadline = 600.0
    quorum: int = Field(0, ge=0, description="how many updates a round needs; 0: of every device that trains in it")
    max_attempts: training.MaxAttempts = 3

    generated_writers: int = Field(
        0, ge=0, le=100_000, description="generated handwriting: how many people write to train on; 0: one a device"
    )
    generated_samples: int = Field(400, ge=1, description="generated handwriting: samples of each person")
    generated_spread: float = Field(
        0.4,
        ge=0,
        le=2,
        description="generated handwriting: how far people stand apart; 1: the whole range of forms, "
        "0.5: about as far as real people",
    )

    chaos: int | None = Field(
        None,
        ge=0,
        description="do faults to the run, drawn from this seed: kills, cuts, bad lines; it ends with an account",
    )
    chaos_faults: int = Field(0, ge=0, description="how many faults, with --chaos; 0: two a round")

    @field_validator("partition")
    @classmethod
    def _different(cls, partitions: tuple[str, ...]) -> tuple[str, ...]:
        if not partitions:
            raise ValueError("at least one partition is needed")
        for name in partitions:
            if partitions.count(name) > 1:
                raise ValueError(f"{name} is given twice; name each partition once")
        return partitions

    @field_validator("attack")
    @classmethod
    def _known(cls, attack: str) -> str:
        try:
            return str(parse_attack(attack)) if attack else ""
        except SettingsError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if "://" in self.broker:
            try:
                check_broker(self.broker, insecure=self.insecure)
            except SettingsError as error:
                raise ValueError(str(error)) from None
        if self.chaos is not None and "://" in self.broker:
            raise ValueError("--chaos kills the broker: give --broker mosquitto or embedded, not one that others use")
        if self.per_round > self.devices:
            raise ValueError(
                f"--per-round asks for {self.per_round} devices a round, and --devices makes {self.devices}; "
                "raise --devices or lower --per-round"
            )
        if self.over_select and not self.per_round:
            raise ValueError("--over-select invites more devices than --per-round, which is not given; give it as well")
        if self.quorum > self.trained_per_round:
            raise ValueError(
                f"--quorum asks for {self.quorum} updates a round, and {self.trained_per_round} devices train in one; "
                "lower it"
            )
        least = Byzantine(self.byzantine).least_updates(self.aggregation)
        smallest = self.quorum or self.trained_per_round
        if smallest < least:
            raise ValueError(
                f"--aggregation {self.aggregation} with --byzantine {self.byzantine:g} needs {least} updates in every "
                f"round, and one may close with {smallest}; raise "
                + ("--quorum" if self.quorum else "--per-round" if self.per_round else "--devices")
            )
        return self

    @property
    def trained_per_round(self) -> int:
        """How many devices train in a round."""
        return self.per_round or self.devices

    @property
    def is_plain_mean(self) -> bool:
        """Whether a round's weights are the weighted mean of its updates as they are."""
        return self.aggregation == "mean" and not self.clip_to_median

    def result_defining(self) -> dict[str, str]:
        """The settings that the result depends on, as text: a run is resumed with the same only."""
        return {
            name: str(getattr(self, name)) for name in type(self).model_fields if name not in ("rounds", *OPERATIONAL)
        } | {"rounds": str(self.rounds)}

    def as_options(self) -> dict[str, str]:
        """Every setting by its name, as text, without those that are not set."""
        return {
            name: " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            for name in type(self).model_fields
            if (value := getattr(self, name)) is not None
        }

    def as_command(self) -> str:
        """The command line that repeats the run: what differs from the defaults, and the seed."""
        import shlex

        words = ["inkfleet", "simulate"]
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if value is None or (value == field.default and name not in ("devices", "rounds", "seed", "partition")):
                continue
            option = name.replace("_", "-")
            if isinstance(value, bool):
                words.append(f"--{option}" if value else f"--no-{option}")
                continue
            for one in value if isinstance(value, tuple) else (value,):
                words += [f"--{option}", str(one)]
        return shlex.join(words)
