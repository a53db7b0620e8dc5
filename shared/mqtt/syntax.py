"""What MQTT allows as a topic and as a filter (MQTT 5.0, section 4.7)."""

from __future__ import annotations

from shared.errors import ProtocolError

_LONGEST_BYTES = 65535


def check_topic(topic: str) -> None:
    """Refuse what cannot be published on.

    Raises:
        ProtocolError: empty, too long, or with a wildcard or a NUL in it.
    """
    if "+" in topic or "#" in topic or not _is_text(topic):
        raise ProtocolError(f"{topic[:80]!r} is not a topic to publish on: no wildcards, 1 to {_LONGEST_BYTES:,} bytes")


def check_filter(pattern: str) -> None:
    """Refuse what cannot be subscribed to.

    Raises:
        ProtocolError: empty, too long, or with a wildcard that is not a level of its own (``#`` only as the last).
    """
    levels = pattern.split("/")
    wild = [level for level in levels if "+" in level or "#" in level]
    if not _is_text(pattern) or any(level not in ("+", "#") for level in wild) or "#" in levels[:-1]:
        raise ProtocolError(f"{pattern[:80]!r} is not a topic filter: + is one level, # all the rest, each on its own")


def _is_text(text: str) -> bool:
    return 0 < len(text.encode(errors="replace")) <= _LONGEST_BYTES and "\0" not in text
