"""The account holds what devices saw against what the aggregator has; it must not be fooled."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from aggregator.aggregation import aggregation_for
from aggregator.checkpoints import Checkpoints
from aggregator.engine import Contribution, PublishRound
from aggregator.spool import Spool
from aggregator.store import RunRecord, Store
from deploy.chaos.account import Account, in_words
from deploy.chaos.reckoning import draw_up
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


def manifest(name: str, *, number: int = 1) -> UpdateManifest:
    return UpdateManifest(
        run="r",
        round=number,
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


def commit(
    folder: Path, *, number: int = 1, counted: dict[str, str], averaged: tuple[str, ...], took: int | None = None
) -> Path:
    """Commit a round to an aggregator's folder.

    Its record has some devices, each with somebody's update; its weights are the mean of some updates; and the
    averaging measured how many it took.
    """
    data = encode_tensors(mean(*averaged))
    Checkpoints(folder / "checkpoints").put(number, data)
    with Store(folder / "aggregator.sqlite3") as store:
        if store.last_run() is None:
            store.begin_run(RunRecord("r", False, "m", "w", {}), now_unix_s=0.0)
        store.open_round("r", PublishRound(number, 1, "open", NAMES, 1, 1.0, NAMES), now_unix_s=0.0)
        for name, whose in counted.items():
            entry = Contribution(name, manifest(whose).blob.sha256, SAMPLES[whose])
            store.add_contribution("r", number, entry, manifest=manifest(whose, number=number))
        measured = {"updates": float(len(averaged) if took is None else took)}
        store.commit_round("r", number, weights_sha256=sha256_of(data), cost={"aggregation": measured})
    return folder


def committed(folder: Path, *, counted: tuple[str, ...], averaged: tuple[str, ...]) -> Path:
    """An aggregator's folder with one round, in whose record each device has its own update."""
    return commit(folder, counted={name: name for name in counted}, averaged=averaged)


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


@pytest.mark.parametrize("took", [3, None])
@pytest.mark.parametrize(
    ("averaged", "lost", "twice"),
    [(("a", "b"), 1, 0), (("a", "c"), 1, 0), (("a", "b", "c", "c"), 0, 1), (("a", "a", "a", "b", "c"), 0, 2)],
)
def test_weights_that_leave_one_out_or_count_one_twice_are_found(
    tmp_path: Path, seen: list[Seen], averaged: tuple[str, ...], took: int | None, lost: int, twice: int
) -> None:
    """Whatever the record and the averaging itself say: the weights show what is in them, and how often."""
    folder = commit(tmp_path, counted={name: name for name in NAMES}, averaged=averaged, took=took)
    found = account(folder, seen)
    assert (found.wrong, found.lost, found.twice, found.proven) == ((1,), lost, twice, 0)
    assert not found.clean
    assert dict(in_words(found))["counted twice"] == str(twice)


def test_an_aggregator_that_averages_an_update_twice_is_found_out(tmp_path: Path, seen: list[Seen]) -> None:
    """The aggregator's own spool, averaging, checkpoints and database, one update handed to the averaging twice."""
    spool = Spool(tmp_path / "spool")
    contributions = [Contribution(name, manifest(name).blob.sha256, SAMPLES[name]) for name in NAMES]
    for name, one in zip(NAMES, contributions, strict=True):
        spool.put(BLOBS[name], round_number=1, device=name, sha256=one.sha256)
    updates = spool.updates([*contributions, contributions[1]], round_number=1)
    done = aggregation_for().combine(updates, base={key: np.zeros_like(tensor) for key, tensor in weights(0).items()})
    data = encode_tensors(done.weights)
    Checkpoints(tmp_path / "checkpoints").put(1, data)
    with Store(tmp_path / "aggregator.sqlite3") as store:
        store.begin_run(RunRecord("r", False, "m", "w", {}), now_unix_s=0.0)
        store.open_round("r", PublishRound(1, 1, "open", NAMES, 1, 1.0, NAMES), now_unix_s=0.0)
        for name, one in zip(NAMES, contributions, strict=True):
            store.add_contribution("r", 1, one, manifest=manifest(name))
        cost = {"aggregation": done.measurements.as_json()}
        store.commit_round("r", 1, weights_sha256=sha256_of(data), cost=cost)
    found = account(tmp_path, seen)
    assert (found.accepted, found.twice, found.lost, found.wrong, found.clean) == (3, 1, 0, (1,), False)


def test_an_averaging_that_took_more_than_is_on_record_is_found(tmp_path: Path, seen: list[Seen]) -> None:
    """Also where the weights prove nothing, because they are no mean."""
    folder = commit(tmp_path, counted={name: name for name in NAMES}, averaged=NAMES, took=5)
    found = draw_up(folder, seen=seen, faults=Counter(), weigh=None)
    assert (found.twice, found.lost, found.wrong, found.clean) == (2, 0, (1,), False)
    assert account(folder, seen).twice == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [({"a": "a", "b": "b", "c": "c"}, {"a": "a", "b": "b"}), ({"a": "a", "b": "a", "c": "c"}, {"b": "b", "c": "a"})],
)
def test_an_update_on_record_in_two_places_is_counted_twice(
    tmp_path: Path, seen: list[Seen], first: dict[str, str], second: dict[str, str]
) -> None:
    """In another round, where it was not made for, or under another device's name."""
    commit(tmp_path, counted=first, averaged=tuple(first.values()))
    found = account(commit(tmp_path, number=2, counted=second, averaged=tuple(second.values())), seen)
    assert found.twice == 2
    assert not found.clean


def test_equal_updates_that_were_made_twice_count_twice_rightly(tmp_path: Path, seen: list[Seen]) -> None:
    """Where training changes nothing, every round's update has the same bytes."""
    again = [one.model_copy(update={"round": 2}) for one in seen]
    for number in (1, 2):
        commit(tmp_path, number=number, counted={name: name for name in NAMES}, averaged=NAMES)
    found = account(tmp_path, [*seen, *again])
    assert (found.twice, found.lost, found.proven, found.clean) == (0, 0, 2, True)


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
