"""The pages' own files, all of them, read once: a name that is not in a page's table does not exist."""

from __future__ import annotations

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file of a page.

    Attributes:
        body: its bytes.
        media_type: what it is.
    """

    body: bytes
    media_type: str

    @cached_property
    def etag(self) -> str:
        """Changes whenever the file does."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'

    @cached_property
    def packed(self) -> bytes:
        """The bytes, compressed with gzip."""
        return gzip.compress(self.body, mtime=0)


def read_assets(package: str) -> dict[str, Asset]:
    """Read the folder ``assets`` of a package; files of other kinds are left where they are."""
    folder = files(package).joinpath("assets")
    return {
        file.name: Asset(file.read_bytes(), media_type)
        for file in folder.iterdir()
        for suffix, media_type in _TYPES.items()
        if file.name.endswith(suffix)
    }


ASSETS = read_assets("shared.web")
"""What all pages have in common, by name: the look, the login, and how a page speaks with its server."""

LOGIN_ASSETS = frozenset(re.findall(r"/assets/([\w.-]+)", ASSETS["login.html"].body.decode()))
"""What the login form is made of: whoever has no token yet may load these files, and no others."""
