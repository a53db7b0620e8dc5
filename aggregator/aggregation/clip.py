"""Updates scaled back to a greatest norm."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aggregator.aggregation.stage import Measurements, Updates, read_checked, step_squared
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
        """Return the clipped updates. Measurements: ``clipped`` (updates), ``update_norm_l2_max`` before clipping."""
        norms = []
        for position in range(len(updates.devices)):
            squares = math.fsum(
                step_squared(read_checked(updates, position, name, like=before), before)
                for name, before in base.items()
            )
            norms.append(math.sqrt(squares))
        scales = [1.0 if norm <= self._max_norm_l2 else self._max_norm_l2 / norm for norm in norms]
        measured = {
            "clipped": float(sum(scale < 1.0 for scale in scales)),
            "update_norm_l2_max": max(norms, default=0.0),
        }
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
