"""Label files: both kinds are read, and what is malformed is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.reading_score import read_truths
from shared.errors import DataError


def labels(folder: Path, text: str, *, pictures: tuple[str, ...] = ("a.png", "b.jpg")) -> Path:
    """Write a label file and empty pictures beside it."""
    for name in pictures:
        (folder / name).touch()
    path = folder / "labels.tsv"
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_of_a_page_are_parted_and_remarks_dropped(tmp_path: Path) -> None:
    """``|`` parts lines, ``#`` begins a remark, and a picture without maths has no lines."""
    path = labels(tmp_path, "a.png\tx^2 | 3+4 # two lines\nb.jpg\t<not an expression>\n")
    page, nothing = read_truths(path)
    assert page.lines == ("x^2", "3+4")
    assert page.file == tmp_path / "a.png"
    assert nothing.lines == ()
    assert page.symbols is None
    assert (page.kind, page.writer, page.condition) == ("", "", "")


def test_further_columns_are_kind_writer_and_condition(tmp_path: Path) -> None:
    """Columns after the truth say how many symbols there are, then what a score is broken down by."""
    (truth,) = read_truths(labels(tmp_path, "a.png\t1+2\t3\trow\tw1\tclean\n"))
    assert (truth.kind, truth.writer, truth.condition) == ("row", "w1", "clean")


def test_a_heading_names_the_columns(tmp_path: Path) -> None:
    """A heading may order them otherwise, and name others that do not matter."""
    (truth,) = read_truths(labels(tmp_path, "file\ttruth\tcondition\tpen\tkind\na.png\t1\tshadow\tblue\trow\n"))
    assert (truth.kind, truth.condition) == ("row", "shadow")


def test_windows_line_ends_a_mark_of_order_and_blank_lines_do_no_harm(tmp_path: Path) -> None:
    """A label file that went through an editor of another system is read alike."""
    path = labels(tmp_path, "\ufeff# made by hand\r\n\r\na.png\t 1+2 \r\n\r\n")
    assert [truth.lines for truth in read_truths(path)] == [("1+2",)]


def test_boxes_stand_in_a_file_beside_the_labels(tmp_path: Path) -> None:
    """Symbols of a picture are found by its name; a picture without an entry has none."""
    path = labels(tmp_path, "a.png\t1\nb.jpg\t2\n")
    entry = {"file": "a.png", "pen": "blue", "symbols": [{"label": "1", "box": [3, 4, 5, 6], "role": "digit"}]}
    (tmp_path / "symbols.jsonl").write_text(json.dumps(entry) + "\n")
    first, second = read_truths(path)
    assert first.symbols is not None
    assert [(symbol.label, symbol.box) for symbol in first.symbols] == [("1", (3.0, 4.0, 5.0, 6.0))]
    assert second.symbols is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a.png\t1\njust words\n", r"line 2: expected a file name, a tab and the truth, got 'just words'"),
        ("a.png\t\n", r"line 1: a line of the truth is empty"),
        ("a.png\t# only a remark\n", r"line 1: a line of the truth is empty"),
        ("a.png\t1 | | 2\n", r"line 1: a line of the truth is empty"),
        ("\t1\n", r"line 1: expected a file name"),
        ("", "has no labels"),
        ("# nothing but a remark\n", "has no labels"),
        ("a.png\t1\nc.png\t2\nd.png\t2\ne.png\t2\nf.png\t2\n", r"4 of 5 pictures .* c\.png, d\.png, e\.png and 1 more"),
    ],
)
def test_a_malformed_label_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    """What is wrong is said with its place, before any picture is read."""
    with pytest.raises(DataError, match=says) as caught:
        read_truths(labels(tmp_path, text))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"file": "a.png"}', '{"file": "a.png", "symbols": [{"label": "1", "box": [1, 2, 3]}]}',
     '{"file": "a.png", "symbols": [{"label": "1", "box": [1, 2, 0, 4]}]}',
     '{"file": "a.png", "symbols": [{"label": "1", "box": [1, 2, NaN, 4]}]}', '{"file": "a.png", "symbols": 3}'],
)  # fmt: skip
def test_malformed_boxes_are_one_line(tmp_path: Path, line: str) -> None:
    """A file of boxes that cannot be used is named with its line."""
    path = labels(tmp_path, "a.png\t1\n")
    (tmp_path / "symbols.jsonl").write_text('{"file": "b.jpg", "symbols": []}\n' + line + "\n")
    with pytest.raises(DataError, match=r"symbols\.jsonl, line 2: expected"):
        read_truths(path)


def test_a_label_file_that_is_absent_or_no_text_is_one_line(tmp_path: Path) -> None:
    """A wrong path, a folder and a picture in its place are said to be so."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    for path, says in (
        (tmp_path / "absent.tsv", "No such file"),
        (tmp_path, "got a folder"),
        (tmp_path / "picture.png", "UTF-8"),
    ):
        with pytest.raises(DataError, match=says):
            read_truths(path)
