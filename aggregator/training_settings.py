"""The settings that decide what a run learns: what each may be, and what it says.

An aggregator has them, and so has whatever starts one, such as a simulation. The defaults are each one's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from aggregator.byzantine import Byzantine, RuleName
from aggregator.schedule import Schedule
from shared.errors import SettingsError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _cap(value: float) -> float:
    if 0 < value < 1:
        raise ValueError("a cap below 1 would leave no update its weight; take 1 or more, or 0 for none")
    return value


def _share_or_number(value: float) -> float:
    try:
        return Byzantine(value).assumed
    except SettingsError as error:
        raise ValueError(str(error)) from None


ModelFolder = Annotated[
    Path | None, Field(description="the folder of a model of your own, instead of the built-in one")
]
FirstWeights = Annotated[
    Path | None,
    Field(
        description="start from the weights in this safetensors file; shipped: from those that ship, random: from "
        "none; without it, from those that ship for the labels, if some do"
    ),
]

LocalEpochs = Annotated[
    int, Field(ge=1, le=10_000, description="how often a device goes through its samples in a round")
]
BatchSize = Annotated[int, Field(ge=1, description="samples in a training step")]
Optimizer = Annotated[Literal["sgd", "adam"], Field(description="what the devices train with")]
LearningRate = Annotated[Positive, Field(description="learning rate of round 1")]
LearningRateSchedule = Annotated[Schedule, Field(description="how the learning rate falls from round to round")]
Momentum = Annotated[float, Field(ge=0, lt=1, description="momentum of SGD")]
ClipNorm = Annotated[NotNegative, Field(description="greatest L2 norm of a training step's gradient; 0: no limit")]
ProxMu = Annotated[NotNegative, Field(description="strength of FedProx's term; 0: off")]
Augment = Annotated[
    float,
    Field(ge=0, le=4, description="how much a sample is changed each time: turned, slanted, bent; 0: not at all"),
]
Balance = Annotated[
    float, Field(ge=0, le=1, description="how far a device evens out its labels in training; 1: all equally often")
]

Weighting = Annotated[
    Literal["samples", "uniform"],
    Field(description="what an update weighs in the mean: its samples (FedAvg), or the same for all"),
]
SampleCap = Annotated[
    NotNegative,
    AfterValidator(_cap),
    Field(
        description="an update weighs at most so many times the median of the round's claims of samples; 0: no limit"
    ),
]
Rule = Annotated[RuleName, Field(description="how one set of weights is made of all updates")]
AssumedHostile = Annotated[
    float,
    Field(gt=0, description="how many hostile devices a rule other than the mean assumes: a share, or a number"),
    AfterValidator(_share_or_number),
]
ClipToMedian = Annotated[
    NotNegative,
    Field(description="an update longer than so many times the round's median is scaled back to it; 0: no limit"),
]

Deadline = Annotated[Positive, Field(description="how long a round takes updates, in seconds")]
MaxAttempts = Annotated[
    int, Field(ge=1, description="how often a round is opened before the run ends without a quorum")
]
