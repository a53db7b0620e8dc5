"""A model as it is stored and sent: the manifest and the two programs that it names by hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from shared.bounded_files import read_bounded
from shared.errors import ModelError
from shared.files import write_bytes
from tflite_models.manifest import FileSpec, Manifest, parse_manifest

MANIFEST_FILE = "manifest.json"
PROGRAM_FILE = "train.tflite"
READER_FILE = "reader.tflite"

MOST_FILE_BYTES = 512 << 20
"""A larger file is refused before it is read: the runtime holds a program in memory."""

_ARTEFACTS = Path(__file__).resolve().parent / "artefacts"


@dataclass(frozen=True)
class ModelBundle:
    """A manifest with the programs that it describes; the hashes were checked.

    Attributes:
        manifest: what the model is.
        manifest_bytes: the exact bytes of ``manifest.json``.
        program: the training program, a TFLite flatbuffer.
        reader: the frozen reader, a TFLite flatbuffer.
    """

    manifest: Manifest
    manifest_bytes: bytes
    program: bytes
    reader: bytes

    @property
    def sha256(self) -> str:
        """The identity of the model: the hash of its manifest, which holds the hashes of the programs."""
        return hashlib.sha256(self.manifest_bytes).hexdigest()

    @classmethod
    def load(cls, folder: Path) -> ModelBundle:
        """Read a model from its folder.

        Raises:
            ModelError: a file is missing, or is not the one that the manifest names.
        """
        return cls.from_bytes(
            manifest=_read(folder / MANIFEST_FILE),
            program=_read(folder / PROGRAM_FILE),
            reader=_read(folder / READER_FILE),
        )

    @classmethod
    def from_bytes(cls, *, manifest: bytes, program: bytes, reader: bytes) -> ModelBundle:
        """Put a model together from bytes, from disk or off the wire.

        Raises:
            ModelError: the manifest is unusable, or a program is not the one that it names.
        """
        parsed = parse_manifest(manifest)
        for spec, data in ((parsed.program, program), (parsed.reader, reader)):
            _check_file(spec, data)
        return cls(manifest=parsed, manifest_bytes=manifest, program=program, reader=reader)

    def save(self, folder: Path) -> None:
        """Write the model to a folder; the manifest comes last, so that a folder with one is complete.

        Raises:
            StorageError: the folder cannot be written, or the disk is full.
        """
        write_bytes(folder / PROGRAM_FILE, self.program)
        write_bytes(folder / READER_FILE, self.reader)
        write_bytes(folder / MANIFEST_FILE, self.manifest_bytes)


def builtin_names() -> tuple[str, ...]:
    """Name the models that ship with Inkfleet: one per label set."""
    return tuple(sorted(path.parent.name for path in _ARTEFACTS.glob(f"*/{MANIFEST_FILE}")))


def builtin_folder(label_set: str) -> Path:
    """Name the folder of the model that ships for a label set."""
    return _ARTEFACTS / label_set


def builtin_bundle(label_set: str) -> ModelBundle:
    """Load the model that ships for a label set.

    Raises:
        ModelError: none ships for it; the message names those that do.
    """
    if label_set not in builtin_names():
        raise ModelError(f"no model ships for {label_set!r}; choose {', '.join(builtin_names())}, or build one")
    return ModelBundle.load(builtin_folder(label_set))


def _read(path: Path) -> bytes:
    return read_bounded(path, what="model file", most_bytes=MOST_FILE_BYTES, error=ModelError)


def _check_file(spec: FileSpec, data: bytes) -> None:
    if len(data) != spec.size_bytes:
        raise ModelError(f"{spec.name}: expected {spec.size_bytes} bytes, got {len(data)}; fetch or build it again")
    found = hashlib.sha256(data).hexdigest()
    if found != spec.sha256:
        raise ModelError(
            f"{spec.name}: expected sha256 {spec.sha256[:12]}…, got {found[:12]}…; fetch or build it again"
        )
