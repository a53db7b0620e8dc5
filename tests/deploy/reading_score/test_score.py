"""Every figure of a score, counted by hand."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.reading_score import NOTHING, Truth, TruthSymbol, add_up, judge
from deploy.reading_score.outcome import Outcome, ReadLine, tokens
from deploy.reading_score.report import as_json, in_words
from deploy.reading_score.score import break_down, costliest


def truth(*lines: str, name: str = "a.png", kind: str = "", condition: str = "", symbols: int | None = None) -> Truth:
    """Say what is written; symbols stand side by side, 10 wide."""
    boxes = None if symbols is None else tuple(TruthSymbol(str(i), (20.0 * i, 0, 10, 10)) for i in range(symbols))
    return Truth(Path(name), name, lines, kind=kind, condition=condition, symbols=boxes)


def judged(written: Truth, *read: str, boxes: tuple[TruthSymbol, ...] = ()) -> Outcome:
    """Judge readings that are all equally sure."""
    return judge(written, [ReadLine(text, 0.5) for text in read], boxes)


def test_tokens_are_the_signs_of_the_canonical_text() -> None:
    """Digits count one by one, a power's sign and the text's brackets count, spaces do not."""
    assert tokens("2^12") == ("2", "^", "(", "1", "2", ")")
    assert tokens(" 3 × x ") == ("3", "*", "x")
    assert tokens("") == ()


def test_a_line_that_is_right_has_no_edits() -> None:
    """However it is written down: idle brackets are the same expression, and cost nothing."""
    outcome = judged(truth("(a+b)/2"), "(a+b)/(2)")
    assert (outcome.right, outcome.lines, outcome.edits, outcome.tokens) == (1, 1, 0, 7)
    assert outcome.exact


def test_a_token_taken_for_another_is_one_confusion() -> None:
    """3+2 read as 342: one of three tokens is wrong, and it is known which."""
    outcome = judged(truth("3+2"), "342")
    assert (outcome.right, outcome.edits, outcome.tokens) == (0, 1, 3)
    assert outcome.confusions == {("+", "4"): 1}
    assert not outcome.exact


def test_a_power_read_as_a_row_misses_one_token() -> None:
    """x^2 read as x2 is not exact, and costs the sign of the power alone."""
    assert judged(truth("x^2"), "x 2").confusions == {("^", ""): 1}


def test_lines_of_a_page_are_matched_in_order() -> None:
    """Of three lines the middle one was not read: two are right, and its three tokens are missed."""
    outcome = judged(truth("1+2=3", "x-7", "4*5"), "1+2=3", "4*5")
    assert (outcome.right, outcome.lines) == (2, 3)
    assert (outcome.edits, outcome.tokens) == (3, 11)
    assert outcome.confusions == {("x", ""): 1, ("-", ""): 1, ("7", ""): 1}
    assert not outcome.exact


def test_a_line_too_many_makes_a_picture_wrong_and_its_lines_stay_right() -> None:
    """What was invented is added tokens."""
    outcome = judged(truth("1+2"), "1+2", "x")
    assert (outcome.right, outcome.lines, outcome.edits) == (1, 1, 1)
    assert outcome.confusions == {("", "x"): 1}
    assert not outcome.exact


def test_lines_in_the_wrong_order_are_not_right() -> None:
    """At most one of two swapped lines can be matched."""
    assert judged(truth("1+2", "x-y"), "x-y", "1+2").right == 1


def test_nothing_read_where_nothing_is_written_is_right() -> None:
    """A picture without maths counts as one line, right only if none was read."""
    nothing = judged(truth())
    assert (nothing.right, nothing.lines, nothing.tokens, nothing.edits, nothing.exact) == (1, 1, 0, 0, True)
    invented = judged(truth(), "a-")
    assert (invented.right, invented.lines, invented.tokens, invented.edits, invented.exact) == (0, 1, 0, 2, False)


def test_a_picture_that_could_not_be_read_is_wrong() -> None:
    """Also where nothing is written: nobody looked."""
    failed = judge(truth(), [], [], failure="it is cut off")
    assert (failed.right, failed.lines) == (0, 1)
    missed = judge(truth("1+2"), [], [], failure="it is cut off")
    assert (missed.right, missed.edits) == (0, 3)


def test_a_text_that_is_no_expression_is_compared_as_it_stands() -> None:
    """A truth with a sign nobody knows is right only if it is read letter by letter."""
    assert judged(truth("1 ☃ 2"), "1 ☃ 2").exact
    assert judged(truth("1 ☃ 2"), "1+2").confusions == {("☃", "+"): 1}


def test_symbols_are_found_by_their_boxes_and_then_judged_by_their_labels() -> None:
    """Three written: one found and right, one found and misread, one missed; one read where none is."""
    written = truth("012", symbols=3)
    read = (
        TruthSymbol("0", (0, 0, 10, 9)),
        TruthSymbol("7", (21, 0, 10, 10)),
        TruthSymbol("2", (47, 0, 10, 10)),
        TruthSymbol("x", (90, 0, 10, 10)),
    )
    found = judged(written, "072", boxes=read).found
    assert found is not None
    assert (found.written, found.found, found.extra, found.labelled) == (3, 2, 2, 1)
    assert found.confusions == {("1", "7"): 1}


OUTCOMES = [
    judged(truth("3+2", name="a.png", kind="row", condition="clean", symbols=3), "342"),
    judged(truth("x^2", name="b.png", kind="power", condition="clean"), "x^2"),
    judged(truth("4+1", "5+1", name="c.png", kind="row", condition="ruled"), "441", "5+1"),
    judged(truth(name="d.png")),
]


def test_a_score_adds_up() -> None:
    """Of five lines three are right, of four pictures two; two of twelve tokens are wrong, both + for 4."""
    score = add_up(OUTCOMES)
    assert (score.lines, score.lines_right, round(score.exact, 6)) == (5, 3, 0.6)
    assert (score.pictures, score.pictures_right) == (4, 2)
    assert (score.tokens, score.edits, round(score.symbol_error_rate, 6)) == (12, 2, 0.166667)
    assert costliest(score.confusions) == [("+", "4", 2)]
    assert score.found is not None
    assert (score.found.written, score.found.found) == (3, 0)
    assert score.failures == 0
    assert (score.sure_right, score.sure_wrong) == (0.5, 0.5)


def test_a_score_is_broken_down_by_kind_and_condition() -> None:
    """Pictures without a kind are in none of the groups."""
    kinds = break_down(OUTCOMES, lambda outcome: outcome.truth.kind)
    assert {kind: (part.lines_right, part.lines) for kind, part in kinds.items()} == {"power": (1, 1), "row": (1, 3)}
    conditions = break_down(OUTCOMES, lambda outcome: outcome.truth.condition)
    assert {name: part.edits for name, part in conditions.items()} == {"clean": 1, "ruled": 1}


def test_the_report_says_the_figures_and_lists_the_errors() -> None:
    """Counts stand beside shares, what costs most is named, and wrong readings are shown with their truth."""
    said = "\n".join(in_words(OUTCOMES, errors=1))
    assert "lines exactly right      60.0%  3 of 5" in said
    assert "symbol error rate        16.7%  2 of 12 tokens" in said
    assert "   2  + read as 4" in said
    assert "power  100.0%  1 of 1" in said
    assert "read wrongly: 2, the first 1" in said
    assert "  a.png\n    written  3+2\n    read     342" in said
    assert "c.png" not in said


def test_the_report_of_nothing_read_says_so() -> None:
    """An empty reading is shown as a label file would have it."""
    assert f"    read     {NOTHING}" in "\n".join(in_words([judged(truth("1"))], errors=5))


def test_the_json_is_complete_and_can_be_written() -> None:
    """It has every figure, every breakdown and every error."""
    said = json.loads(json.dumps(as_json(OUTCOMES)))
    assert said["exact"] == 0.6
    assert said["symbols"]["found_share"] == 0.0
    assert said["by_kind"]["row"]["lines"] == 3
    assert said["confusions"] == [{"truth": "+", "read": "4", "count": 2}]
    assert [error["file"] for error in said["errors"]] == ["a.png", "c.png"]
    assert said["errors"][1]["read"] == ["441", "5+1"]
