"""Going on with a run whose database is damaged: from its card, its checkpoints and its line of metrics a round."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from aggregator.checkpoints import Checkpoints
from aggregator.store import CommittedRound, RunRecord, Store
from shared.errors import ProtocolError, StorageError
from shared.files import write_bytes
from shared.json_lines import read_json_lines
from shared.set_aside import set_aside
from shared.tensors import decode_tensors, sha256_of

_CARD = "run.json"


@dataclass(frozen=True)
class RunCard:
    """What a run is, in a file of its own beside the database, written once.

    Attributes:
        record: the run as it was started.
        earlier: the names it had before its database was lost.
    """

    record: RunRecord
    earlier: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Keep the card.

        Raises:
            StorageError: it cannot be written.
        """
        card = asdict(self.record) | {"earlier": list(self.earlier)}
        write_bytes(folder / _CARD, json.dumps(card, indent=1, sort_keys=True).encode() + b"\n")

    @classmethod
    def read(cls, folder: Path) -> RunCard | None:
        """Return the card; None if there is none, or it is no card."""
        try:
            card = json.loads((folder / _CARD).read_bytes())
            earlier = tuple(str(name) for name in card.pop("earlier"))
            return cls(RunRecord(**card), earlier)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True)
class Recovered:
    """How a run goes on.

    Attributes:
        run: its new name: devices that had a verdict on the round that was lost train it again for a run they do not
            know, and come to the same update.
        round: the last round whose weights are there.
        reason: what was wrong, and where the database is kept.
    """

    run: str
    round: int
    reason: str


def fault(store: Store, checkpoints: Checkpoints, *, card: RunCard | None) -> str:
    """Say in what a database that can be read contradicts the weights beside it; empty if in nothing.

    A database without its newest changes (its ``-wal`` file lost, or an old copy put in its place) is whole, and wrong:
    weights of a round are written when the database has the round closed, never before.
    """
    last = store.last_run()
    newest = checkpoints.newest()
    if newest is None:
        return ""
    if last is None:
        return f"it knows of no run, and there are weights of round {newest}"
    if card is not None and last.run not in (card.record.run, *card.earlier):
        # A run that has just begun, whose card was not written before a crash; the weights are those of the one before.
        return ""
    point = store.resume_point(last.run)
    closed = point.open is not None and point.open.closed
    if newest > point.committed + closed:
        return f"it knows of {point.committed} rounds, and there are weights of round {newest}"
    return ""


def recover(
    folder: Path,
    database: Path,
    *,
    checkpoints: Checkpoints,
    shapes: dict[str, tuple[int, ...]],
    wrong: str,
    stamp: str,
    name: str,
    now_unix_s: float,
) -> Recovered:
    """Put the database aside, and make another that has the run after its last checkpoint.

    Args:
        folder: of the aggregator.
        database: its file.
        checkpoints: the weights of the last rounds.
        shapes: of the model's parameters.
        wrong: what is wrong with the database, for a person.
        stamp: the time now, as it may stand in a file's name: the database is kept under it.
        name: the run's new one.
        now_unix_s: Unix time in seconds.

    Raises:
        StorageError: the folder has no card of the run or no weights of it; nothing was changed then.
    """
    card = RunCard.read(folder)
    found = None if card is None else _last_weights(folder, card, checkpoints, shapes)
    if card is None or found is None:
        lacking = f"no {_CARD}" if card is None else "no weights that fit it"
        raise StorageError(
            f"{wrong}, and the run cannot go on from its checkpoints: {folder} has {lacking}; take another --folder"
        )
    number, sha256 = found
    kept = set_aside(database, stamp=stamp)
    record = replace(card.record, run=name, finished=False)
    RunCard(record, (*card.earlier, card.record.run)).write(folder)
    lines = {n: line for n, line in _metrics(folder, card).items() if n <= number}
    rounds = [CommittedRound(n, str(line["weights_sha256"]), line) for n, line in lines.items()]
    roster, costs = _events(folder, card)
    if number and number not in lines:
        rounds.append(CommittedRound(number, sha256, costs.get(number, _NO_COST) | {"weights_sha256": sha256}))
    with Store(database) as store:
        store.begin_recovered_run(record, rounds, metrics=lines, roster=roster, now_unix_s=now_unix_s)
    reason = f"{wrong}; kept as {kept.name}" if kept else wrong
    return Recovered(name, number, f"{reason}; the run goes on after round {number}, from its checkpoint")


_NO_COST = {
    "participants": 0,
    "samples": 0,
    "wall_s": 0.0,
    "train_s": 0.0,
    "outside_training_s": 0.0,
    "bytes_up": 0,
    "bytes_down": 0,
}
"""What is known of a round that no line of metrics has survived of."""


def _last_weights(
    folder: Path, card: RunCard, checkpoints: Checkpoints, shapes: dict[str, tuple[int, ...]]
) -> tuple[int, str] | None:
    """Find the newest weights that are whole: their round and their hash."""
    lines = _metrics(folder, card)
    for number in checkpoints.rounds():
        try:
            data = checkpoints.path(number).read_bytes()
            decode_tensors(data, shapes=shapes)
        except (OSError, ProtocolError):
            continue
        sha256 = sha256_of(data)
        if number == 0:
            expected = card.record.first_weights_sha256
        else:
            # Written, and not yet in a line: the round was closed, and these weights are what it comes to.
            expected = str(lines[number].get("weights_sha256")) if number in lines else sha256
        if sha256 == expected:
            return number, sha256
    return None


def _metrics(folder: Path, card: RunCard) -> dict[int, dict[str, Any]]:
    """Read the run's lines of metrics, the last of each round."""
    names = {card.record.run, *card.earlier}
    lines = {
        line["round"]: line
        for line in read_json_lines(folder / "metrics.jsonl")
        if line.get("run") in names and isinstance(line.get("round"), int) and "weights_sha256" in line
    }
    return dict(sorted(lines.items()))


def _events(folder: Path, card: RunCard) -> tuple[tuple[str, ...], dict[int, dict[str, Any]]]:
    """Read who was invited last, and how many updates and samples each round had."""
    names = {card.record.run, *card.earlier}
    roster: tuple[str, ...] = ()
    costs: dict[int, dict[str, Any]] = {}
    ours = False
    for event in read_json_lines(folder / "events.jsonl"):
        kind = event.get("event")
        if kind == "listening":
            ours = event.get("run") in names
        elif kind == "opened" and event.get("run") in names:
            roster = tuple(str(name) for name in event.get("invited", ()))
        elif kind == "update" and ours and event.get("verdict") == "accepted":
            cost = costs.setdefault(event.get("round", 0), dict(_NO_COST))
            cost["participants"] += 1
            cost["samples"] += event.get("samples", 0)
    return roster, costs
