"""What the loop is told by its own process, apart from the workbench's outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aggregator.workbench import Outcome
from shared.messages import Score


@dataclass(frozen=True)
class LinkUp:
    """The broker has us, for the first time or again; the connection has this session number."""

    session: int


@dataclass(frozen=True)
class LinkDown:
    """The connection was lost."""

    reason: str


@dataclass(frozen=True)
class Scored:
    """A round was evaluated, or could not be."""

    round: int
    score: Score | Exception


@dataclass(frozen=True)
class Said:
    """An event of another thread, which the log is to be told."""

    kind: str
    fields: dict[str, Any]


News = LinkUp | LinkDown | Scored | Said | Outcome
