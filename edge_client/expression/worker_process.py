"""The worker from the program's side: started when needed, killed when late, replaced when gone."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from edge_client.expression.worker import LENGTH, MAX_ANSWER_BYTES

_MODULE = "edge_client.expression.worker"


class WorkerLateError(Exception):
    """The worker did not answer in time; it has been killed."""


class WorkerGoneError(Exception):
    """The worker could not be started, or it ended."""


class WorkerProcess:
    """One process at a time, which computes one request at a time. Any thread may ask; the others wait.

    Args:
        clock: seconds, monotonic.
        start_limit_s: how long a start may take. SymPy takes a second to load, and several on a small device.
    """

    def __init__(self, *, start_limit_s: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._start_limit_s = start_limit_s
        self._clock = clock
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: Callable[[], object] | None = None
        self._ready = False

    @property
    def pid(self) -> int | None:
        """The process's number; nothing while there is none."""
        process = self._process
        return None if process is None else process.pid

    def warm(self) -> None:
        """Start the process, if there is none, without waiting until it is ready.

        Raises:
            WorkerGoneError: it cannot be started.
        """
        with self._lock:
            self._started()

    def ask(self, request: dict[str, Any], *, limit_s: float) -> dict[str, Any]:
        """Return the answer to a request. The limit counts from when the process is ready.

        Raises:
            WorkerLateError: it took longer.
            WorkerGoneError: the process could not be started, or ended instead of answering.
        """
        with self._lock:
            process = self._started()
            try:
                if not self._ready:
                    self._answer(process, self._start_limit_s)
                    self._ready = True
                body = json.dumps({**request, "limit_s": limit_s}).encode()
                assert process.stdin is not None
                process.stdin.write(LENGTH.pack(len(body)) + body)
                process.stdin.flush()
                return self._answer(process, limit_s)
            except (WorkerLateError, WorkerGoneError):
                self._stop()
                raise
            except (OSError, ValueError) as error:
                self._stop()
                raise WorkerGoneError(str(error)) from error
            except BaseException:
                # An interrupt leaves an answer under way that nobody waits for.
                self._stop()
                raise

    def stop(self) -> None:
        """End the process, if there is one; a later request starts another."""
        with self._lock:
            self._stop()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        if not sys.executable:
            raise WorkerGoneError("Python's own program is not known")
        # -P: what lies in the current folder is not imported.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "MALLOC_ARENA_MAX": "1"}
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                # Ctrl-C in a terminal is for the program alone.
                process_group=0,
            )
        except OSError as error:
            raise WorkerGoneError(f"it cannot be started: {error}") from error
        self._process, self._ready = process, False
        # Also at the interpreter's exit, and when nobody holds this object any longer.
        self._end = weakref.finalize(self, _end, process, os.getpid())
        return process

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._process, self._end, self._ready = None, None, False

    def _answer(self, process: subprocess.Popen[bytes], limit_s: float) -> dict[str, Any]:
        until = self._clock() + limit_s
        (length,) = LENGTH.unpack(self._bytes(process, LENGTH.size, until))
        if length > MAX_ANSWER_BYTES:
            raise WorkerGoneError(f"its answer has {length} bytes")
        answer = json.loads(self._bytes(process, length, until))
        if not isinstance(answer, dict):
            raise WorkerGoneError("its answer is no answer")
        return answer

    def _bytes(self, process: subprocess.Popen[bytes], count: int, until: float) -> bytes:
        assert process.stdout is not None
        found = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(found) < count:
                if not selector.select(max(0.0, until - self._clock())):
                    raise WorkerLateError
                part = os.read(process.stdout.fileno(), count - len(found))
                if not part:
                    late = process.wait(1.0) == -signal.SIGALRM
                    raise WorkerLateError if late else WorkerGoneError("it ended")
                found += part
        return found


def _end(process: subprocess.Popen[bytes], owner: int) -> None:
    """Kill a process and wait for it, so that no zombie stays. A fork of the program leaves it alone."""
    if os.getpid() != owner:
        return
    process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5.0)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
