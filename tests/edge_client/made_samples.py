"""Samples that nobody wrote: to learn from, and to tell apart."""

from __future__ import annotations

import numpy as np

from shared.dataset import Dataset


def bars(n: int, *, seed: int = 0) -> Dataset:
    """Upright strokes called ``1`` and level ones called ``-``, a little noisy: easy to learn."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 40, (n, 45, 45), dtype=np.uint8)
    labels = np.array(["1" if i % 2 else "-" for i in range(n)], np.str_)
    for i in range(n):
        at = int(rng.integers(15, 28))
        if i % 2:
            images[i, :, at : at + 4] = 255
        else:
            images[i, at : at + 4, :] = 255
    return Dataset(images, labels, np.array([""] * n, np.str_))


def dataset(n: int, *, labels: tuple[str, ...] = ("1", "2", "+"), seed: int = 0) -> Dataset:
    """``n`` different samples, with labels in turn and one writer."""
    images = np.random.default_rng(seed).integers(0, 256, (n, 45, 45), dtype=np.uint8)
    names = np.array([labels[i % len(labels)] for i in range(n)], np.str_)
    return Dataset(images, names, np.array(["anna"] * n, np.str_))
