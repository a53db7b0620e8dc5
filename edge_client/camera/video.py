"""A video file, whatever FFmpeg can decode."""

from __future__ import annotations

from pathlib import Path

from edge_client.camera.decoded import DecodedCapture
from edge_client.camera.quiet import quiet_cv2
from shared.errors import DataError

_LIKELY_FPS = (1.0, 240.0)
_USUAL_FPS = 25.0


class VideoFile(DecodedCapture):
    """A video by its path, at its own pace.

    Args:
        path: the file.
        pace_s: the time between two pictures, in seconds; None for the video's own.
    """

    live = False
    still = False

    def __init__(self, path: Path, *, pace_s: float | None = None) -> None:
        super().__init__()
        self.title = str(path)
        self.name = f"video {path}"
        self.interval_s = pace_s or 0.0
        self._path = path
        self._pace_s = pace_s

    def open(self) -> None:
        """Begin at the first picture."""
        self.close()
        try:
            if not self._path.is_file():
                raise DataError(f"{self.name} is no file")
            self._path.open("rb").close()
        except OSError as error:
            raise DataError(f"{self.name}: {error.strerror or error}") from None
        if not self._path.stat().st_size:
            raise DataError(f"{self.name} is empty")
        cv2 = quiet_cv2()
        # As a path with a colon or a percent sign would be an address or a pattern to FFmpeg, it is made absolute.
        capture = cv2.VideoCapture("file:" + str(self._path.resolve()), cv2.CAP_FFMPEG)
        opened = capture.isOpened()
        if not self._begin(capture):
            why = "has no picture that can be decoded" if opened else "is no video that can be decoded"
            raise DataError(f"{self.name} {why}; convert it to H.264 in MP4, or give a picture or folder")
        if self._pace_s is None:
            fps = float(capture.get(cv2.CAP_PROP_FPS))
            self.interval_s = 1 / (fps if _LIKELY_FPS[0] <= fps <= _LIKELY_FPS[1] else _USUAL_FPS)
