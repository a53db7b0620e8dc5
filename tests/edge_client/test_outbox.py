"""The outbox: an update survives until its verdict, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_client.agent_effects import Answer, RoundKey
from edge_client.outbox import Kept, Outbox
from shared.errors import StorageError
from shared.files import write_bytes
from tests.edge_client.rounds import manifest, update

BLOB = b"u" * 1000
ROUND = manifest(3)
UPDATE = update(ROUND, blob=BLOB)
ANSWER = Answer(RoundKey.of(ROUND), 2, "rejected", "its norm is too large")


def test_an_update_survives_a_restart(tmp_path: Path) -> None:
    """What was put is loaded with its bytes by the next process."""
    Outbox(tmp_path).put(UPDATE, BLOB)
    assert Outbox(tmp_path).load() == Kept(UPDATE, BLOB, None)


def test_a_verdict_takes_the_updates_place(tmp_path: Path) -> None:
    """After the verdict there is no update, its bytes are deleted, and the verdict is remembered."""
    outbox = Outbox(tmp_path)
    outbox.put(UPDATE, BLOB)
    outbox.settle(ANSWER)
    assert Outbox(tmp_path).load() == Kept(None, b"", ANSWER)
    assert list(tmp_path.glob("*.safetensors")) == []


def test_a_new_update_replaces_the_old(tmp_path: Path) -> None:
    """There is one update at most, and no bytes of another."""
    outbox = Outbox(tmp_path)
    outbox.put(UPDATE, BLOB)
    newer = update(manifest(4), blob=b"v" * 600)
    outbox.put(newer, b"v" * 600)
    assert Outbox(tmp_path).load().update == newer
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_damaged_bytes_are_not_uploaded(tmp_path: Path) -> None:
    """An update whose bytes have another hash is deleted: the device trains again."""
    Outbox(tmp_path).put(UPDATE, BLOB)
    (tmp_path / f"{UPDATE.blob.sha256}.safetensors").write_bytes(b"w" * 1000)
    assert Outbox(tmp_path).load() == Kept(None, b"", None)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_manifest_is_no_update(tmp_path: Path) -> None:
    """A manifest that cannot be read is as good as none."""
    Outbox(tmp_path).put(UPDATE, BLOB)
    (tmp_path / "update.json").write_text("{")
    assert Outbox(tmp_path).load().update is None


@pytest.mark.parametrize("step", range(2))
def test_a_crash_while_putting_leaves_no_half(tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the disk fails while an update is put, the next process finds none, and no error."""
    done = 0

    def failing(path: Path, data: bytes) -> None:
        nonlocal done
        if done == step:
            raise StorageError("disk full")
        done += 1
        write_bytes(path, data)

    monkeypatch.setattr("edge_client.outbox.write_bytes", failing)
    with pytest.raises(StorageError):
        Outbox(tmp_path).put(UPDATE, BLOB)
    assert Outbox(tmp_path).load() == Kept(None, b"", None)
