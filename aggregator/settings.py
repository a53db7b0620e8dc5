"""The settings of an aggregator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from aggregator.byzantine import Byzantine, RuleName
from aggregator.engine import RunPlan
from aggregator.page import DEFAULT_PORT
from aggregator.schedule import Schedule, learning_rate
from shared import enrolled
from shared.errors import SettingsError
from shared.messages import TrainingPlan
from shared.mqtt.address import BrokerAddress
from shared.settings import Settings
from shared.transfer import DEFAULT_CHUNK_BYTES
from shared.web.access import check_access
from shared.web.page_fields import host_field, port_field, token_field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _cap(value: float) -> float:
    if 0 < value < 1:
        raise ValueError("a cap below 1 would leave no update its weight; take 1 or more, or 0 for none")
    return value


SampleCap = Annotated[NotNegative, AfterValidator(_cap)]

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
    model: Path | None = Field(None, description="the folder of a model of your own, instead of the built-in one")
    weights: Path | None = Field(
        None,
        description="start from the weights in this safetensors file; shipped: from those that ship, random: from "
        "none; without it, from those that ship for the labels, if some do",
    )
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
    deadline_s: Positive = Field(300.0, description="how long a round takes updates, in seconds")
    quorum: int = Field(0, ge=0, description="how many updates a round needs; 0 needs one of every invited device")
    max_attempts: int = Field(3, ge=1, description="how often a round is opened before the run ends without a quorum")

    local_epochs: int = Field(2, ge=1, le=10_000, description="how often a device goes through its samples in a round")
    batch_size: int = Field(32, ge=1, le=65_536, description="samples in a training step")
    optimizer: Literal["sgd", "adam"] = Field("sgd", description="what the devices train with")
    lr: Positive = Field(0.05, description="learning rate of round 1")
    lr_schedule: Schedule = Field("cooldown", description="how the learning rate falls from round to round")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    clip_norm: NotNegative = Field(0.0, description="greatest L2 norm of a training step's gradient; 0: no limit")
    prox_mu: NotNegative = Field(0.0, description="strength of FedProx's term; 0: off")
    augment: float = Field(
        0.5, ge=0, le=4, description="how much a sample is changed each time: turned, slanted, bent; 0: not at all"
    )
    balance: float = Field(
        0.0, ge=0, le=1, description="how far a device evens out its labels in training; 1: all equally often"
    )
    weighting: Literal["samples", "uniform"] = Field(
        "samples", description="what an update weighs in the mean: its samples (FedAvg), or the same for all"
    )
    sample_cap: SampleCap = Field(
        10.0,
        description="an update weighs at most so many times the median of the round's claims of samples; 0: no limit",
    )
    aggregation: RuleName = Field("mean", description="how one set of weights is made of all updates")
    byzantine: float = Field(
        0.2, gt=0, description="how many hostile devices a rule other than the mean assumes: a share, or a number"
    )
    clip_update_norm: NotNegative = Field(
        0.0, description="an update that moved further than this (L2 norm) is scaled back to it; 0: no limit"
    )
    clip_to_median: NotNegative = Field(
        0.0, description="an update longer than so many times the round's median is scaled back to it; 0: no limit"
    )
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

    @field_validator("byzantine")
    @classmethod
    def _share_or_number(cls, byzantine: float) -> float:
        try:
            return Byzantine(byzantine).assumed
        except SettingsError as error:
            raise ValueError(str(error)) from None

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
