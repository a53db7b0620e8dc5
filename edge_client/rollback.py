"""A guard against old rounds: a broker that was broken into still has every manifest that was ever signed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from shared.errors import ProtocolError, StorageError
from shared.files import write_bytes
from shared.rising_numbers import written


class RollbackGuard:
    """Refuses round manifests older than one that was followed, also after a restart.

    Without it, whoever holds the broker could have the fleet go back to weights of last year, rightly signed. What it
    goes by is the manifest's own sequence number; this device's clock, which may be hours off, has no say.

    The number belongs to the identity, not to the folder: it is kept beside the identity's file as well, so that the
    same identity with a new folder is as well guarded. Where that place cannot be written (a bundle that is read-only),
    the folder alone has it.

    Args:
        path: the file with the newest sequence number, in the device's folder.
        beside: the same beside the identity; None where there is none.
    """

    def __init__(self, path: Path, *, beside: Path | None = None) -> None:
        self._path = path
        self._beside = beside
        self._newest: int | None = None

    def admit(self, sequence: int, *, topic: str) -> None:
        """Note a manifest's sequence number, if it is no older than the newest.

        Raises:
            ProtocolError: it is older.
            StorageError: it cannot be written down.
        """
        if self._newest is None:
            self._newest = max(written(self._path), written(self._beside) if self._beside else 0)
        if sequence < self._newest:
            kept = " and ".join(str(path) for path in (self._path, self._beside) if path is not None)
            raise ProtocolError(
                f"{topic}: the round manifest {sequence} is older than {self._newest}, which was followed before; "
                f"if the aggregator's clock was set back, or its folder lost, delete {kept} and start the device again"
            )
        if sequence > self._newest:
            # Held to from here on, also where it cannot be written down.
            self._newest = sequence
            if self._beside is not None:
                with contextlib.suppress(StorageError):
                    write_bytes(self._beside, f"{sequence}\n".encode(), mode=0o600)
            write_bytes(self._path, f"{sequence}\n".encode())
