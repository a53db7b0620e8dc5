"""One picture judged: what was written and what was read, side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from deploy.reading_score.alignment import Pairs, align, align_tokens
from deploy.reading_score.boxes import match
from deploy.reading_score.truth_file import Truth, TruthSymbol
from edge_client.expression import NotAnExpressionError, row_of, same_expression, text_of
from edge_client.expression.spelling import WORDS

_NAMES = sorted(WORDS, key=len, reverse=True)

Confusions = Counter[tuple[str, str]]
"""How often what was written was read as what; the empty string for what was missed or added."""


@dataclass(frozen=True)
class ReadLine:
    """One line as it was read: its text, and how sure the reader was, from 0 to 1."""

    text: str
    confidence: float


@dataclass(frozen=True)
class Found:
    """How many symbols of a picture were found.

    Attributes:
        written: symbols that are there.
        found: those whose box was found.
        extra: boxes that were read where no symbol is.
        labelled: those found whose label is right.
        confusions: of the labels of those found.
    """

    written: int
    found: int
    extra: int
    labelled: int
    confusions: Confusions


@dataclass(frozen=True)
class Outcome:
    """A picture judged.

    Attributes:
        truth: what is written.
        read: the lines that were read, from top to bottom.
        lines: how many lines are written; 1 where the right answer is that there are none.
        right: how many of them were read exactly.
        tokens: how many tokens are written.
        edits: how many tokens were taken for another, missed or added.
        confusions: which ones.
        found: how the boxes fared; None where those of the truth are not known.
        sureness: ``(confidence, whether it is right)`` of every line that was read.
        failure: why the picture could not be read at all; empty where it could.
        seconds: how long reading it took.
    """

    truth: Truth
    read: tuple[ReadLine, ...]
    lines: int
    right: int
    tokens: int
    edits: int
    confusions: Confusions
    found: Found | None
    sureness: tuple[tuple[float, bool], ...] = ()
    failure: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)

    @property
    def exact(self) -> bool:
        """Whether every line is right and none was read that is not there."""
        return self.right == self.lines and len(self.read) == len(self.truth.lines)


def judge(
    truth: Truth,
    read: Sequence[ReadLine],
    symbols: Sequence[TruthSymbol],
    *,
    seconds: float = 0.0,
    failure: str = "",
) -> Outcome:
    """Judge what was read in one picture.

    Lines are matched in order, so that the fewest tokens are wrong. A line is right if it is the same expression
    (`edge_client.expression.same_expression`); then none of its tokens counts as wrong, however it is written down.

    Args:
        truth: what is written.
        read: the lines that were read, from top to bottom.
        symbols: all symbols that were read, with their boxes.
        seconds: how long reading took.
        failure: why the picture could not be read, if it could not.
    """
    texts = [line.text for line in read]
    _, pairs = align(truth.lines, texts, cost=_cost, alone=lambda text: len(tokens(text)))
    confusions: Confusions = Counter()
    right = 0
    edits = 0
    verdicts: list[bool] = []
    for written, text in pairs:
        distance, aligned = _line(written or "", text or "")
        edits += distance
        confusions.update((one or "", other or "") for one, other in aligned if one != other)
        same = written is not None and text is not None and same_expression(written, text)
        right += same
        if text is not None:
            verdicts.append(same)
    return Outcome(
        truth=truth,
        read=tuple(read),
        lines=max(1, len(truth.lines)),
        right=right if truth.lines else int(not read and not failure),
        tokens=sum(len(tokens(line)) for line in truth.lines),
        edits=edits,
        confusions=confusions,
        found=None if truth.symbols is None else _found(truth.symbols, symbols),
        sureness=tuple((line.confidence, same) for line, same in zip(read, verdicts, strict=True)),
        failure=failure,
        seconds=seconds,
    )


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """Cut a text into tokens: every sign of its canonical form, names as one; spaces are none.

    ``^`` and the brackets of the text are tokens, so that a power that was read as a row costs something.
    """
    try:
        text = text_of(row_of(text))
    except NotAnExpressionError:
        text = text.strip()
    found: list[str] = []
    at = 0
    while at < len(text):
        name = next((word for word in _NAMES if text.startswith(word, at)), text[at])
        if not name.isspace():
            found.append(name)
        at += len(name)
    return tuple(found)


@lru_cache(maxsize=4096)
def _line(truth: str, read: str) -> tuple[int, Pairs[str]]:
    if same_expression(truth, read):
        return 0, [(token, token) for token in tokens(truth)]
    return align_tokens(tokens(truth), tokens(read))


def _cost(truth: str, read: str) -> float:
    """The edits between two lines; of two ways that cost the same, the one with more lines right is a little less."""
    distance, _ = _line(truth, read)
    return distance + (0.0 if same_expression(truth, read) else 1e-6)


def _found(truth: Sequence[TruthSymbol], read: Sequence[TruthSymbol]) -> Found:
    pairs = match([symbol.box for symbol in truth], [symbol.box for symbol in read])
    wrong = Counter((truth[i].label, read[j].label) for i, j in pairs if truth[i].label != read[j].label)
    return Found(len(truth), len(pairs), len(read) - len(pairs), len(pairs) - wrong.total(), wrong)
