"""The process that computes with SymPy: ``python -m edge_client.expression.worker``.

It reads requests and writes answers on its standard streams, each a length (4 bytes, the lowest first) and that many
bytes of JSON: first ``{"ready": true}``, then for every request ``{"tree": ..., "limit_s": ...}`` an answer
``{"text": ..., "latex": ..., "kind": ...}``. A request that lasts longer than its limit ends the process, by an alarm
that needs nobody's help; so does the end of the program it works for.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import struct
import sys
from fractions import Fraction
from typing import Any, BinaryIO

from edge_client.expression.tree import Letter, Number, Power, Relation, Sum

MAX_MEMORY_BYTES = 512 * 1024 * 1024
"""Address space; it takes about 60 MB of memory."""

MAX_ANSWER_BYTES = 1_000_000

LENGTH = struct.Struct("<I")
_ORPHANED_AFTER_S = 2.0
_CACHED_REQUESTS = 50
_FIRST = Relation((Sum((Power(Letter("x"), Number(Fraction(3))), Letter("x"))), Number(Fraction(1))), ("=",))
_GRACE_S = 0.5


def main() -> None:
    """Answer requests until the other end is closed or its process is gone."""
    parent = os.getppid()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    # Whatever a library prints must not get between the answers.
    sys.stdout = sys.stderr
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = MAX_MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(MAX_MEMORY_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))

    from sympy.core.cache import clear_cache

    from edge_client.expression.symbolic import symbolic_answer
    from edge_client.expression.tree_json import from_json
    from edge_client.expression.value import no_value

    # SymPy loads parts of itself, and fills its caches, when they are first used.
    symbolic_answer(_FIRST)
    _write(answers, {"ready": True})
    answered = 0
    while (request := _read(requests, parent)) is not None:
        signal.setitimer(signal.ITIMER_REAL, float(request["limit_s"]) + _GRACE_S)
        try:
            value = symbolic_answer(from_json(request["tree"]))
        except Exception:
            # SymPy raises of every kind on what it cannot do; whatever it is, there is no value.
            value = no_value("it is too hard to work out")
        signal.setitimer(signal.ITIMER_REAL, 0)
        answered += 1
        if answered % _CACHED_REQUESTS == 0:
            clear_cache()
        _write(answers, {"text": value.text, "latex": value.latex, "kind": value.kind})


def _read(stream: BinaryIO, parent: int) -> dict[str, Any] | None:
    # The stream's other end may be held open by a process that the program forked; so its own end is looked for too.
    while not select.select([stream], [], [], _ORPHANED_AFTER_S)[0]:
        if os.getppid() != parent:
            return None
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return json.loads(body) if len(body) == length else None


def _write(stream: BinaryIO, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        main()
