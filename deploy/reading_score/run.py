"""Reading the pictures of a label file, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from deploy.reading.files import load_quietly
from deploy.reading_score.outcome import Outcome, ReadLine, judge
from deploy.reading_score.truth_file import Truth, TruthSymbol
from edge_client.expression import text_of
from edge_client.reading import Recogniser
from shared.errors import DataError


def read_all(
    truths: Sequence[Truth],
    recogniser: Recogniser,
    *,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Outcome]:
    """Read and judge pictures; one that cannot be read counts as one in which nothing was read.

    Args:
        truths: the pictures, and what is written in them.
        recogniser: the reader.
        progress: told ``(done, total)``.
        clock: what the time of a picture is measured with, in seconds.
    """
    outcomes = []
    for done, truth in enumerate(truths):
        if progress is not None:
            progress(done, len(truths))
        begun = clock()
        try:
            reading = recogniser.read(load_quietly(truth.file))
        except DataError as error:
            outcomes.append(judge(truth, [], [], failure=str(error), seconds=clock() - begun))
            continue
        seconds = clock() - begun
        lines = [ReadLine(text_of(line.row), line.confidence) for line in reading.lines]
        symbols = [TruthSymbol(symbol.label, symbol.box) for line in reading.lines for symbol in line.symbols]
        outcomes.append(judge(truth, lines, symbols, seconds=seconds))
    if progress is not None:
        progress(len(truths), len(truths))
    return outcomes
