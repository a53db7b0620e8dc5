"""A guard against old rounds: a broker that was broken into still has every manifest that was ever signed."""

from __future__ import annotations

from pathlib import Path

from shared.errors import ProtocolError
from shared.files import write_bytes
from shared.rising_numbers import written


class RollbackGuard:
    """Refuses round manifests older than one that was followed, also after a restart.

    Without it, whoever holds the broker could have the fleet go back to weights of last year, rightly signed. What it
    goes by is the manifest's own sequence number; this device's clock, which may be hours off, has no say.

    Args:
        path: the file with the newest sequence number.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._newest: int | None = None

    def admit(self, sequence: int, *, topic: str) -> None:
        """Note a manifest's sequence number, if it is no older than the newest.

        Raises:
            ProtocolError: it is older.
            StorageError: it cannot be written down.
        """
        if self._newest is None:
            self._newest = written(self._path)
        if sequence < self._newest:
            raise ProtocolError(
                f"{topic}: the round manifest {sequence} is older than {self._newest}, which was followed before; "
                "was the aggregator's clock set back, or its folder lost?"
            )
        if sequence > self._newest:
            # Held to from here on, also where it cannot be written down.
            self._newest = sequence
            write_bytes(self._path, f"{sequence}\n".encode())
