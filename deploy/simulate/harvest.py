"""Makes a run's record from what its aggregator wrote down, over all sessions of a run that was resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from deploy.report.record import DeviceRecord, RoundRecord, RunRecord
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.plan import DevicePlan, FleetPlan
from shared.dataset import UNKNOWN_WRITER
from shared.json_lines import read_json_lines
from shared.messages import LocalMetrics


def harvest(plan: FleetPlan, folder: FleetFolder, *, wall_s: float, finished: bool) -> RunRecord:
    """Read the events of a run.

    Args:
        plan: who held what.
        folder: of the run.
        wall_s: how long it took, over all its sessions.
        finished: whether it had all its rounds.
    """
    rounds: dict[int, RoundRecord] = {}
    taken_part: Counter[str] = Counter()
    metrics: dict[str, LocalMetrics] = {}
    rests: dict[str, dict[str, Any]] = {}
    weights_sha256 = ""
    for event in read_json_lines(folder.events):
        kind = event.get("event")
        try:
            if kind == "round":
                line = RoundRecord.model_validate(event)
                rounds[line.round] = line
                weights_sha256 = line.weights_sha256 or weights_sha256
            elif kind == "update" and event.get("verdict") == "accepted":
                taken_part[event["device"]] += 1
                metrics[event["device"]] = LocalMetrics.model_validate(event["metrics"])
            elif kind == "rested":
                before = rests.get(event["device"], {"rested": 0})
                rests[event["device"]] = {
                    "rested": before["rested"] + 1,
                    "rested_until": int(event["until"]),
                    "rested_why": str(event["reason"]),
                }
            elif kind == "finished":
                weights_sha256 = str(event["weights_sha256"])
        except (ValidationError, KeyError):
            continue  # half a line, or of another version: the report is the poorer by it
    return RunRecord(
        partition=plan.partition,
        rounds=tuple(rounds[number] for number in sorted(rounds)),
        devices=tuple(
            _device(device, rounds=taken_part[device.name], metrics=metrics.get(device.name)).model_copy(
                update={
                    "attacks": device.name in plan.attackers,
                    **_judged(device.name, rounds.values()),
                    **rests.get(device.name, {}),
                }
            )
            for device in plan.devices
        ),
        weights_sha256=weights_sha256,
        wall_s=round(wall_s, 3),
        finished=finished,
    )


def _judged(device: str, rounds: Iterable[RoundRecord]) -> dict[str, int]:
    """Count the rounds in which a device was suspected, and in which its update was not used."""
    judged = [line.aggregation for line in rounds if line.aggregation is not None]
    return {
        "suspected": sum(device in one.suspects for one in judged),
        "left_out": sum(device in one.left_out for one in judged),
    }


def _device(device: DevicePlan, *, rounds: int, metrics: LocalMetrics | None) -> DeviceRecord:
    return DeviceRecord(
        name=device.name,
        writers=len(set(device.data.writers.tolist()) - {UNKNOWN_WRITER}),
        labels=device.data.counts(),
        rounds=rounds,
        holdout_before=metrics.holdout_before if metrics else None,
        holdout_after=metrics.holdout_after if metrics else None,
    )
