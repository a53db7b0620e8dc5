"""From a store's rows to arrays, in the order of the digests; no more is in memory at a time than what is asked for."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_client.near_duplicates import alike, descriptors
from shared.dataset import Dataset
from shared.labels import LabelSet
from shared.sample import SIDE

_FRACTION_BYTES = 6
_COMPARED_AT_ONCE = 1000


def fractions(connection: sqlite3.Connection, labels: LabelSet | None) -> NDArray[np.float64]:
    """Read the digests of the samples with these labels (all if None) as fractions of their range, ``(n,) float64``."""
    where, values = _where(labels)
    rows = connection.execute(
        f"SELECT substr(digest, 1, {_FRACTION_BYTES}) FROM samples{where} ORDER BY digest", values
    )
    found = [int.from_bytes(digest, "big") for (digest,) in rows]
    return np.array(found, np.float64) / (1 << 8 * _FRACTION_BYTES)


def datasets(
    connection: sqlite3.Connection, labels: LabelSet | None, parts: Sequence[NDArray[np.bool_]]
) -> list[Dataset]:
    """Read several disjoint parts of the samples with these labels (all if None).

    Args:
        connection: within one transaction with what the parts were made from.
        labels: as for `fractions`.
        parts: ``(n,) bool`` each; what is in none is not kept.
    """
    images = [np.empty((int(part.sum()), SIDE, SIDE), np.uint8) for part in parts]
    names: list[list[str]] = [[] for _ in parts]
    writers: list[list[str]] = [[] for _ in parts]
    where, values = _where(labels)
    rows = connection.execute(f"SELECT image, label, writer FROM samples{where} ORDER BY digest", values)
    for i, (image, label, writer) in enumerate(rows):
        for part, pictures, some_names, some_writers in zip(parts, images, names, writers, strict=True):
            if part[i]:
                pictures[len(some_names)] = np.frombuffer(image, np.uint8).reshape(SIDE, SIDE)
                some_names.append(label)
                some_writers.append(writer)
    return [
        Dataset(pictures, np.array(some_names, dtype=np.str_), np.array(some_writers, dtype=np.str_))
        for pictures, some_names, some_writers in zip(images, names, writers, strict=True)
    ]


def sources(connection: sqlite3.Connection) -> NDArray[np.str_]:
    """Read where every sample came from, ``(n,) str``."""
    rows = connection.execute("SELECT source FROM samples ORDER BY digest")
    return np.array([source for (source,) in rows], dtype=np.str_)


def everything_in(connection: sqlite3.Connection) -> Dataset:
    """Read every sample."""
    return datasets(connection, None, [np.ones(len(fractions(connection, None)), np.bool_)])[0]


def has_alike(connection: sqlite3.Connection, pixels: bytes, label: str) -> bool:
    """Say whether there is a sample with this label that is nearly this one, see `edge_client.near_duplicates`.

    Args:
        connection: to the store.
        pixels: ``45 * 45`` bytes, row by row.
        label: what they show.
    """
    one = descriptors(_pictures([pixels]))[0]
    rows = connection.execute("SELECT image FROM samples WHERE label = ?", (label,))
    while some := rows.fetchmany(_COMPARED_AT_ONCE):
        if alike(one, descriptors(_pictures([image for (image,) in some]))):
            return True
    return False


def _pictures(pixels: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(pixels), np.uint8).reshape(-1, SIDE, SIDE)


def _where(labels: LabelSet | None) -> tuple[str, tuple[str, ...]]:
    if labels is None:
        return "", ()
    return f" WHERE label IN ({','.join('?' * len(labels))})", labels.labels
