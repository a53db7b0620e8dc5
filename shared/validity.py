"""Until when a certificate or a password is good: as text in a file, and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.errors import SettingsError

WARN_DAYS = 30
"""So many days before a certificate expires, it is said at every start."""


def validity_in_words(not_before: datetime, not_after: datetime, *, now: datetime) -> str:
    """Say what is wrong with a time of validity, or soon will be; empty when nothing is for `WARN_DAYS`."""
    clock = f"this machine's clock says {now:%Y-%m-%d %H:%M} UTC: is it right?"
    if now < not_before:
        return f"is not valid before {not_before:%Y-%m-%d %H:%M} UTC; {clock}"
    if now >= not_after:
        return f"expired on {not_after:%Y-%m-%d %H:%M} UTC; {clock}"
    if now >= not_after - timedelta(days=WARN_DAYS):
        days = (not_after - now).days
        return f"expires in {days} day{'' if days == 1 else 's'}, on {not_after:%Y-%m-%d %H:%M} UTC"
    return ""


def format_time(moment: datetime) -> str:
    """Write a time as ``2027-01-31T08:00:00Z`` (RFC 3339)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: Any, *, where: str) -> datetime:
    """Read a time that `format_time` wrote.

    Raises:
        SettingsError: it is none; ``where`` begins the message.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise SettingsError(f"{where} is damaged: expected a time like 2027-01-31T08:00:00Z, got {text!r}") from None
