"""The guards that an update passes before it counts, each with its reason in words.

They run in two steps. Those of `check_manifest` need no bytes: an update that can never count is refused before its
chunks are taken. Those of `check_tensors` look at every value. The hash is checked between the two, by
`shared.transfer.Assembly.take`.

One update of each device counts in a round, the first that passes. The same again is a ``duplicate``; another one is
``rejected``: which of two would count must not depend on when the round closes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from aggregator.aggregation import step_squared
from shared.errors import ProtocolError
from shared.messages import UpdateManifest
from shared.tensors import Tensors, decode_tensors


@dataclass(frozen=True)
class Bounds:
    """What an update may be.

    Attributes:
        max_bytes: of its safetensors file.
        max_samples: that it may claim.
        samples_slack: how many times the samples of its presence it may claim (new ones may have come since).
        max_norm_l2: of its difference to the weights it started from; 0 sets no limit.
    """

    max_bytes: int
    max_samples: int = 1_000_000
    samples_slack: float = 1.5
    max_norm_l2: float = 0.0


@dataclass(frozen=True)
class Asked:
    """What the round under way asks for.

    Attributes:
        taking: whether it still takes updates.
        base_sha256: the weights that an update has to start from.
        counted: the hash of the update that counts, of each device that has one.
        announced: the samples of the device's presence; None if it has announced none.
    """

    run: str
    round: int
    attempt: int
    taking: bool
    invited: frozenset[str]
    base_sha256: str
    counted: Mapping[str, str]
    announced: int | None = None


@dataclass(frozen=True)
class Refusal:
    """Why an update does not count."""

    verdict: Literal["duplicate", "stale", "rejected"]
    reason: str = ""


ManifestCheck = Callable[[str, UpdateManifest, Asked, Bounds], Refusal | None]


def check_run(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """It belongs to this run."""
    if update.run != asked.run:
        return Refusal("stale", f"run {update.run} is not under way; run {asked.run} is")
    return None


def check_round(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """It belongs to the round under way; an earlier attempt at it is as good, for it starts from the same weights."""
    if update.round < asked.round:
        return Refusal("stale", f"round {update.round} is over; round {asked.round} is under way")
    if update.round > asked.round or (update.round == asked.round and update.attempt > asked.attempt):
        return Refusal(
            "rejected",
            f"round {update.round} attempt {update.attempt} was never opened; "
            f"round {asked.round} attempt {asked.attempt} is under way",
        )
    return None


def check_not_counted(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """No update of this device counts yet."""
    counted = asked.counted.get(device)
    if counted is None:
        return None
    if counted == update.blob.sha256:
        return Refusal("duplicate")
    return Refusal("rejected", f"another update of this device counts in round {asked.round} already")


def check_taking(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """The round still takes updates."""
    return None if asked.taking else Refusal("stale", f"round {asked.round} is closed")


def check_invited(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """The device is invited."""
    return None if device in asked.invited else Refusal("rejected", f"not invited to round {asked.round}")


def check_base(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """It starts from the round's weights."""
    if update.base != asked.base_sha256:
        return Refusal(
            "rejected",
            f"expected an update of the weights {asked.base_sha256[:12]}, got one of {update.base[:12]}",
        )
    return None


def check_size(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """It is no larger than the model's weights can be."""
    if update.blob.size_bytes > bounds.max_bytes:
        return Refusal(
            "rejected", f"expected at most {bounds.max_bytes} bytes, the update announces {update.blob.size_bytes}"
        )
    return None


def check_samples(device: str, update: UpdateManifest, asked: Asked, bounds: Bounds) -> Refusal | None:
    """It claims no more samples than the device can have: they are its weight in the mean."""
    most = bounds.max_samples
    if asked.announced is not None:
        most = min(most, math.ceil(asked.announced * bounds.samples_slack))
    if update.samples > most:
        return Refusal("rejected", f"expected at most {most} samples, the update claims {update.samples}")
    return None


MANIFEST_CHECKS: tuple[ManifestCheck, ...] = (
    check_run,
    check_round,
    check_not_counted,
    check_taking,
    check_invited,
    check_base,
    check_size,
    check_samples,
)


def check_manifest(device: str, update: UpdateManifest, *, asked: Asked, bounds: Bounds) -> Refusal | None:
    """Return why an update cannot count, judging by its manifest; None if it can."""
    for check in MANIFEST_CHECKS:
        refusal = check(device, update, asked, bounds)
        if refusal is not None:
            return refusal
    return None


def check_tensors(
    data: bytes, *, shapes: Mapping[str, tuple[int, ...]], base: Tensors, bounds: Bounds
) -> Refusal | None:
    """Return why these weights cannot count; None if they can.

    Args:
        data: the update's safetensors file.
        shapes: the names and shapes of the model's parameters.
        base: the weights that it started from.
        bounds: what it may be.
    """
    try:
        tensors = decode_tensors(data, shapes=shapes)
    except ProtocolError as error:
        return Refusal("rejected", str(error))
    if bounds.max_norm_l2:
        norm = math.sqrt(math.fsum(step_squared(tensor, base[name]) for name, tensor in tensors.items()))
        if not norm <= bounds.max_norm_l2:
            return Refusal(
                "rejected", f"expected a step of L2 norm {bounds.max_norm_l2:g} at most, the update's is {norm:.4g}"
            )
    return None
