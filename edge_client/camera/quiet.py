"""OpenCV and FFmpeg write what they stumble over to stderr; our own messages say it better."""

from __future__ import annotations

import os
from types import ModuleType


def quiet_cv2() -> ModuleType:
    """Import OpenCV with its log and FFmpeg's turned off, unless a person has turned one on; return it.

    ``OPENCV_LOG_LEVEL`` and ``OPENCV_FFMPEG_LOGLEVEL`` are the variables with which OpenCV itself is told.
    """
    wanted = "OPENCV_LOG_LEVEL" in os.environ
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    import cv2

    if not wanted:
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    module: ModuleType = cv2
    return module
