"""What a worker process hosts, as a file between the simulation and the worker."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.files import write_bytes


class WorkerPlan(BaseModel):
    """What a worker hosts: the settings of each of its devices."""

    model_config = ConfigDict(extra="forbid")

    devices: tuple[dict[str, str], ...]

    def save(self, path: Path) -> None:
        """Write the plan for the worker to read."""
        write_bytes(path, self.model_dump_json(indent=1).encode())
