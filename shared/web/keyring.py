"""The token that opens a page from other machines: who has it, and who guesses."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from shared.web.access import network_of

_COOKIE = "inkfleet-page"

GUESSES = 8
"""So many wrong tokens from one address are heard within `GUESS_WINDOW_S`; then it has to wait."""

GUESS_WINDOW_S = 60.0

_MOST_ADDRESSES = 1024
_KEY_BYTES = 32


class Keyring:
    """Knows the token. The cookie that a browser keeps is made from it, and does not tell it.

    Nor can it be made from a guessed token: cookies are not counted as guesses are, and would be a way round that.

    Args:
        token: what a person has to know; empty if the page is open to this machine alone.
        key: of the cookie, known to nobody; see `cookie_key`.
    """

    def __init__(self, token: str, *, key: bytes) -> None:
        self._token = token.encode("utf-8", "replace")
        self._key = key

    @property
    def needed(self) -> bool:
        """Whether a token is asked for."""
        return bool(self._token)

    @property
    def cookie_name(self) -> str:
        """What the cookie is called: its own name for each page, for a browser keeps cookies by host and not by port.

        A device's page and an aggregator's on one machine would otherwise log each other's visitors out.
        """
        return f"{_COOKIE}-{hmac.new(self._key, b'inkfleet page cookie name', hashlib.sha256).hexdigest()[:8]}"

    @property
    def cookie(self) -> str:
        """What a browser that was let in keeps."""
        return hmac.new(self._key, b"inkfleet page cookie 2 " + self._token, hashlib.sha256).hexdigest()

    def opens(self, token: str) -> bool:
        """Return whether this is the token, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(
            hashlib.sha256(token.encode("utf-8", "replace")).digest(), hashlib.sha256(self._token).digest()
        )

    def admits(self, cookie: str) -> bool:
        """Return whether a browser was let in before."""
        return hmac.compare_digest(cookie.encode("utf-8", "replace"), self.cookie.encode())


def cookie_key(file: Path | None) -> bytes:
    """Return the key in a file that its owner alone can read; make both where there is none.

    A key that cannot be kept is good for as long as the page is served.
    """
    with suppress(OSError):
        if file is not None and len(kept := file.read_bytes()[: _KEY_BYTES + 1]) == _KEY_BYTES:
            return kept
    key = secrets.token_bytes(_KEY_BYTES)
    if file is not None:
        with suppress(OSError):
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(key)
    return key


class Guesses:
    """Counts wrong tokens by the address that they came from; a network of version 6 counts as one address.

    Args:
        clock: monotonic, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Return how long nothing more is heard from this address, in seconds; 0 if it may try."""
        times = self._recent(address)
        return 0.0 if len(times) < GUESSES else times[0] + GUESS_WINDOW_S - self._clock()

    def count(self, address: str) -> None:
        """Count a wrong token."""
        times = self._recent(address)
        times.append(self._clock())
        self._wrong[network_of(address)] = times[-GUESSES:]
        self._wrong.move_to_end(network_of(address))
        while len(self._wrong) > _MOST_ADDRESSES:
            self._wrong.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - GUESS_WINDOW_S
        return [at for at in self._wrong.get(network_of(address), []) if at > since]
