"""What the lines that are shown come to, worked out beside the reading: a hard equation holds up no frame."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from edge_client.expression.row import Row
from edge_client.expression.text import text_of
from edge_client.expression.value import Value

_KEPT = 256


class Solves(Protocol):
    """Says what an expression comes to; see `edge_client.expression.Solver`."""

    def value(self, row: Row) -> Value:
        """Return it; for every row, and in bounded time."""


class Valuation:
    """Solves the rows that were asked for last, in a thread of its own.

    Args:
        solver: who knows.
        on_news: told, on that thread, that a value is there.
    """

    def __init__(self, solver: Solves, *, on_news: Callable[[], None]) -> None:
        self._solver = solver
        self._on_news = on_news
        self._known: OrderedDict[str, Value] = OrderedDict()
        self._wanted: dict[str, Row] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="values", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End, after what is being solved."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def values(self, rows: Sequence[Row]) -> tuple[Value | None, ...]:
        """Return what is known by now of these rows, and have the rest solved; rows asked for before are given up."""
        with self._changed:
            texts = [text_of(row) for row in rows]
            self._wanted = dict(zip(texts, rows, strict=True))
            for text in texts:
                if text in self._known:
                    self._known.move_to_end(text)
            if self._next() is not None:
                self._changed.notify_all()
            return tuple(self._known.get(text) for text in texts)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping or self._next() is not None)
                text = self._next()
                if self._stopping or text is None:
                    return
                row = self._wanted[text]
            value = self._solver.value(row)
            with self._changed:
                self._known[text] = value
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
            self._on_news()

    def _next(self) -> str | None:
        return next((text for text in self._wanted if text not in self._known), None)
