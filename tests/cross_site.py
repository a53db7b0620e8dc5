"""Requests as a browser sends them for a page of another site, or of none."""

from __future__ import annotations

CROSS_SITE = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "none"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"origin": "http://[half"},
    {"sec-fetch-site": "cross-site", "origin": "{own}"},
]
"""The headers of each; ``{own}`` stands for the address that the request goes to."""


def sent_to(address: str, headers: dict[str, str]) -> dict[str, str]:
    """Return headers with the address that they are sent to filled in."""
    return {name: value.replace("{own}", address.rstrip("/")) for name, value in headers.items()}
