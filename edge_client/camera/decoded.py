"""What is opened by OpenCV: pictures of a `cv2.VideoCapture`, one after the other."""

from __future__ import annotations

from typing import Any

from edge_client.camera.frame import Picture


class DecodedCapture:
    """The half of a `Capture` that is the same whatever was opened; how to open it is each kind's own."""

    def __init__(self) -> None:
        self._capture: Any = None
        self._first: Picture | None = None

    def next(self, *, skip: int = 0) -> Picture | None:
        """Return the next picture, after passing over some; None where there are no more, or not in time."""
        if self._capture is None:
            return None
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
        if self._capture is not None:
            self._capture.release()
            self._capture = self._first = None

    def _begin(self, capture: Any) -> bool:
        """Take over an opened capture with its first picture, which proves that it gives any.

        Returns:
            False where there is none; then the capture is let go.
        """
        self.close()
        got, picture = capture.read()
        if not got or picture is None or not picture.size:
            capture.release()
            return False
        self._capture, self._first = capture, picture
        return True
