"""Updates scaled back to a greatest norm."""

from __future__ import annotations

import math
import statistics

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.measurements import Measurements, far_out
from aggregator.aggregation.stage import Updates, read_checked, step_squared
from shared.errors import SettingsError
from shared.tensors import Tensors


class ClipUpdates:
    """Scales back an update that moved further than ``max_norm_l2`` from the weights it started from.

    ``Δ_k ← Δ_k · min(1, S / ‖Δ_k‖₂)``, with ``Δ_k = w_k - w`` over all parameters together: the clipping of McMahan et
    al. 2018, "Learning Differentially Private Recurrent Language Models", there called flat clipping. An update
    within the norm comes through bit for bit.

    Args:
        max_norm_l2: the bound S, above zero.

    Raises:
        SettingsError: the bound is not above zero.
    """

    def __init__(self, *, max_norm_l2: float) -> None:
        if not (math.isfinite(max_norm_l2) and max_norm_l2 > 0):
            raise SettingsError(f"expected a greatest norm above zero, got {max_norm_l2!r}")
        self._max_norm_l2 = max_norm_l2

    def apply(self, updates: Updates, *, base: Tensors) -> tuple[Updates, Measurements]:
        """Return the clipped updates; for the measurements see `clipped_to`."""
        return clipped_to(self._max_norm_l2, updates, step_norms(updates, base=base), base=base)


class ClipToMedian:
    """Scales back an update that moved further than ``factor`` times the median of its round.

    The bound follows the training, whose steps grow shorter, without anybody choosing it: Nguyen et al. 2022, "FLAME:
    Taming Backdoors in Federated Learning", adaptive clipping, there with the factor 1. A minority of hostile
    devices moves the median no further than the honest ones' range.

    Args:
        factor: of the median norm, above zero.

    Raises:
        SettingsError: the factor is not above zero.
    """

    def __init__(self, *, factor: float = 1.0) -> None:
        if not (math.isfinite(factor) and factor > 0):
            raise SettingsError(f"expected a factor of the median norm above zero, got {factor!r}")
        self._factor = factor

    def apply(self, updates: Updates, *, base: Tensors) -> tuple[Updates, Measurements]:
        """Return the clipped updates; for the measurements see `clipped_to`, and ``clip_norm_l2``, the bound."""
        norms = step_norms(updates, base=base)
        bound = self._factor * statistics.median(norms) if norms else 0.0
        clipped, measured = clipped_to(bound, updates, norms, base=base)
        return clipped, measured | Measurements({"clip_norm_l2": bound})


def step_norms(updates: Updates, *, base: Tensors) -> list[float]:
    """Return the L2 norm of each update's step from ``base``, over all parameters together."""
    return [
        math.sqrt(
            math.fsum(
                step_squared(read_checked(updates, position, name, like=before), before)
                for name, before in base.items()
            )
        )
        for position in range(len(updates.devices))
    ]


def clipped_to(bound: float, updates: Updates, norms: list[float], *, base: Tensors) -> tuple[Updates, Measurements]:
    """Scale back the updates whose norm is above the bound.

    Measurements: ``clipped`` (updates), ``update_norm_l2_max`` and of each device ``update_norm_l2``, all before
    clipping. Devices whose norm is far above the others' are suspected.
    """
    scales = [1.0 if norm <= bound else bound / norm for norm in norms]
    by_device = dict(zip(updates.devices, norms, strict=True))
    measured = Measurements(
        {"clipped": float(sum(scale < 1.0 for scale in scales)), "update_norm_l2_max": max(norms, default=0.0)},
        {"update_norm_l2": by_device},
        suspects=far_out(by_device, says="length of the update"),
    )
    return _Clipped(updates, base, scales), measured


class _Clipped:
    def __init__(self, updates: Updates, base: Tensors, scales: list[float]) -> None:
        self._updates = updates
        self._base = base
        self._scales = scales

    @property
    def devices(self) -> tuple[str, ...]:
        return self._updates.devices

    @property
    def samples(self) -> tuple[int, ...]:
        return self._updates.samples

    def tensor(self, position: int, name: str) -> NDArray[np.float32]:
        tensor = self._updates.tensor(position, name)
        scale = self._scales[position]
        if scale == 1.0:
            return tensor
        before = self._base[name]
        return (before + scale * np.subtract(tensor, before, dtype=np.float64)).astype(np.float32)
