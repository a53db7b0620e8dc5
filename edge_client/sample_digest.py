"""A sample's identity, which is also where it stands in every order, and whether it is held out of training."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray


def digest_of(image: NDArray[np.uint8], label: str) -> bytes:
    """Return a sample's identity: SHA-256 over its 2,025 pixels, row by row, and its label, 32 bytes."""
    return digest_of_bytes(np.ascontiguousarray(image).tobytes(), label)


def digest_of_bytes(pixels: bytes, label: str) -> bytes:
    """Return what `digest_of` does, from the pixels in their order."""
    return hashlib.sha256(pixels + label.encode()).digest()
