"""A simulated fleet to which faults are done, from the command line to the account."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.report.record import SimulationRecord
from tests.e2e.conftest import Command
from tests.e2e.test_simulation import RESULTS, mosquitto

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("e2e")]

FLEET = ("--devices", 3, "--rounds", 2, "--generated-samples", 40, "--workers", 2, "--seed", 3)


def test_a_fleet_survives_and_accounts_for_everything(inkfleet: Callable[..., Command], tmp_path: Path) -> None:
    """Every contribution is in the account and in the weights; the account is in the report; nothing is left behind."""
    chaos = ("--chaos", 4, "--chaos-faults", 5)
    command = inkfleet("simulate", *FLEET, *chaos, "--broker", mosquitto(), "--out", "run", "--json")
    assert command.end() == 0, command.lines
    assert command.leaves_nothing()
    account = json.loads(command.out[-1])["chaos"]
    assert sum(account["faults"].values()) >= 3
    assert (account["rounds"], account["accepted"], account["proven"]) == (2, 6, 2)
    assert (account["lost"], account["twice"], account["wrong"]) == (0, 0, [])
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == RESULTS
    record = SimulationRecord.load(tmp_path / "run" / "run.json")
    assert record.runs[0].chaos is not None
    assert record.runs[0].chaos.model_dump(mode="json") == account
    assert "What was done to it" in (tmp_path / "run" / "report.html").read_text()


def test_somebody_elses_broker_is_not_killed(inkfleet: Callable[..., Command]) -> None:
    """One line, before anything is started."""
    command = inkfleet("simulate", *FLEET, "--chaos", 1, "--broker", "mqtt://127.0.0.1:1", "--out", "run")
    assert command.end() == 2
    assert "--chaos kills the broker" in command.lines[-1]
