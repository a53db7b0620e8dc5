"""Opens LiteRT interpreters, and keeps their greeting off the terminal."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import ModelError

_lock = threading.Lock()
_greeted = False


def open_interpreter(model: bytes, *, name: str, threads: int) -> Any:
    """Open a TFLite file, with XNNPACK applied by default.

    Args:
        model: the file's bytes; LiteRT reads its constants from them for as long as the interpreter lives.
        name: what an error calls the file.
        threads: CPU threads of one inference.

    Raises:
        ModelError: LiteRT cannot read the file.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        with _without_greeting():
            interpreter = Interpreter(model_content=model, num_threads=threads)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelError(f"LiteRT cannot load {name}: {first}; fetch or build it again") from error
    return interpreter


@contextmanager
def _without_greeting() -> Iterator[None]:
    """Hold back what LiteRT prints on the first interpreter of a process; all but its INFO lines are passed on.

    XNNPACK greets once, from C++, straight to file descriptor 2.
    """
    global _greeted
    with _lock:
        if _greeted:
            yield
            return
        _greeted = True
        try:
            terminal = os.dup(2)
        except OSError:  # a service may run without a standard error
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(terminal, 2)
                held.seek(0)
                for line in held:
                    if not line.startswith(b"INFO:"):
                        os.write(terminal, line)
                os.close(terminal)
