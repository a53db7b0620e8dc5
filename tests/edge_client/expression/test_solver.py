"""The solver: a value for any row, in bounded time, with a process that leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from edge_client.expression import Solver, row_of
from edge_client.expression.parser import parse
from edge_client.expression.row import Raised, Row, Sign
from edge_client.expression.solver import NO_TIME, TOO_HARD
from edge_client.expression.tree_json import from_json, to_json
from edge_client.expression.worker_process import WorkerGoneError, WorkerLateError, WorkerProcess
from tests.edge_client.expression.rows import expressions, reckless_rows, signs

LONG = "(x+1)^(999)=0"
"""A row that SymPy takes minutes for."""

PATIENCE_S = 60.0
"""For what SymPy does in a moment, on a machine that has much else to do."""


@pytest.fixture(scope="module")
def solver() -> Iterator[Solver]:
    """A solver whose process all tests of this file share."""
    with Solver(limit_s=PATIENCE_S) as shared:
        yield shared


def _gone(pid: int, *, within_s: float = PATIENCE_S) -> bool:
    """Return whether a process ends in time; a zombie has not."""
    until = time.monotonic() + within_s
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+3=", "5"),
        ("3+", "no value: something is missing after +"),
        ("", ""),
        ("2^(1/2)", "sqrt(2)"),
        ("8^(1/2)+2^(1/2)", "3sqrt(2)"),
        ("1/(2^(1/2)-1)", "1+sqrt(2)"),
        ("2^(1/2)=1", "false"),
        ("(2^(1/2)+1)^2=3+2*2^(1/2)", "true"),
        ("pi+pi", "2pi"),
        ("(1-2^(1/2))^(1/2)", "no value: the root of a negative number is not real"),
        ("(y^4-1)/(y^2-1)", "y^2+1"),
        ("b/(a^2-a)-b/(a-1)", "-b/a"),
        ("(x+1)/(x+1)", "1"),
        ("1/(1+x)", ""),
        ("y=1/(1+x)", ""),
        ("1/(x-1)=2", "x = 3/2"),
        ("(x^2-1)/(x-1)=0", "x = -1"),
        ("(x^2-1)/(x-1)=2", "no solution"),
        ("1/(x-1)=1/(x-1)", "true for every x for which both sides are defined"),
        ("a^(x+y)=a^xa^y", "true for every x, y and a"),
        ("2^(x+1)-2^x=16", "x = 4"),
        ("x^(1/2)=3", "x = 9"),
        ("x^(1/2)=-3", "no real solution"),
        ("x^3=2", "x = 2^(1/3)"),
        ("x^3-3x-1=0", "x is about -1.53209, -0.3473 or 1.87939"),
        ("x^4+x^2+1=0", "no real solution"),
        ("x^x=4", "no value: no exact solution was found"),
        ("x/(2^(1/2)-2^(1/2))", "no value: division by zero"),
    ],
)
def test_values(solver: Solver, text: str, value: str) -> None:
    """What exact arithmetic cannot do, SymPy does, from the tree."""
    assert solver.value(row_of(text)).text == value


def test_a_hostile_power_is_answered_at_once() -> None:
    """`9^9^9^9` starts no process."""
    with Solver() as solver:
        assert solver.value(row_of("9^9^9^9")).text == "no value: the number is too large"
        assert solver.worker.pid is None


def test_a_long_computation_is_ended_and_the_next_one_answered() -> None:
    """The process is killed when it is late, and another takes its place."""
    with Solver(limit_s=PATIENCE_S) as solver:
        assert solver.value(row_of("2^(1/2)")).text == "sqrt(2)"
        late = solver.worker.pid
        assert late is not None
        solver._limit_s = 0.5
        assert solver.value(row_of(LONG)).text == "no value: it takes too long to work out"
        assert _gone(late)
        # It is remembered, and no process is asked: a live view asks for every frame.
        assert solver.value(row_of(LONG)).text == "no value: it takes too long to work out"
        between = solver.worker.pid
        assert between is None
        solver._limit_s = PATIENCE_S
        assert solver.value(row_of("3^(1/2)")).text == "sqrt(3)"
        last = solver.worker.pid
    assert last is not None
    assert last != late
    assert _gone(last)


def test_a_killed_process_is_replaced() -> None:
    """A process that the system killed while it was idle is not missed."""
    with Solver(limit_s=PATIENCE_S) as solver:
        solver.warm()
        pid = solver.worker.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert solver.value(row_of("2^(1/2)")).text == "sqrt(2)"
        assert solver.worker.pid != pid
        assert _gone(pid)


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_the_process_ends_with_the_program(how: str) -> None:
    """No process is left when the program forgets to stop it, nor when it is killed while the process computes."""
    program = (
        "import os, sys, threading; from edge_client.expression import Solver, row_of\n"
        f"solver = Solver(limit_s={PATIENCE_S})\n"
        "solver.value(row_of('2^(1/2)'))\n"
        "print(solver.worker.pid, flush=True)\n"
        "solver._limit_s = 1.0\n"
        f"if sys.argv[1] == 'kill': solver.value(row_of({LONG!r}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, how], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        pid = int(running.stdout.readline())
        if how == "kill":
            running.kill()
        running.wait(PATIENCE_S)
        assert _gone(pid)


def test_threads_share_one_process(solver: Solver) -> None:
    """Threads that ask at the same time get their own answers."""
    texts = [f"{square * 2}^(1/2)" for square in (4, 9, 16, 25, 36, 49)]
    found: dict[str, str] = {}
    threads = [
        threading.Thread(target=lambda text=text: found.__setitem__(text, solver.value(row_of(text)).text))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [found[text] for text in texts] == [f"{root}sqrt(2)" for root in (2, 3, 4, 5, 6, 7)]


def test_recent_rows_are_remembered_whatever_their_symbols_are_numbered() -> None:
    """The same writing in the next frame is not worked out anew, and what is remembered is bounded."""
    worker = _CountingWorker()
    with Solver(cached=2, worker=worker) as solver:
        for first in (0, 5):
            row: Row = (Sign("2", first), Raised((Sign("x", first + 1),)), Sign("=", first + 2), Sign("8", first + 3))
            solver.value(row)
        assert worker.asked == 1
        for text in ("3^x=9", "4^x=4", "2^x=8"):
            solver.value(row_of(text))
        assert worker.asked == 4


def test_a_late_row_is_tried_again_after_a_while() -> None:
    """A row that was late because the machine was busy is not without a value for ever."""
    now = [0.0]
    worker = _CountingWorker(late=1)
    with Solver(worker=worker, clock=lambda: now[0]) as solver:
        for seconds in (0.0, 1.0, 100.0, 1000.0):
            now[0] = seconds
            solver.value(row_of("2^x=8"))
        assert worker.asked == 2
        assert solver.value(row_of("2^x=8")).text == "1"


class _CountingWorker(WorkerProcess):
    """Answers without a process."""

    def __init__(self, *, late: int = 0) -> None:
        super().__init__()
        self.asked = 0
        self._late = late

    def ask(self, request: dict[str, object], *, limit_s: float) -> dict[str, object]:
        self.asked += 1
        if self.asked <= self._late:
            raise WorkerLateError
        return {"text": "1", "latex": "1", "kind": "number"}


def test_a_worker_that_cannot_start_is_said_and_not_tried_for_every_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a process there are still exact values, and words for the rest."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    now = [0.0]
    with Solver(limit_s=PATIENCE_S, clock=lambda: now[0]) as solver:
        assert solver.value(row_of("2^(1/2)")).text == "no value: the process that works it out ended"
        assert solver.value(row_of("3^(1/2)")).kind == "none"
        assert solver.value(row_of("1+1")).text == "2"
        monkeypatch.undo()
        now[0] = 11.0
        assert solver.value(row_of("3^(1/2)")).text == "sqrt(3)"


def test_the_worker_bounds_its_own_time() -> None:
    """The alarm ends a computation although nobody waits for it any more."""
    worker = WorkerProcess()
    worker.ask({"tree": to_json(parse(row_of("2^(1/2)")))}, limit_s=PATIENCE_S)
    pid = worker.pid
    assert pid is not None
    with pytest.raises((WorkerLateError, WorkerGoneError)):
        worker.ask({"tree": to_json(parse(row_of(LONG)))}, limit_s=0.2)
    assert _gone(pid)
    worker.stop()


def test_the_worker_takes_little_memory(solver: Solver) -> None:
    """SymPy and no NumPy."""
    solver.value(row_of("2^(1/2)"))
    status = Path(f"/proc/{solver.worker.pid}/status").read_text(encoding="ascii")
    resident_kb = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    assert resident_kb < 100_000


def test_a_page_of_hard_lines_shares_the_time() -> None:
    """Many lines that each take their limit end with the page's time; what takes none is answered all the same.

    A line that had no time says so, and is worked out when it is asked for again.
    """
    hard = [row_of(f"(x+1)^(999)={number}") for number in range(5)]
    root = row_of("2^(1/2)")
    now = [0.0]
    with Solver(limit_s=PATIENCE_S, clock=lambda: now[0]) as solver:
        solver.value(root)  # the start of the process is not what is measured here
        solver._limit_s = 0.3
        spent: list[float] = []
        worker, ask = solver.worker, solver.worker.ask

        def counted(request: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
            spent.append(limit_s)
            now[0] += limit_s
            return ask(request, limit_s=limit_s)

        worker.ask = counted  # type: ignore[method-assign]
        found = solver.values([*hard, root, row_of("1+1")], within_s=0.5)
        assert [value.text for value in found[-2:]] == ["sqrt(2)", "2"]
        assert {value.text for value in found[:-2]} <= {TOO_HARD.text, NO_TIME.text}
        assert found[-3] is NO_TIME
        assert spent == pytest.approx([0.3, 0.2])
        assert solver.values([hard[-1]], within_s=60.0) == (TOO_HARD,)


@given(reckless_rows())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_row_has_a_value(solver: Solver, row: Row) -> None:
    """Whatever a reader hands over, there is an answer."""
    assert solver.value(row).kind in ("number", "solutions", "truth", "form", "none")


def test_endless_rows_have_a_value(solver: Solver) -> None:
    """Length and depth are bounded before anything else is done."""
    deep: Row = signs("1")
    for _ in range(5_000):
        deep = (Sign("2"), Raised(deep))
    assert solver.value(deep).text.startswith("no value: it ")
    assert solver.value(signs("1") * 100_000).text == "no value: it has more than 400 symbols"


@given(expressions())
@settings(max_examples=60, deadline=None)
def test_trees_travel_as_json(row: Row) -> None:
    """A tree comes back from JSON as it went."""
    tree = parse(row)
    assert from_json(json.loads(json.dumps(to_json(tree)))) == tree


@pytest.mark.parametrize("json_tree", [[], ["number", "1"], ["sum"], ["eval", "1"], ["power", ["letter", "x"]], "x"])
def test_what_is_no_tree_is_refused(json_tree: object) -> None:
    """The worker builds nothing but trees."""
    with pytest.raises(ValueError, match="no node"):
        from_json(json_tree)  # type: ignore[arg-type]
