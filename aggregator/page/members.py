"""Who was enrolled in the fleet, for a page to show: read from the roster beside the aggregator's identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from shared import enrolled
from shared.errors import SettingsError

if TYPE_CHECKING:
    from shared.roster import Member

Validity = Literal["valid", "soon", "expired"]


@dataclass(frozen=True)
class Membership:
    """How a device stands in the roster.

    Attributes:
        revoked: it belongs to the fleet no more.
        expires: the day its newest credentials expire: ``2027-05-01``.
        validity: ``soon`` while that is no more than `shared.validity.WARN_DAYS` away.
    """

    revoked: bool
    expires: str
    validity: Validity


class Members:
    """Reads the roster again when its file changes. Use it from one thread at a time.

    Args:
        identity: the aggregator's identity; None for a fleet that enrols nobody, which has no members to show.
        clock: gives the time, with its zone.
    """

    def __init__(self, identity: Path | None, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._identity = identity
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._members: dict[str, Member] = {}
        self._trouble = ""

    def look(self) -> dict[str, Membership]:
        """Return how every enrolled device stands, by name."""
        if self._identity is None:
            return {}
        self._refresh(self._identity)
        return {name: self._standing(member) for name, member in self._members.items()}

    def notices(self) -> list[str]:
        """Return what a person should know of identity and roster, a line each."""
        try:
            said = list(enrolled.notices(self._identity, role="aggregator", now=self._clock()))
        except SettingsError as error:
            said = [str(error)]
        return [*said, self._trouble] if self._trouble else said

    def _refresh(self, identity: Path) -> None:
        from shared.roster import FILE_NAME, RosterList

        file = (identity if identity.is_dir() else identity.parent) / FILE_NAME
        try:
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._stamp = stamp
                self._members = dict(RosterList.load(file).members)
                self._trouble = ""
        except OSError as error:
            self._stamp = None
            self._trouble = f"roster {file} cannot be read: {error.strerror}; what was read before is shown"
        except SettingsError as error:
            self._trouble = f"{error}; what was read before is shown"

    def _standing(self, member: Member) -> Membership:
        from shared.validity import WARN_DAYS

        left = member.not_after - self._clock()
        validity: Validity = "valid"
        if left <= timedelta():
            validity = "expired"
        elif left <= timedelta(days=WARN_DAYS):
            validity = "soon"
        return Membership(member.revoked, f"{member.not_after:%Y-%m-%d}", validity)
