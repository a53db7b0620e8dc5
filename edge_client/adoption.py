"""The newest global weights that are good enough for this device, on its disk for whoever reads with them.

They are checked on the device's own hold-out against those it has. Worse ones are kept out, and that is said.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from shared.errors import StorageError
from shared.files import write_bytes
from shared.messages import Score
from shared.tensors import sha256_of

FEWEST_HELD = 10
"""Fewer samples held out than this tell nothing about weights: then new ones are taken unchecked."""


@dataclass(frozen=True)
class AdoptedWeights:
    """What lies beside the adopted weights, and where they came from."""

    weights_sha256: str
    model_sha256: str
    run: str
    round: int


@dataclass(frozen=True)
class Judgement:
    """Whether weights are adopted, and the two scores that decided it (None where nothing was compared)."""

    adopt: bool
    new: Score | None
    current: Score | None


def judge(new: Score | None, current: Score | None, *, tolerance: float) -> Judgement:
    """Decide: new weights may read the hold-out worse than the current ones by ``tolerance`` of accuracy, no more."""
    told = new is not None and current is not None and new.samples >= FEWEST_HELD
    worse = told and new is not None and current is not None and new.accuracy < current.accuracy - tolerance
    return Judgement(not worse, new, current)


class WeightsShelf:
    """The folder with the adopted weights: ``current.safetensors``, and ``current.json`` that says what they are.

    The JSON file names the hash of the other: where they do not belong together, a crash came between, and there are
    no adopted weights until the next are.
    """

    def __init__(self, folder: Path) -> None:
        self.weights_path = folder / "current.safetensors"
        self._label_path = folder / "current.json"

    def current(self) -> AdoptedWeights | None:
        """Return what is adopted; None if nothing is, or its files do not belong together.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        found = self._load()
        return found[0] if found else None

    def read(self) -> bytes | None:
        """Return the adopted weights' safetensors file; None if nothing is adopted.

        Raises:
            StorageError: a file is there and cannot be read.
        """
        found = self._load()
        return found[1] if found else None

    def adopt(self, label: AdoptedWeights, blob: bytes) -> None:
        """Put weights in place of the current ones.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        write_bytes(self.weights_path, blob)
        write_bytes(self._label_path, json.dumps(asdict(label), indent=1).encode() + b"\n")

    def _load(self) -> tuple[AdoptedWeights, bytes] | None:
        try:
            label = AdoptedWeights(**json.loads(self._label_path.read_bytes()))
            blob = self.weights_path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"cannot read {error.filename}: {error.strerror or error}") from None
        except (ValueError, TypeError):
            return None
        return (label, blob) if sha256_of(blob) == label.weights_sha256 else None
