"""What every kind of camera, stream, file or folder must be able to do."""

from __future__ import annotations

from typing import Protocol

from edge_client.camera.frame import Picture


class Capture(Protocol):
    """Gives pictures one after the other. It may block, and it is used by one thread at a time.

    Attributes:
        name: for a person to read, in one line; without a password.
        title: what the last picture is of, as it is named elsewhere: a file's path, a device, an address without a
            password.
        live: the world goes on whether or not it is looked at. Such a source has no end: when its pictures cease it
            was lost, and is opened again.
        still: its pictures are pictures of their own, and no frames of a film.
        interval_s: the time between two pictures, in seconds, known once it is open; 0 where the source itself
            sets the pace.
    """

    name: str
    title: str
    live: bool
    still: bool
    interval_s: float

    def open(self) -> None:
        """Begin, or begin again from the first picture.

        Raises:
            DataError: there is no picture to be had from a file or folder.
            RunError: a camera or stream is absent, in use, forbidden, or silent.
        """

    def next(self, *, skip: int = 0) -> Picture | None:
        """Return the next picture, after passing over ``skip``; None where there are no more.

        Raises:
            DataError: this one picture cannot be read; the next may.
        """

    def close(self) -> None:
        """Let go of whatever is held; not an error where nothing is."""
