"""The numbers that steer a training step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainHyper:
    """An optimizer and its numbers; all are inputs of the program, so none needs a rebuild.

    Attributes:
        optimizer: ``sgd`` (with momentum) or ``adam`` (β₁ 0.9, β₂ 0.999, ε 1e-7).
        lr: the learning rate.
        momentum: of ``sgd``; ``adam`` has no use for it.
        clip_norm: the largest global L2 norm of a gradient; 0 leaves gradients alone.
        prox_mu: the strength of the FedProx term; 0 leaves it out.
    """

    optimizer: Literal["sgd", "adam"] = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    clip_norm: float = 0.0
    prox_mu: float = 0.0
