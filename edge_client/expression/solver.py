"""From a row to its value, whatever the row: at once where exact arithmetic does, else in a process with a limit."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from edge_client.expression.answer import answer
from edge_client.expression.latex import latex_of
from edge_client.expression.parser import parse
from edge_client.expression.refusal import NotAnExpressionError
from edge_client.expression.row import Row, Sign
from edge_client.expression.shape import MAX_DEPTH, MAX_SYMBOLS, extent
from edge_client.expression.tree import Tree
from edge_client.expression.tree_json import to_json
from edge_client.expression.value import NOTHING, VALUE_KINDS, Value, no_value
from edge_client.expression.worker_process import WorkerGoneError, WorkerLateError, WorkerProcess

TOO_HARD = no_value("it takes too long to work out")
NO_TIME = no_value("the page takes too long to work out")
NO_WORKER = no_value("the process that works it out ended")

PAGE_S = 5.0
"""So long may the lines of one page take together, in seconds."""

_RETRY_S = 10.0
_LATE_S = 60.0
"""After this, a row that was late is tried again: the machine may have been busy."""


class Solver:
    """Gives rows their values; any thread may ask.

    Arithmetic, polynomials and their equations up to degree two are exact fractions and are answered at once. For the
    rest, SymPy computes in a process of its own, which is started when it is first needed and killed when it takes
    too long; the next question starts another. No text is ever evaluated: what SymPy gets is built from the tree.

    Used as a context manager, or ended by `stop`; the process also ends with the interpreter, and when the program is
    killed.

    Args:
        limit_s: how long SymPy may compute for one row. The start of the process, a second or several, comes on top
            the first time; `warm` gets it out of the way.
        cached: how many recent rows are remembered with their values.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        limit_s: float = 1.0,
        cached: int = 256,
        worker: WorkerProcess | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s = limit_s
        self._cached = cached
        self._clock = clock
        self._worker = WorkerProcess() if worker is None else worker
        self._values: OrderedDict[str, tuple[Value, float]] = OrderedDict()
        self._lock = threading.Lock()
        self._retry_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def worker(self) -> WorkerProcess:
        """The process that computes with SymPy."""
        return self._worker

    def warm(self) -> None:
        """Start the process without waiting for it, so that the first hard row does not wait for the start."""
        try:
            self._worker.warm()
        except WorkerGoneError:
            self._retry_at = self._clock() + _RETRY_S

    def stop(self) -> None:
        """End the process, if there is one."""
        self._worker.stop()

    def value(self, row: Row) -> Value:
        """Return what a row comes to; it never raises, and takes no longer than the limit once the process is ready.

        What has no value says why in words: ``no value: something is missing after +``. An ``=`` at the end asks for
        what stands before it.
        """
        return self._value(row, within_s=self._limit_s)

    def values(self, rows: Iterable[Row], *, within_s: float = PAGE_S) -> tuple[Value, ...]:
        """Return what the lines of a page come to; they share the time, and what is answered at once comes first.

        A line for which there was no time left says so, and is worked out when it is asked for again.

        Args:
            rows: the lines.
            within_s: how long it may take, in seconds.
        """
        until = self._clock() + within_s
        lines = list(rows)
        values = [self._value(row, within_s=0.0) if self._clock() < until else NO_TIME for row in lines]
        for at, row in enumerate(lines):
            left_s = until - self._clock()
            if values[at] is NO_TIME and left_s > 0:
                values[at] = self._value(row, within_s=left_s)
        return tuple(values)

    def _value(self, row: Row, *, within_s: float) -> Value:
        symbols, depth = extent(row)
        if symbols > MAX_SYMBOLS:
            return no_value(f"it has more than {MAX_SYMBOLS} symbols")
        if depth > MAX_DEPTH:
            return no_value(f"it nests deeper than {MAX_DEPTH} levels")
        key = latex_of(row)
        with self._lock:
            value, until = self._values.get(key, (NOTHING, float("-inf")))
            if self._clock() < until:
                self._values.move_to_end(key)
                return value
        value, lasts_s = self._computed(row, within_s)
        if lasts_s <= 0:
            return value
        with self._lock:
            self._values[key] = value, self._clock() + lasts_s
            while len(self._values) > self._cached:
                self._values.popitem(last=False)
        return value

    def _computed(self, row: Row, within_s: float) -> tuple[Value, float]:
        """Return a row's value, and for how many seconds it is remembered."""
        if not row:
            return NOTHING, float("inf")
        last = row[-1]
        asked = row[:-1] if len(row) > 1 and isinstance(last, Sign) and last.label == "=" else row
        try:
            tree = parse(asked)
        except NotAnExpressionError as error:
            return no_value(error.reason), float("inf")
        value = answer(tree, decimal=has_point(asked))
        return (value, float("inf")) if value is not None else self._symbolic(tree, within_s)

    def _symbolic(self, tree: Tree, within_s: float) -> tuple[Value, float]:
        if within_s <= 0:
            return NO_TIME, 0.0
        if self._clock() < self._retry_at:
            return NO_WORKER, 0.0
        try:
            return _value(self._worker.ask({"tree": to_json(tree)}, limit_s=min(within_s, self._limit_s))), float("inf")
        except WorkerLateError:
            return (NO_TIME, 0.0) if within_s < self._limit_s else (TOO_HARD, _LATE_S)
        except WorkerGoneError:
            # Not started, or killed for want of memory: trying again at once would end alike.
            self._retry_at = self._clock() + _RETRY_S
            return NO_WORKER, _RETRY_S


def has_point(row: Row) -> bool:
    """Return whether a decimal point stands on a row itself."""
    return any(isinstance(item, Sign) and item.label == "." for item in row)


def _value(answer: dict[str, Any]) -> Value:
    text, latex, kind = answer.get("text"), answer.get("latex"), answer.get("kind")
    if not isinstance(text, str) or not isinstance(latex, str) or kind not in VALUE_KINDS:
        return NO_WORKER
    return Value(text, latex, kind)
