"""What a worker process hosts, as a file between the simulation and the worker."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.files import write_bytes


class WorkerPlan(BaseModel):
    """What a worker hosts.

    Attributes:
        devices: the settings of each.
        attack: what those do that attack, see `deploy.simulate.attack.parse_attack`.
        attackers: their names.
        witness: the folder where it is written down what each device sees, see `deploy.chaos.witness`; empty for none.
    """

    model_config = ConfigDict(extra="forbid")

    devices: tuple[dict[str, str], ...]
    attack: str = ""
    attackers: tuple[str, ...] = ()
    witness: str = ""

    def save(self, path: Path) -> None:
        """Write the plan for the worker to read."""
        write_bytes(path, self.model_dump_json(indent=1).encode())
