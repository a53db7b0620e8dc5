"""What of a device faces a person: it reads, from its camera if it has one, serves its page, and takes corrections."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from edge_client.adoption import WeightsShelf
from edge_client.corrections import Corrections
from edge_client.service import Device
from shared.errors import InkfleetError

if TYPE_CHECKING:
    from edge_client.expression import Solver
    from edge_client.live import LiveReader
    from edge_client.reading import Recogniser
    from edge_client.reading_weights import ReadingWeights


class Front:
    """The part of a device that reads. What it needs is loaded at ``start``: a device that only trains stays small.

    Args:
        device: its folder is open when the front starts.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._shelf = WeightsShelf(device.folder.weights)
        self._open = ExitStack()
        self._following = threading.Lock()
        self._recogniser: Recogniser | None = None
        self._sha256 = ""
        self.url = ""
        """Where the page is; empty before the start."""

    def start(self) -> None:
        """Load the reader, open the camera, serve the page.

        Raises:
            SettingsError: the page's address or port cannot be had, or the source means nothing.
            DataError: the source is a file that is not there, or no picture or video.
            ModelError: no weights ship, and none were adopted.
        """
        from edge_client.expression import Solver
        from edge_client.page import DEFAULT_PORT
        from edge_client.page.backend import Backend
        from edge_client.page.device_page import device_page
        from edge_client.reading import Recogniser
        from shared.web.serving import page_server

        device, settings = self._device, self._device.settings
        with ExitStack() as stack:
            weights = self._weights()
            recogniser = Recogniser(weights.bundle, weights=weights.weights)
            self._note(weights)
            solver = stack.enter_context(Solver())
            live = self._live(recogniser, solver) if settings.source else None
            corrections = Corrections(
                device.open(), writer=settings.writer or settings.name, changed=device.samples_changed
            )
            stack.callback(corrections.close)
            server = page_server(
                device_page(Backend(recogniser, solver, device.open(), corrections, device.learning, live)),
                settings,
                usual_port=DEFAULT_PORT,
                key_file=device.folder.page_key,
                trouble=lambda line: device.tell({"event": "trouble", "reason": line}),
            )
            stack.enter_context(server)
            if live is not None:
                stack.enter_context(live)
            self._open = stack.pop_all()
        self.url = server.url
        device.tell({"event": "page", "url": server.url, "token": bool(settings.token)})
        self._recogniser = recogniser
        device.listen(self._observe)
        self._follow()  # what was adopted while all this was loaded

    def stop(self) -> None:
        """Let go of camera and port. Safe to call twice."""
        self._open.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _weights(self) -> ReadingWeights:
        from edge_client.reading_weights import adopted_weights, shipped_weights

        try:
            adopted = adopted_weights(self._shelf)
        except InkfleetError as error:
            self._device.tell({"event": "trouble", "reason": f"the adopted weights cannot be read with: {error}"})
            adopted = None
        return adopted or shipped_weights()

    def _live(self, recogniser: Recogniser, solver: Solver) -> LiveReader:
        from edge_client.camera import open_source
        from edge_client.live import LiveReader, say_weights

        learning = self._device.learning
        return LiveReader(
            # A device waits for its camera as it does for its broker, and what stands in for one has no end.
            open_source(self._device.settings.source, loop=True, patient=True),
            recogniser=recogniser,
            solver=solver,
            weights=lambda: say_weights(learning.reading),
        )

    def _observe(self, event: dict[str, Any]) -> None:
        if event["event"] == "adopted":
            # To load them takes a moment, and the device's thread has a round to follow.
            threading.Thread(target=self._follow, name="adoption", daemon=True).start()

    def _follow(self) -> None:
        """Read with the newest weights that were adopted."""
        from edge_client.reading_weights import adopted_weights

        with self._following:
            try:
                adopted = adopted_weights(self._shelf)
                if self._recogniser is not None and adopted is not None and adopted.sha256 != self._sha256:
                    self._recogniser.adopt(adopted.weights, bundle=adopted.bundle)
                    self._note(adopted)
            except InkfleetError as error:
                self._device.tell({"event": "trouble", "reason": f"the adopted weights cannot be read with: {error}"})

    def _note(self, weights: ReadingWeights) -> None:
        self._sha256 = weights.sha256
        self._device.learning.reads_with(weights.sha256, origin=weights.origin, run=weights.run, rounds=weights.rounds)
        self._device.tell(
            {
                "event": "reading",
                "weights_sha256": weights.sha256,
                "origin": weights.origin,
                "run": weights.run,
                "rounds": weights.rounds,
            }
        )
