"""The folder that a simulation leaves its results in, and the state in it that a run can be resumed from.

::

    OUT/report.html, accuracy.png, metrics.jsonl, weights.safetensors, weights-PARTITION.safetensors, run.json
    OUT/state/            only while a run is not finished: what --resume goes on from

A new run replaces these files and touches no others. It replaces nothing before its own first round is there.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aggregator.run import BEFORE_IT_WAS_SET
from deploy.report.write import METRICS, PAGE, PICTURE, RECORD
from deploy.simulate.fleet_folder import FleetFolder
from deploy.simulate.plan import FleetPlan
from deploy.simulate.settings import SimulationSettings
from shared.errors import RunError, SettingsError, StorageError
from shared.files import write_bytes

WEIGHTS = "weights.safetensors"
RESULTS = (PAGE, PICTURE, METRICS, WEIGHTS, RECORD)
_EACH_WEIGHTS = "weights-*.safetensors"


class Standing(BaseModel):
    """How far a simulation has come, for ``--resume``.

    Attributes:
        settings: those the result depends on.
        data_sha256: of the data as it was dealt out.
        elapsed_s: how long each run has taken so far, by partition.
        finished: the partitions whose runs are over.
    """

    model_config = ConfigDict(extra="ignore")

    settings: dict[str, str]
    data_sha256: str
    elapsed_s: dict[str, float] = Field(default_factory=dict)
    finished: list[str] = Field(default_factory=list)


class OutFolder:
    """A simulation's folder, taken for this process while it is entered.

    Args:
        path: the folder; made if it is not there.
        force: replace files of these names even where no simulation of ours has made them.
    """

    def __init__(self, path: Path, *, force: bool = False) -> None:
        self.path = path
        self._force = force
        self._made: list[Path] = []
        self._lock: int | None = None
        self._claimed = False

    @property
    def state(self) -> Path:
        """What a run is resumed from."""
        return self.path / "state"

    def fleet(self, plan: FleetPlan) -> FleetFolder:
        """Where one run keeps its things."""
        return FleetFolder(self.state / plan.folder_name)

    @property
    def standing(self) -> Standing | None:
        """How far the run in this folder has come; None where there is none to resume."""
        try:
            return Standing.model_validate_json((self.state / "standing.json").read_bytes())
        except (OSError, ValidationError):
            return None

    def begin(self, standing: Standing, *, resume: bool) -> Standing:
        """Take up the run that lies here, or make room for a new one.

        Raises:
            SettingsError: the run that is to be resumed had other settings, or other data.
            StorageError: the folder cannot be written.
        """
        before = self.standing
        if resume and before is not None:
            _check_same(before, standing, path=self.path)
            return before
        try:
            if self.state.exists():
                shutil.rmtree(self.state)
            self.state.mkdir()
        except OSError as error:
            raise StorageError(f"cannot write to {self.path}: {error.strerror or error}") from None
        self.keep(standing)
        return standing

    def keep(self, standing: Standing) -> None:
        """Write down how far the run has come."""
        write_bytes(self.state / "standing.json", standing.model_dump_json(indent=1).encode())

    def claim(self) -> None:
        """Remove the results of an earlier run; called when the first ones of this run are there."""
        if not self._claimed:
            self._claimed = True
            for name in RESULTS:
                (self.path / name).unlink(missing_ok=True)
            for path in self.path.glob(_EACH_WEIGHTS):
                path.unlink()

    def drop_state(self) -> None:
        """Remove what a run is resumed from: it is finished, or has nothing to go on from."""
        shutil.rmtree(self.state, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            for folder in (self.path, *self.path.parents):
                if folder.exists():
                    break
                self._made.append(folder)
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._take_lock()
        except OSError as error:
            self._remove_made()
            raise StorageError(f"cannot write to {self.path}: {error.strerror or error}") from None
        try:
            self._check_ours()
        except RunError:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def _take_lock(self) -> int:
        """Lock the folder and return the lock's descriptor."""
        lock = self.path / ".lock"
        while True:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                raise RunError(f"another simulation is writing to {self.path}; give --out another folder") from None
            # Whoever had the lock removes its file at the end: what was locked may not be in the folder any more.
            with suppress(FileNotFoundError):
                if lock.stat().st_ino == os.fstat(descriptor).st_ino:
                    return descriptor
            os.close(descriptor)

    def _check_ours(self) -> None:
        ours = (self.path / RECORD).exists() or self.state.exists()
        there = [name for name in RESULTS if (self.path / name).exists()]
        if there and not ours and not self._force:
            raise RunError(
                f"{self.path} holds a {there[0]} that no simulation has made; give --out another folder, or --force"
            )

    def _let_go(self) -> None:
        if self._lock is not None:
            (self.path / ".lock").unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
        self._remove_made()

    def _remove_made(self) -> None:
        """Leave no empty folder behind that was not there before."""
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _check_same(before: Standing, now: Standing, *, path: Path) -> None:
    earlier = {name: str(field.default) for name, field in SimulationSettings.model_fields.items()}
    earlier |= {name: str(value) for name, value in BEFORE_IT_WAS_SET.items()}
    for name, value in now.settings.items():
        then = before.settings.get(name, earlier.get(name))
        if then != value:
            option = "--" + name.replace("_", "-")
            raise SettingsError(
                f"{option}: the run in {path} was started with {then}, not {value}; "
                "resume it with the same, or begin anew without --resume"
            )
    if before.data_sha256 != now.data_sha256:
        raise SettingsError(
            f"the data are not those that the run in {path} was started with; begin anew without --resume"
        )
