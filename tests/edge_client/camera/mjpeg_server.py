"""A network camera for tests: Motion JPEG by HTTP, which can be unplugged and plugged in again."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import cv2
import numpy as np

LEVELS = (40, 90, 140, 190)


class MjpegServer:
    """Serves pictures of one grey after the other, over and over, as fast as they are taken."""

    def __init__(self) -> None:
        self.plugged = threading.Event()
        self.plugged.set()
        self._unplugged = threading.Event()
        pictures = [np.full((48, 64, 3), level, np.uint8) for level in LEVELS]
        self._jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in pictures]
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera.serve(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where the stream is, with a password in it."""
        return f"http://user:secret@127.0.0.1:{self._server.server_address[1]}/stream"

    def unplug(self) -> None:
        """End every stream, and refuse new ones."""
        self.plugged.clear()
        self._unplugged.set()

    def plug_in(self) -> None:
        """Be there again."""
        self._unplugged.clear()
        self.plugged.set()

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request with pictures until they are not wanted any more."""
        if not self.plugged.is_set():
            request.send_error(503)
            return
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
        request.end_headers()
        count = 0
        try:
            while not self._unplugged.wait(0.005):
                jpeg = self._jpegs[count % len(self._jpegs)]
                head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                request.wfile.write(head.encode() + jpeg + b"\r\n")
                count += 1
        except OSError:
            pass

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
