"""The thread that trains: one interpreter, one job after the other, never the network thread."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from tflite_models.bundle import ModelBundle
    from tflite_models.runtime.program import TrainingProgram

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")


class Workbench:
    """The interpreter that jobs share: built for the first, and again only when a job brings another model.

    Args:
        threads: of the interpreter. With one, the results are the same on every machine of a kind.
    """

    def __init__(self, *, threads: int = 1) -> None:
        self._threads = threads
        self._sha256 = ""
        self._program: TrainingProgram | None = None

    def program(self, sha256: str, load: Callable[[], ModelBundle]) -> TrainingProgram:
        """Return the training program of the model with this hash; ``load`` is called if it is another than before."""
        from tflite_models.runtime.program import TrainingProgram  # loads LiteRT

        if self._program is None or self._sha256 != sha256:
            self._program = None  # two interpreters at a time would need twice the memory
            self._program = TrainingProgram(load(), threads=self._threads)
            self._sha256 = sha256
        return self._program

    def reset(self) -> None:
        """Forget the interpreter: a job failed in it."""
        self._program = None


class Job(Protocol[R_co]):
    """Something to do at the workbench."""

    @property
    def stop(self) -> threading.Event:
        """Ends the job: looked at before it begins, and by the job as it goes on."""

    def run(self, workbench: Workbench) -> R_co:
        """Do it; on the trainer's thread."""


class Trainer:
    """A queue of jobs and the thread that does them, first come, first served. Devices of one process may share it.

    The thread starts with the first job, so that a device without work has no interpreter.

    Args:
        threads: see `Workbench`.
        nice: how much the thread, and those of the interpreter, give way to other threads of the machine, from 0 to 19
            (POSIX ``nice``); on Linux alone, where a thread has a priority of its own.
    """

    def __init__(self, *, threads: int = 1, nice: int = 0) -> None:
        self._workbench = Workbench(threads=threads)
        self._nice = nice
        self._jobs: queue.SimpleQueue[tuple[Job[Any], Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running: Job[Any] | None = None
        self._closed = False

    def submit(self, job: Job[R]) -> Future[R]:
        """Queue a job.

        Returns:
            its result, or the exception that ended it. A job whose ``stop`` is set before its turn is cancelled.

        Raises:
            RuntimeError: the trainer is closed.
        """
        future: Future[R] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError("the trainer is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="trainer", daemon=True)
                self._thread.start()
            self._jobs.put((job, future))
        return future

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Stop the job that runs, cancel those that wait, and end the thread."""
        with self._lock:
            self._closed = True
            thread, running = self._thread, self._running
            self._jobs.put(None)
        if running is not None:
            running.stop.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)

    def _work(self) -> None:
        if self._nice and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            with self._lock:
                self._running = job
                if self._closed:
                    job.stop.set()
            if job.stop.is_set():
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = job.run(self._workbench)
            except BaseException as error:
                if not job.stop.is_set():
                    self._workbench.reset()
                future.set_exception(error)
            else:
                future.set_result(result)
            del job, future, entry
            self._running = None
