"""An open `cv2.VideoCapture` whose first picture is there already, which proves that it gives any."""

from __future__ import annotations

from typing import Any

from edge_client.camera.frame import Picture


class Decoder:
    """Gives the pictures of an open capture; see `first_of`."""

    def __init__(self, capture: Any, *, first: Picture) -> None:
        self._capture = capture
        self._first: Picture | None = first

    def next(self, *, skip: int = 0) -> Picture | None:
        """Return the next picture, after passing over some; None where there are no more, or not in time."""
        for _ in range(skip):
            if self._first is not None:
                self._first = None
            elif not self._capture.grab():
                return None
        if self._first is not None:
            picture, self._first = self._first, None
            return picture
        got, picture = self._capture.read()
        return picture if got else None

    def close(self) -> None:
        """Let go of the file, device or connection."""
        self._capture.release()


def first_of(capture: Any) -> Decoder | None:
    """Take the first picture of a capture; None where there is none, and then the capture is let go."""
    got, picture = capture.read()
    if not got or picture is None or not picture.size:
        capture.release()
        return None
    return Decoder(capture, first=picture)
