"""The settings that every page has: where it listens, and what opens it."""

from __future__ import annotations

from typing import Any

from pydantic import Field


def host_field() -> Any:
    """The setting ``page_host``, a string."""
    return Field(default="127.0.0.1", description="the address that the page listens at")


def port_field(*, usual: int) -> Any:
    """The setting ``page_port``, a whole number or None; see `shared.web.port.page_port`."""
    return Field(
        default=None,
        ge=0,
        le=65535,
        description=f"the port of the page; without it, {usual}, or a free one where that is taken",
    )


def token_field() -> Any:
    """The setting ``token``, a string; see `shared.web.access.check_access`."""
    return Field(
        default="",
        description="what a browser has to know to open the page; needed where it listens to more than this machine",
    )
