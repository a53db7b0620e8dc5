"""Pictures for a command that owns its terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_client.pictures import read_picture
from edge_client.vision.trace import Picture


def load_quietly(path: Path) -> Picture:
    """Read a picture; what the decoders of JPEG and PNG write to the terminal meanwhile is dropped.

    Raises:
        DataError: it cannot be read; one line.
    """
    with _silent_stderr():
        return read_picture(path)


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Point file descriptor 2 elsewhere: libjpeg and libpng write to it, whatever Python's ``sys.stderr`` is."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
