"""A page's server as its settings have it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from shared.web.page import Page
from shared.web.port import page_port
from shared.web.server import PageServer


class PageSettings(Protocol):
    """The settings that every page has, see `shared.web.page_fields`."""

    @property
    def page_host(self) -> str: ...

    @property
    def page_port(self) -> int | None: ...

    @property
    def token(self) -> str: ...


def page_server(
    page: Page, settings: PageSettings, *, usual_port: int, key_file: Path, trouble: Callable[[str], None]
) -> PageServer:
    """Make the server of a page; nothing happens before it is started.

    Args:
        page: what is served.
        settings: where it listens, and what opens it.
        usual_port: where it is unless a port is asked for, or this one is taken.
        key_file: where the key to the browsers' cookies is kept.
        trouble: told in one line what went wrong while the page was served.
    """
    return PageServer(
        page,
        host=settings.page_host,
        port=page_port(settings.page_host, settings.page_port, default=usual_port),
        token=settings.token,
        key_file=key_file,
        trouble=trouble,
    )
