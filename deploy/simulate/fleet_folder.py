"""Where one run keeps what it needs to go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aggregator.checkpoints import Checkpoints
from aggregator.store import Store


@dataclass(frozen=True)
class FleetFolder:
    """The folder of one run. Nothing in it is for the user; it goes when the simulation is finished."""

    path: Path

    @property
    def aggregator(self) -> Path:
        """The aggregator's folder: store, spool, checkpoints, events."""
        return self.path / "aggregator"

    @property
    def events(self) -> Path:
        """Everything the aggregator said, over all its sessions."""
        return self.aggregator / "events.jsonl"

    @property
    def devices(self) -> Path:
        """A folder for every device."""
        return self.path / "devices"

    @property
    def logs(self) -> Path:
        """What the processes wrote on stderr."""
        return self.path / "logs"

    def begun(self) -> bool:
        """Whether the aggregator has a run to go on with."""
        return self._committed() is not None

    def committed_rounds(self) -> int:
        """How many rounds are committed."""
        return self._committed() or 0

    def weights(self) -> Path | None:
        """Where the weights after the last committed round are; None before the first."""
        committed = self._committed()
        if not committed:
            return None
        last = self.aggregator / "weights.safetensors"
        path = Checkpoints(self.aggregator / "checkpoints").path(committed)
        return path if path.exists() else last if last.exists() else None

    def _committed(self) -> int | None:
        file = self.aggregator / "aggregator.sqlite3"
        if not file.exists():
            return None
        with Store(file) as store:
            run = store.last_run()
            return None if run is None else store.resume_point(run.run).committed
