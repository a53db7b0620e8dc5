"""The cache of fetched blobs: bounded, verified, whole."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_client.blob_cache import MOST_BLOBS, BlobCache
from shared.errors import StorageError
from shared.tensors import sha256_of


def put(cache: BlobCache, data: bytes, *, protect: tuple[str, ...] = ()) -> str:
    """Cache some bytes; return their hash."""
    sha256 = sha256_of(data)
    cache.put(sha256, data, protect=protect)
    return sha256


def test_what_was_put_is_there(tmp_path: Path) -> None:
    """Bytes come back by their hash, also to another process; others do not."""
    sha256 = put(BlobCache(tmp_path / "cache"), b"weights")
    cache = BlobCache(tmp_path / "cache")
    assert sha256 in cache
    assert cache.get(sha256) == b"weights"
    assert cache.get(sha256_of(b"other")) is None
    assert "../../etc/passwd" not in cache


def test_a_damaged_blob_is_forgotten(tmp_path: Path) -> None:
    """A file whose bytes have changed is no answer, and is deleted so that it is fetched anew."""
    cache = BlobCache(tmp_path)
    sha256 = put(cache, b"weights")
    (tmp_path / sha256).write_bytes(b"weighty")
    assert cache.get(sha256) is None
    assert sha256 not in cache


def test_the_least_recently_used_leave_first(tmp_path: Path) -> None:
    """Beyond the bound the oldest use leaves; what is protected stays."""
    cache = BlobCache(tmp_path, max_bytes=250)
    first, second = put(cache, b"a" * 100), put(cache, b"b" * 100)
    os.utime(tmp_path / first, (1, 1))
    os.utime(tmp_path / second, (2, 2))
    third = put(cache, b"c" * 100, protect=(first,))
    assert first in cache
    assert second not in cache
    assert third in cache


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    """Something in the way of the folder is a StorageError."""
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(StorageError):
        put(BlobCache(tmp_path / "cache"), b"x")


def test_blobs_are_no_more_than_so_many_however_small(tmp_path: Path) -> None:
    """The least recently used leave first, but for those that are protected."""
    cache = BlobCache(tmp_path)
    protected = put(cache, b"the model")
    for number in range(MOST_BLOBS + 10):
        last = put(cache, b"weights %d" % number, protect=(protected,))
    assert len(list(tmp_path.iterdir())) == MOST_BLOBS
    assert protected in cache
    assert last in cache
