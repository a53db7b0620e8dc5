"""``kill -9`` of the aggregator, in every phase of a round."""

from __future__ import annotations

import json

import pytest

from aggregator.store import Store
from tests.faults.process_fleet import NAMES, ROUNDS, Fleet

POINTS = {
    "manifest published": (1, "open"),
    "chunk arrived:8": (1, "open"),
    "update durable": (1, "open"),
    "averaging:7": (1, "closed"),
    "weights written": (1, "closed"),
    "evaluating": (1, None),
}
"""Each point, the round that it is in, and what the store then has of that round (None: that depends)."""

FURTHER_POINTS = {
    "round recorded": (1, "open"),
    "update spooled": (1, "open"),
    "update durable:3": (2, "open"),
    "round closed": (1, "closed"),
    "round committed": (1, "committed"),
    "last weights written": (2, "committed"),
}


@pytest.mark.parametrize("point", [*POINTS, *(pytest.param(point, marks=pytest.mark.soak) for point in FURTHER_POINTS)])
def test_killed_in_any_phase_it_resumes_the_same_round(fleet: Fleet, undisturbed: str, point: str) -> None:
    """Restarted with --resume, the run ends with the weights, bit for bit, that it would have come to anyway."""
    fleet.devices(*NAMES)
    killed = fleet.aggregator_process(crash_at=point)
    killed.expect_crash()
    round_number, status = (POINTS | FURTHER_POINTS)[point]
    with Store(fleet.run_folder / "aggregator.sqlite3") as store:
        run = store.last_run()
        assert run is not None
        resume = store.resume_point(run.run)
    if status == "committed":
        assert resume.committed == round_number
    elif status is not None:
        assert resume.open is not None
        assert (resume.open.round, resume.open.closed) == (round_number, status == "closed")

    resumed = fleet.aggregator_process(resume=True)
    assert resumed.end() == 0, resumed.errors
    listening, finished = resumed.all[0], resumed.all[-1]
    assert (listening["event"], listening["run"]) == ("listening", run.run)
    assert listening["round"] == resume.committed + 1
    assert finished["event"] == "finished"
    assert finished["weights_sha256"] == undisturbed
    lines = [json.loads(line) for line in (fleet.run_folder / "metrics.jsonl").read_text().splitlines()]
    assert [(line["round"], line["participants"]) for line in lines] == [(n, len(NAMES)) for n in range(1, ROUNDS + 1)]
    assert all(line["accuracy"] is not None for line in lines)
    verdicts = [(e["round"], e["device"]) for e in [*killed.all, *resumed.all] if e.get("verdict") == "accepted"]
    assert len(verdicts) == len(set(verdicts)), "an update counts once"
    assert not [path for path in fleet.run_folder.rglob("*") if path.name.startswith(".")], "no temporary is left"
