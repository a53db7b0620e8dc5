"""The slow work of a round, on one thread: checking updates, writing them, averaging them, writing the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aggregator.acceptance import Bounds, Refusal, check_tensors
from aggregator.aggregation import Aggregation, Measurements
from aggregator.checkpoints import Checkpoints
from aggregator.engine import Contribution
from aggregator.patience import Patience
from aggregator.receiver import Arrived
from aggregator.spool import Spool
from shared.crash_points import reach
from shared.errors import ProtocolError
from shared.messages import UpdateManifest
from shared.tensors import Tensors, encode_tensors, sha256_of


@dataclass(frozen=True)
class Examined:
    """An update was checked: it is in the spool, or refused."""

    device: str
    manifest: UpdateManifest
    refusal: Refusal | None


@dataclass(frozen=True)
class Garbled:
    """An update's chunks were all there, and together do not have its hash: none of them can be trusted."""

    device: str
    manifest: UpdateManifest
    reason: str


@dataclass(frozen=True, eq=False)
class Averaged:
    """A round's updates are averaged."""

    round: int
    weights: Tensors
    data: bytes
    sha256: str
    measurements: Measurements


@dataclass(frozen=True)
class Written:
    """A round's weights are on the disk."""

    round: int


@dataclass(frozen=True, eq=False)
class Broke:
    """A piece of work failed for a reason that no device is to blame for."""

    error: Exception


Outcome = Examined | Garbled | Averaged | Written | Broke


class Workbench:
    """Does one thing after the other, in the order asked for; the loop goes on meanwhile.

    Args:
        spool: for the updates.
        checkpoints: for the results.
        aggregation: how updates are averaged.
        bounds: what an update may be.
        post: takes each outcome; called on the workbench's thread.
        patience: for a disk that is full.
    """

    def __init__(
        self,
        *,
        spool: Spool,
        checkpoints: Checkpoints,
        aggregation: Aggregation,
        bounds: Bounds,
        post: Callable[[Outcome], None],
        patience: Patience,
    ) -> None:
        self._spool = spool
        self._checkpoints = checkpoints
        self._aggregation = aggregation
        self._bounds = bounds
        self._post = post
        self._patience = patience
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="workbench")

    def examine(self, arrived: Arrived, *, base: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Check an update's bytes and keep them in the spool; posts `Examined`, or `Garbled`.

        Args:
            arrived: whose chunks are all there.
            base: the weights that it started from.
            shapes: of the model's parameters.
        """
        self._do(lambda: self._examine(arrived, base, shapes))

    def average(self, round_number: int, contributions: tuple[Contribution, ...], *, base: Tensors) -> None:
        """Average a round from the spool; posts `Averaged`."""
        self._do(lambda: self._average(round_number, contributions, base))

    def write(self, round_number: int, data: bytes) -> None:
        """Make a round's weights durable; posts `Written`."""

        def work() -> Outcome:
            self._patience.insist(lambda: self._checkpoints.put(round_number, data))
            reach("weights written")
            return Written(round_number)

        self._do(work)

    def stop(self) -> None:
        """Finish the work under way, and drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _do(self, work: Callable[[], Outcome]) -> None:
        def guarded() -> None:
            try:
                outcome = work()
            except Exception as error:  # the loop decides what becomes of the run
                outcome = Broke(error)
            self._post(outcome)

        self._executor.submit(guarded)

    def _examine(self, arrived: Arrived, base: Tensors, shapes: Mapping[str, tuple[int, ...]]) -> Outcome:
        manifest = arrived.manifest
        try:
            data = arrived.assembly.take()
        except ProtocolError as error:
            return Garbled(arrived.device, manifest, str(error))
        refusal = check_tensors(data, shapes=shapes, base=base, bounds=self._bounds)
        if refusal is None:
            number, sha256 = manifest.round, manifest.blob.sha256
            self._patience.insist(
                lambda: self._spool.put(data, round_number=number, device=arrived.device, sha256=sha256)
            )
            reach("update spooled")
        return Examined(arrived.device, manifest, refusal)

    def _average(self, round_number: int, contributions: tuple[Contribution, ...], base: Tensors) -> Outcome:
        updates = self._spool.updates(contributions, round_number=round_number)
        aggregate = self._aggregation.combine(updates, base=base)
        data = encode_tensors(aggregate.weights)
        return Averaged(round_number, aggregate.weights, data, sha256_of(data), aggregate.measurements)
