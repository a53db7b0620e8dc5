"""``inkfleet live``: read a camera, stream, video or folder as it runs."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import rich_click as click

from deploy.cli.options import settings_options
from deploy.cli.telling import write_plainly
from edge_client.live.settings import LiveSettings

if TYPE_CHECKING:
    from edge_client.expression import Solver
    from edge_client.expression.value import Value
    from edge_client.learning import Learning
    from edge_client.live import LiveFrame, LiveReader
    from edge_client.live.announcer import Announcer
    from edge_client.live.window import Window
    from edge_client.reading import Recogniser
    from shared.web.server import PageServer

_POLL_S = 0.03
_QUIETLY_POLL_S = 0.25


@click.command()
@settings_options(LiveSettings)
@click.option("--json", "as_json", is_flag=True, help="Write every new reading as a line of JSON, and nothing else.")
def command(settings: LiveSettings, *, as_json: bool) -> None:
    """Read handwriting from a camera, a stream, a video or a folder of pictures, as it runs.

    What is read is drawn on the picture: in a window where there is a display, on a page for the browser where there
    is none. In the window, space pauses and q ends; Ctrl-C ends everywhere. On the page, what was misread can be
    corrected. A camera that is lost is opened again. A video that has ended stays on view; with --json, or where
    nobody can see it, the command ends with it.

    Examples: inkfleet live --source 0

    Examples: inkfleet live --source clip.mp4 --json --no-page --no-window
    """
    from edge_client.camera import open_source
    from edge_client.expression import Solver
    from edge_client.learning import Learning
    from edge_client.live import LiveReader, say_weights
    from edge_client.live.announcer import Announcer

    say = _Speech(as_json=as_json)
    with ExitStack() as stack:
        window = _window(settings, say)
        if window is not None:
            stack.callback(window.close)
        page = settings.page if settings.page is not None else window is None
        unseen = window is None and not page
        source = open_source(
            settings.source,
            size=settings.camera_size(),
            pace_s=settings.pace_s,
            loop=settings.loop,
            every=settings.every_frame or unseen,
            on_trouble=lambda line: say.aside(line or "pictures come again") if line or source.live else None,
        )
        learning = Learning()
        recogniser = _recogniser(settings, learning)
        solver = stack.enter_context(Solver())
        announcer = stack.enter_context(Announcer(solver, tell=say.reading))
        live = LiveReader(
            source,
            recogniser=recogniser,
            solver=solver,
            weights=lambda: say_weights(learning.reading),
            on_update=announcer.add,
        )
        if page:
            served = stack.enter_context(_page(settings, recogniser, solver, learning, live, say))
            say.aside(f"page: {served.url}")
        stack.enter_context(live)
        say.aside(f"reading {source.name}" + (" (space pauses, q ends)" if window is not None else ""))
        _look(live, window, announcer, say, ends=as_json or unseen)


def _look(live: LiveReader, window: Window | None, announcer: Announcer, say: _Speech, *, ends: bool) -> None:
    """Show what there is to see until a person has had enough, or there is no more."""
    from shared.errors import DataError

    seq, status = 0, ""
    while True:
        frame = live.wait(seq, _POLL_S if window is not None else _QUIETLY_POLL_S)
        for failure in (live.failure, announcer.failure):
            if failure is not None:
                raise failure
        if frame is not None:
            if window is not None and frame.seq != seq:
                window.show(frame.picture)
            # The source has told of its own troubles, each once; they may have passed before a frame shows them.
            if frame.status not in (status, "", "paused", live.source.trouble):
                say.aside(frame.status)
            status = frame.status
            seq = frame.seq
        elif live.ended:
            # Why has been told of each of them.
            raise DataError(f"{live.source.name} gave no picture that can be read")
        if window is not None:
            for key in window.pressed():
                if key in ("q", "escape"):
                    return
                if key == "space":
                    live.pause(not live.paused)
            if window.closed:
                return
        if live.ended and ends:
            return


class _Speech:
    """What the command says: readings to stdout, and beside them, for a person, how it goes."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._begun = time.monotonic()
        self._lock = threading.Lock()

    def reading(self, frame: LiveFrame, values: tuple[Value, ...]) -> None:
        """Tell of a new stable reading."""
        from edge_client.expression import text_of
        from edge_client.live.overlay import beside
        from edge_client.reading_json import as_json

        lines = frame.reading.lines if frame.reading is not None else ()
        with self._lock:
            if self._as_json:
                said = {"file": frame.title, "lines": []}
                if frame.reading is not None:
                    said = as_json(frame.reading, values, frame.title)
                click.echo(json.dumps(said | {"time_s": round(time.monotonic() - self._begun, 3)}))
                return
            for line, value in zip(lines, values, strict=True):
                text = "   ".join(
                    filter(None, [text_of(line.row), beside(line, value), f"({line.confidence:.0%} sure)"])
                )
                write_plainly(text)

    def aside(self, line: str) -> None:
        """Say how it goes."""
        with self._lock:
            if self._as_json:
                click.echo(line, err=True)
            else:
                write_plainly(line)


def _window(settings: LiveSettings, say: _Speech) -> Window | None:
    if not settings.window:
        return None
    from edge_client.camera.stream import without_password
    from edge_client.live.window import NoWindowError, open_window

    try:
        return open_window(f"Inkfleet: {without_password(settings.source)}")
    except NoWindowError as error:
        say.aside(f"no window: {error}")
        return None


def _recogniser(settings: LiveSettings, learning: Learning) -> Recogniser:
    import cv2

    from deploy.reading.recogniser import open_recogniser
    from shared.tensors import sha256_of
    from tflite_models.shipped_weights import default_weights_path

    cv2.setNumThreads(settings.threads)
    recogniser = open_recogniser(settings.labels, weights=settings.weights, threads=settings.threads)
    path = settings.weights or default_weights_path(settings.labels)
    learning.reads_with(sha256_of(path.read_bytes()), origin="shipped" if settings.weights is None else "file")
    return recogniser


@contextmanager
def _page(
    settings: LiveSettings,
    recogniser: Recogniser,
    solver: Solver,
    learning: Learning,
    live: LiveReader,
    say: _Speech,
) -> Iterator[PageServer]:
    """Serve the page, on a store of its own: what is corrected there is kept for a device to be started with."""
    from edge_client.corrections import Corrections
    from edge_client.device_folder import DeviceFolder
    from edge_client.page import DEFAULT_PORT
    from edge_client.page.backend import Backend
    from edge_client.page.device_page import device_page
    from edge_client.sample_store import SampleStore
    from shared.web.serving import page_server

    with ExitStack() as stack:
        folder = stack.enter_context(DeviceFolder(settings.store_folder()))
        store = SampleStore.open(folder.samples)
        stack.callback(store.close)
        if store.notice:
            say.aside(store.notice)
        corrections = Corrections(store, writer="live")
        stack.callback(corrections.close)
        backend = Backend(recogniser, solver, store, corrections, learning, live)
        yield stack.enter_context(
            page_server(
                device_page(backend),
                settings,
                usual_port=DEFAULT_PORT,
                key_file=folder.page_key,
                trouble=say.aside,
            )
        )
