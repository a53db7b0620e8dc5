"""A score in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deploy.reading_score.outcome import Confusions, Outcome
from deploy.reading_score.score import Score, add_up, break_down, costliest, share
from deploy.reading_score.truth_file import NOTHING

BREAKDOWNS = {"kind": lambda outcome: outcome.truth.kind, "condition": lambda outcome: outcome.truth.condition}
"""What a score is broken down by, where the label file says it."""

_COSTLIEST = 12  # confusions in the printed report


def in_words(outcomes: Sequence[Outcome], *, errors: int) -> Iterator[str]:
    """Say how well pictures were read, line by line.

    Args:
        outcomes: the pictures, judged.
        errors: how many of the pictures that were read wrongly are listed at most.
    """
    score = add_up(outcomes)
    yield f"lines exactly right     {_of(score.lines_right, score.lines)}"
    yield f"pictures exactly right  {_of(score.pictures_right, score.pictures)}"
    yield f"symbol error rate       {score.symbol_error_rate:6.1%}  {score.edits} of {score.tokens} tokens"
    if score.found is not None:
        found = score.found
        yield f"symbols found           {_of(found.found, found.written)}, {found.extra} where none is"
        yield f"labels of those right   {_of(found.labelled, found.found)}"
    if score.failures:
        yield f"could not be read       {score.failures} of {score.pictures} pictures"
    yield f"median time a picture   {score.seconds * 1e3:.0f} ms"
    if score.sure_right is not None and score.sure_wrong is not None:
        yield f"median confidence       {score.sure_right:.0%} where right, {score.sure_wrong:.0%} where wrong"
    for name, by in BREAKDOWNS.items():
        groups = break_down(outcomes, by)
        if len(groups) > 1:
            yield ""
            yield from _table(name, groups)
    if score.confusions:
        yield ""
        yield "what costs most, in tokens"
        yield from _listed(score.confusions)
    if score.found is not None and score.found.confusions:
        yield ""
        yield "labels taken for others, of the symbols found"
        yield from (
            f"  {count:4}  {_confused(*pair)}" for *pair, count in costliest(score.found.confusions, _COSTLIEST)
        )
    wrong = [outcome for outcome in outcomes if not outcome.exact]
    if wrong and errors:
        yield ""
        yield f"read wrongly: {len(wrong)}" + (f", the first {errors}" if len(wrong) > errors else "")
        for outcome in wrong[:errors]:
            yield f"  {outcome.truth.name}"
            yield f"    written  {written_text(outcome)}"
            yield f"    read     {read_text(outcome)}"


def as_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the whole score as one JSON object; shares are from 0 to 1, errors are complete."""
    score = add_up(outcomes)
    said = _figures(score)
    said["symbols"] = None
    if (found := score.found) is not None:
        said["symbols"] = {
            "written": found.written,
            "found": found.found,
            "found_share": _rounded(share(found.found, found.written)),
            "extra": found.extra,
            "labels_right": found.labelled,
            "label_accuracy": _rounded(share(found.labelled, found.found)),
            "confusions": [{"truth": t, "read": r, "count": n} for t, r, n in costliest(found.confusions)],
        }
    said["failures"] = score.failures
    said["median_seconds"] = _rounded(score.seconds)
    said["median_confidence"] = {"right": _rounded(score.sure_right), "wrong": _rounded(score.sure_wrong)}
    said["confusions"] = [{"truth": t, "read": r, "count": n} for t, r, n in costliest(score.confusions)]
    for name, by in BREAKDOWNS.items():
        said[f"by_{name}"] = {group: _figures(part) for group, part in break_down(outcomes, by).items()}
    said["errors"] = [
        {
            "file": outcome.truth.name,
            "truth": list(outcome.truth.lines),
            "read": [line.text for line in outcome.read],
            "edits": outcome.edits,
            "writer": outcome.truth.writer,
            "failure": outcome.failure or None,
        }
        for outcome in outcomes
        if not outcome.exact
    ]
    return said


def written_text(outcome: Outcome) -> str:
    """Return what is written in a picture, as a label file has it."""
    return " | ".join(outcome.truth.lines) or NOTHING


def read_text(outcome: Outcome) -> str:
    """Return what was read in a picture, as a label file has it, or why nothing could be."""
    return outcome.failure or " | ".join(line.text for line in outcome.read) or NOTHING


def _figures(score: Score) -> dict[str, Any]:
    return {
        "pictures": score.pictures,
        "pictures_right": score.pictures_right,
        "lines": score.lines,
        "lines_right": score.lines_right,
        "exact": _rounded(score.exact),
        "tokens": score.tokens,
        "edits": score.edits,
        "symbol_error_rate": _rounded(score.symbol_error_rate),
    }


def _table(name: str, groups: dict[str, Score]) -> Iterator[str]:
    width = max(len(name), *map(len, groups)) + 2
    yield f"{name:{width}}lines exactly right      symbol error rate  symbols found"
    for group, score in groups.items():
        found = "" if score.found is None else f"{share(score.found.found, score.found.written):13.1%}"
        exact = _of(score.lines_right, score.lines)
        yield f"{group:{width}}{exact:24} {score.symbol_error_rate:17.1%}  {found}".rstrip()


def _listed(confusions: Confusions) -> Iterator[str]:
    for written, read, count in costliest(confusions, _COSTLIEST):
        yield f"  {count:4}  {_confused(written, read)}"


def _confused(written: str, read: str) -> str:
    if not read:
        return f"{written} missed"
    if not written:
        return f"{read} added"
    return f"{written} read as {read}"


def _of(part: int, whole: int) -> str:
    return f"{share(part, whole):6.1%}  {part} of {whole}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
