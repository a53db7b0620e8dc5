"""How long to believe a connection on which nobody says anything. No I/O."""

from __future__ import annotations


class Silence:
    """Asks for another connection after ``first_s`` of silence, then after twice as long, and so on.

    A connection may live and carry nothing: a broker sends no more than so many messages that we have not acknowledged,
    and one that got lost is neither acknowledged nor sent again. Whoever is silent may as well have nothing to say, so
    that patience grows; what is heard ends it.

    Args:
        first_s: see above, in seconds.
        cap_s: the longest patience, in seconds.
    """

    def __init__(self, *, first_s: float = 60.0, cap_s: float = 3600.0) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._since: float | None = None
        self._patience_s = first_s

    def heard(self, now: float) -> None:
        """Somebody said something."""
        self._since, self._patience_s = now, self._first_s

    def over(self, now: float) -> bool:
        """Whether to connect anew; once for each silence, and again after twice the time."""
        if self._since is None:
            self._since = now
        if now < self._since + self._patience_s:
            return False
        self._since, self._patience_s = now, min(2 * self._patience_s, self._cap_s)
        return True
