"""The account holds what devices saw against what the aggregator has; it must not be fooled."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aggregator.checkpoints import Checkpoints
from aggregator.engine import Contribution, PublishRound
from aggregator.store import RunRecord, Store
from deploy.chaos.account import Account, draw_up, in_words
from deploy.chaos.witness import Seen, Witness, mark_of, read_record
from shared.messages import BlobRef, LocalMetrics, Score, UpdateManifest
from shared.tensors import encode_tensors, sha256_of

NAMES = ("a", "b", "c")
SAMPLES = {"a": 30, "b": 10, "c": 20}


def weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"w": rng.normal(0, 0.1, (300, 40)).astype(np.float32), "bias": np.zeros(40, np.float32)}


UPDATES = {name: weights(seed) for seed, name in enumerate(NAMES)}
BLOBS = {name: encode_tensors(update) for name, update in UPDATES.items()}


def manifest(name: str) -> UpdateManifest:
    return UpdateManifest(
        run="r",
        round=1,
        samples=SAMPLES[name],
        base="0" * 64,
        blob=BlobRef.of(BLOBS[name], chunk_bytes=4096),
        metrics=LocalMetrics(train=Score(loss=1, accuracy=0.5, samples=1)),
    )


def mean(*names: str) -> dict[str, np.ndarray]:
    """The weighted mean of these devices' updates, as FedAvg has it; a name given twice counts twice."""
    total = sum(SAMPLES[name] for name in names)
    return {
        key: np.average(
            [UPDATES[name][key].astype(np.float64) for name in names],
            axis=0,
            weights=[SAMPLES[name] / total for name in names],
        ).astype(np.float32)
        for key in UPDATES["a"]
    }


@pytest.fixture
def seen(tmp_path: Path) -> list[Seen]:
    """What three devices saw: each made its update and was told ``accepted``; one was told a second time."""
    records: list[Seen] = []
    for name in NAMES:
        outbox = tmp_path / name
        outbox.mkdir()
        (outbox / "update.json").write_bytes(manifest(name).encode())
        (outbox / f"{manifest(name).blob.sha256}.safetensors").write_bytes(BLOBS[name])
        witness = Witness(tmp_path / f"{name}.jsonl", device=name, outbox=outbox)
        witness.open()
        for verdict in ("accepted", "duplicate") if name == "b" else ("accepted",):
            witness({"event": "verdict", "run": "r", "round": 1, "verdict": verdict, "reason": ""})
        records += read_record(tmp_path / f"{name}.jsonl")
    return records


def committed(folder: Path, *, counted: tuple[str, ...], averaged: tuple[str, ...]) -> Path:
    """An aggregator's folder with one round, whose record has some devices and whose weights are the mean of some."""
    data = encode_tensors(mean(*averaged))
    Checkpoints(folder / "checkpoints").put(1, data)
    with Store(folder / "aggregator.sqlite3") as store:
        store.begin_run(RunRecord("r", False, "m", "w", {}), now_unix_s=0.0)
        store.open_round("r", PublishRound(1, 1, "open", NAMES, 1, 1.0, NAMES), now_unix_s=0.0)
        for name in counted:
            entry = Contribution(name, manifest(name).blob.sha256, SAMPLES[name])
            store.add_contribution("r", 1, entry, manifest=manifest(name))
        store.commit_round("r", 1, weights_sha256=sha256_of(data), cost={})
    return folder


def account(folder: Path, seen: list[Seen]) -> Account:
    return draw_up(folder, seen=seen, faults=Counter({"line cut": 2}), weigh=float)


def test_a_run_in_which_all_is_well(tmp_path: Path, seen: list[Seen]) -> None:
    """Everybody's update is on record and in the weights; what came twice is no harm."""
    found = account(committed(tmp_path, counted=NAMES, averaged=NAMES), seen)
    assert found.clean
    assert (found.rounds, found.accepted, found.told, found.proven) == (1, 3, 3, 1)
    assert (found.duplicates, found.lost, found.twice, found.wrong) == (1, 0, 0, ())
    assert dict(in_words(found))["line cut"] == "2"


def test_an_update_that_was_accepted_and_is_not_on_record_is_lost(tmp_path: Path, seen: list[Seen]) -> None:
    """The device was told, and forgot its copy; the aggregator knows nothing of it."""
    found = account(committed(tmp_path, counted=("a", "b"), averaged=("a", "b")), seen)
    assert found.lost == 1
    assert not found.clean


@pytest.mark.parametrize("averaged", [("a", "b"), ("a", "b", "c", "c"), ("a", "c")])
def test_weights_that_leave_one_out_or_count_one_twice_are_found(
    tmp_path: Path, seen: list[Seen], averaged: tuple[str, ...]
) -> None:
    """Whatever the record says: the weights themselves show what is in them."""
    found = account(committed(tmp_path, counted=NAMES, averaged=averaged), seen)
    assert found.wrong == (1,)
    assert not found.clean


def test_a_round_of_which_not_everything_was_seen_proves_nothing(tmp_path: Path, seen: list[Seen]) -> None:
    """A device whose record is gone: its round is neither proven nor wrong."""
    found = account(committed(tmp_path, counted=NAMES, averaged=NAMES), [one for one in seen if one.device != "c"])
    assert (found.proven, found.wrong, found.told) == (0, (), 2)


def test_the_record_outlives_its_writer(tmp_path: Path, seen: list[Seen]) -> None:
    """An update is written down once however often it is looked at; half a line is passed over."""
    path = tmp_path / "a.jsonl"
    before = list(read_record(path))
    with path.open("a") as file:
        file.write('{"kind": "verd')
    Witness(path, device="a", outbox=tmp_path / "a").open()
    assert list(read_record(path)) == before
    assert json.loads(path.read_text().splitlines()[0])["mark"] == pytest.approx(mark_of(UPDATES["a"]))
