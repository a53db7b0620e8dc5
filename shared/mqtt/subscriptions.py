"""What a link wants to hear, and what the broker has granted. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Subscriptions:
    """The difference between the filters wanted and those asked for on this connection.

    Not locked: the link holds its own lock around every call.

    Attributes:
        refused: filters that the broker did not grant.
    """

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self._wanted: dict[str, int] = {}  # filter → QoS, in the order of asking
        self._asked: set[str] = set()
        self._pending: dict[int, tuple[str, ...]] = {}

    def want(self, filters: Iterable[str], *, qos: int) -> None:
        """Remember filters and the quality of service to ask for; asked anew if that changed."""
        for one in filters:
            if self._wanted.get(one, qos) != qos:
                self._asked.discard(one)
            self._wanted[one] = qos

    def drop(self, filters: Iterable[str]) -> None:
        """Forget filters."""
        for one in filters:
            self._wanted.pop(one, None)
            self.refused.discard(one)

    def connected(self, *, session_present: bool) -> None:
        """Start over on a new connection, unless the broker still holds the session."""
        if not session_present:
            self._asked.clear()
        else:
            # An answer that was still due may not have been given.
            self._asked.difference_update(*self._pending.values())
        self._pending.clear()
        self.refused.clear()

    def to_subscribe(self) -> dict[str, int]:
        """The filters wanted but not asked for, each with its QoS."""
        return {one: qos for one, qos in self._wanted.items() if one not in self._asked}

    def to_unsubscribe(self) -> tuple[str, ...]:
        """The filters asked for but no longer wanted."""
        return tuple(sorted(self._asked - self._wanted.keys()))

    def asked(self, packet: int, filters: Sequence[str]) -> None:
        """A SUBSCRIBE packet with this identifier went out."""
        self._asked.update(filters)
        self._pending[packet] = tuple(filters)

    def withdrawn(self, filters: Iterable[str]) -> None:
        """An UNSUBSCRIBE packet went out."""
        self._asked.difference_update(filters)

    def granted(self, packet: int, failures: Sequence[bool]) -> tuple[str, ...]:
        """The broker answered a SUBSCRIBE packet; returns the filters it refused."""
        filters = self._pending.pop(packet, ())
        refused = tuple(one for one, failed in zip(filters, failures, strict=False) if failed)
        self.refused.update(refused)
        return refused

    @property
    def settled(self) -> bool:
        """Whether everything wanted was asked for and answered."""
        return not self._pending and not self.to_subscribe()
