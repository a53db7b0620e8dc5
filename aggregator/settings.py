"""The settings of an aggregator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from aggregator import training_settings as training
from aggregator.byzantine import Byzantine
from aggregator.engine import RunPlan
from aggregator.page import DEFAULT_PORT
from aggregator.schedule import learning_rate
from aggregator.training_settings import NotNegative, Positive
from shared import enrolled
from shared.errors import SettingsError
from shared.messages import TrainingPlan
from shared.mqtt.address import BrokerAddress
from shared.settings import Settings
from shared.transfer import DEFAULT_CHUNK_BYTES
from shared.web.access import check_access
from shared.web.page_fields import host_field, port_field, token_field

RUN_DEFINING = (
    "rounds",
    "per_round",
    "over_select",
    "rest_rounds",
    "local_epochs",
    "batch_size",
    "optimizer",
    "lr",
    "lr_schedule",
    "momentum",
    "clip_norm",
    "prox_mu",
    "augment",
    "balance",
    "weighting",
    "sample_cap",
    "aggregation",
    "byzantine",
    "clip_update_norm",
    "clip_to_median",
    "seed",
)
"""The settings that the result of a run depends on: a run is not resumed with others."""


class AggregatorSettings(Settings):
    """How an aggregator serves a fleet."""

    section: ClassVar[str] = "aggregator"

    broker: str = Field("mqtt://127.0.0.1:1883", description="the MQTT broker's address")
    fleet: str = Field("inkfleet", description="the fleet's name, the same for its devices")
    identity: Path | None = Field(
        None,
        description="the folder aggregator/ that inkfleet fleet made: fleet and broker come from it, and it proves to "
        "both sides who is who",
    )
    insecure: bool = Field(
        False, description="take a broker on another machine without TLS, which anyone on the way can change"
    )
    folder: Path = Field(
        Path("runs/aggregator"), description="where the run is kept: database, updates, checkpoints, metrics.jsonl"
    )
    labels: str = Field("arithmetic", description="the label set of the built-in model to train")
    model: training.ModelFolder = None
    weights: training.FirstWeights = None
    test_data: Path | None = Field(None, description="handwriting that every round's weights are tested on")
    resume: bool = Field(False, description="go on with the run in the folder")
    partition: str = Field(
        "", description="the name of the data's partition, written beside the metrics", max_length=64
    )

    rounds: int = Field(10, ge=1, le=1_000_000, description="how many rounds to run")
    per_round: int = Field(0, ge=0, description="how many devices to invite to a round; 0 invites all")
    over_select: NotNegative = Field(
        0.0,
        le=10,
        description="how many more devices than per_round to invite, as a fraction of it (0.3: 13 for 10); the round "
        "closes when per_round updates have come",
    )
    rest_rounds: int = Field(
        16,
        ge=0,
        le=1_000_000,
        description="for how many rounds at most a device that fails again and again is not invited: after the second "
        "failure in a row for 1, then 2, 4, ...; 0 invites it always",
    )
    min_devices: int = Field(1, ge=1, description="how many devices to wait for before round 1")
    wait_s: Positive = Field(300.0, description="how long to wait for enough devices, in seconds")
    grace_s: NotNegative = Field(
        10.0, description="how long a round waits for a device that just lost its connection, in seconds"
    )
    deadline_s: training.Deadline = 300.0
    quorum: int = Field(0, ge=0, description="how many updates a round needs; 0 needs one of every invited device")
    max_attempts: training.MaxAttempts = 3

    local_epochs: training.LocalEpochs = 2
    batch_size: Annotated[training.BatchSize, Field(le=65_536)] = 32
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
    clip_update_norm: NotNegative = Field(
        0.0, description="an update that moved further than this (L2 norm) is scaled back to it; 0: no limit"
    )
    clip_to_median: training.ClipToMedian = 0.0
    seed: int = Field(0, ge=0, lt=1 << 63, description="of the first weights, the choice of devices, and the training")

    max_update_norm: NotNegative = Field(
        0.0, description="an update that moved further than this (L2 norm) is rejected; 0: no limit"
    )
    max_samples: int = Field(1_000_000, ge=1, description="an update that claims more samples is rejected")
    samples_slack: float = Field(
        1.5, ge=1, allow_inf_nan=False, description="how many times the samples it announced a device may claim"
    )
    chunk_bytes: int = Field(DEFAULT_CHUNK_BYTES, ge=256, le=1 << 28, description="size of a chunk, in bytes")
    gather_ms: NotNegative = Field(
        250.0, description="how long requests are gathered before a broadcast, in milliseconds, unless all have asked"
    )
    quiet_s: Positive = Field(
        5.0, description="after so many seconds without a chunk, a device is told what is lacking of its update"
    )
    assembly_bytes: int = Field(
        512 * 1024 * 1024, ge=1, description="memory for updates that are still arriving, in bytes"
    )
    connect_s: Positive = Field(20.0, description="how long to try to reach the broker at the start, in seconds")
    linger_s: NotNegative = Field(
        5.0, description="how long to go on serving the last weights after the last round, in seconds"
    )
    keep_checkpoints: int = Field(3, ge=1, description="how many rounds' weights to keep")

    page: bool = Field(False, description="serve the aggregator's page, to watch the fleet in a browser")
    page_host: str = host_field()
    page_port: int | None = port_field(usual=DEFAULT_PORT)
    token: str = token_field()

    @model_validator(mode="before")
    @classmethod
    def _enrolled(cls, values: Any) -> Any:
        try:
            return enrolled.fill_in(values, role="aggregator")
        except SettingsError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _safe(self) -> Self:
        try:
            enrolled.check_broker(self.broker, insecure=self.insecure)
            if self.page:
                check_access(self.page_host, token=self.token)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.per_round and self.quorum > self.per_round:
            raise ValueError(
                f"quorum {self.quorum} is more than the {self.per_round} devices that per_round invites; lower it"
            )
        if self.over_select and not self.per_round:
            raise ValueError("over_select invites more than per_round, which is not set; set it, or leave both out")
        least = Byzantine(self.byzantine).least_updates(self.aggregation)
        smallest = self.quorum or min(self.per_round or self.min_devices, self.min_devices)
        if smallest < least:
            raise ValueError(
                f"--aggregation {self.aggregation} with --byzantine {self.byzantine:g} needs {least} updates in every "
                f"round, and one may close with {smallest}; ask for {least} with --quorum or --min-devices"
                + (", and raise --per-round" if 0 < self.per_round < least else "")
            )
        return self

    def broker_address(self) -> BrokerAddress:
        """The broker's address, with what TLS needs.

        Raises:
            SettingsError: the identity cannot be read.
        """
        return enrolled.broker_address(self.broker, identity=self.identity, role="aggregator")

    def run_plan(self) -> RunPlan:
        """What the round engine goes by."""
        return RunPlan(
            rounds=self.rounds,
            per_round=self.per_round,
            min_devices=self.min_devices,
            wait_s=self.wait_s,
            deadline_s=self.deadline_s,
            quorum=self.quorum,
            max_attempts=self.max_attempts,
            seed=self.seed,
            grace_s=self.grace_s,
            over_select=self.over_select,
            rest=self.rest_rounds,
        )

    def training_plan(self, *, round_number: int) -> TrainingPlan:
        """What the devices go by in a round."""
        rate = learning_rate(self.lr, round_number=round_number, rounds=self.rounds, schedule=self.lr_schedule)
        return TrainingPlan(
            local_epochs=self.local_epochs,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            lr=rate,
            momentum=self.momentum,
            clip_norm=self.clip_norm,
            prox_mu=self.prox_mu,
            augment=self.augment,
            balance=self.balance,
            seed=self.seed,
        )

    def run_defining(self) -> dict[str, Any]:
        """The settings that the result depends on, by name."""
        return {name: getattr(self, name) for name in RUN_DEFINING}
