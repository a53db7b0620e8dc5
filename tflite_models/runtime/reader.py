"""The frozen reader: samples in, probabilities out, with weights that can be replaced while it is in use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError
from shared.sample import ink_points
from tflite_models.bundle import ModelBundle
from tflite_models.manifest import Manifest
from tflite_models.runtime.interpreter import open_interpreter
from tflite_models.runtime.weights import Weights, check_weights


class FrozenReader:
    """Reads samples with constant weights.

    The weights are written into the constants of the flatbuffer, at the places that the manifest names, and a fresh
    interpreter on those bytes takes the place of the old one. A ``read`` that is under way finishes on the weights it
    began with; one thread may read while another adopts, but two threads must not read at once.

    Args:
        bundle: the model.
        weights: to adopt at once.
        threads: CPU threads of one inference.

    Raises:
        ModelError: the weights are those of another model, or LiteRT cannot load the reader.
    """

    def __init__(self, bundle: ModelBundle, *, weights: Weights | None = None, threads: int = 1) -> None:
        self._manifest = bundle.manifest
        self._template = bundle.reader
        self._threads = threads
        self._runners: dict[int, Any] | None = None
        if weights is not None:
            self.adopt(weights)

    @property
    def manifest(self) -> Manifest:
        """What the model is."""
        return self._manifest

    def adopt(self, weights: Weights) -> None:
        """Read with these weights from now on.

        Raises:
            ModelError: they are the weights of another model, or not finite.
        """
        checked = check_weights(self._manifest, weights)
        data = bytearray(self._template)
        for place in self._manifest.reader_constants:
            values = np.ascontiguousarray(checked[place.parameter].transpose(place.axes), dtype="<f4")
            end = place.offset_bytes + values.nbytes
            if end > len(data):
                raise ModelError(f"the reader has no room for {place.parameter!r}; fetch or build the model again")
            data[place.offset_bytes : end] = values.tobytes()
        interpreter = open_interpreter(bytes(data), name=self._manifest.reader.name, threads=self._threads)
        self._runners = {
            batch: interpreter.get_signature_runner(f"read_{batch}") for batch in self._manifest.reader_batches
        }

    def read(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the probability of every class, ``(n, classes) float32``, for samples ``(n, 45, 45) uint8``.

        Raises:
            ModelError: no weights were adopted.
            DataError: the images are no samples.
        """
        return self._run(images, "probabilities")

    def logits(self, images: NDArray[np.uint8], *, size: float = 1.0) -> NDArray[np.float32]:
        """Return what the softmax is taken of, ``(n, classes) float32``.

        Args:
            images: as for ``read``.
            size: that they are drawn at for the network, as a share of the picture's.

        Raises:
            ModelError: no weights were adopted.
            DataError: the images are no samples.
        """
        return self._run(images, "logits", size=size)

    def _run(self, images: NDArray[np.uint8], output: str, *, size: float = 1.0) -> NDArray[np.float32]:
        runners = self._runners
        if runners is None:
            raise ModelError(f"model {self._manifest.name!r} has no weights yet; call adopt first")
        x = ink_points(images).scaled(size).drawn()
        out = np.empty((len(x), len(self._manifest.labels)), np.float32)
        small, large = min(runners), max(runners)
        start = 0
        while start < len(x):
            rest = len(x) - start
            # A padded large batch costs as much as a full one, which is what about 28 single ones of 32 cost (x86-64).
            batch = large if rest * 8 > large * 7 else small
            part = x[start : start + batch]
            if len(part) < batch:
                part = np.concatenate([part, np.zeros((batch - len(part), *x.shape[1:]), np.float32)])
            taken = min(batch, rest)
            out[start : start + taken] = runners[batch](x=part)[output][:taken]
            start += taken
        return out
