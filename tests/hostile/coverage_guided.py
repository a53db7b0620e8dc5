"""Fuzzing guided by coverage, with atheris where it is installed: beyond the cases that the tests draw.

    python -m tests.hostile.coverage_guided KIND [-runs=100000] [-max_total_time=60]

KIND is a name in `tests.hostile.parsers`; what follows are libFuzzer's options. A case that breaks a promise is
written to the folder as ``crash-…``, and the command ends with a code other than 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    """Fuzz one kind of parser until it breaks or the runs are over."""
    import atheris

    with atheris.instrument_imports(include=["shared", "tflite_models"]):
        from tests.hostile.parsers import parsers

    if len(sys.argv) < 2 or sys.argv[1] not in parsers():
        raise SystemExit(f"usage: python -m tests.hostile.coverage_guided KIND; KIND is one of {', '.join(parsers())}")
    kind = sys.argv.pop(1)
    parser = parsers()[kind]

    def one(data: bytes) -> None:
        try:
            parser.read(data)
        except parser.refuses as refusal:
            if "\n" in str(refusal) or not 0 < len(str(refusal)) < 1000:
                raise AssertionError(f"not one short line: {refusal!r}") from refusal

    with tempfile.TemporaryDirectory() as corpus:
        for number, good in enumerate(parser.good):
            (Path(corpus) / str(number)).write_bytes(good)
        atheris.Setup([sys.argv[0], *sys.argv[1:], "-rss_limit_mb=2048", corpus], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
