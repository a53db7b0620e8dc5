"""InkML as it is found in the wild."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shared.datasets import open_dataset
from shared.datasets.ink_expression import NotInkMLError, read_expression
from shared.errors import SettingsError

NAMESPACE = 'xmlns="http://www.w3.org/2003/InkML"'
SEVEN = "0 0, 10 0, 5 20"


def group(truth: str | None, *views: str) -> str:
    annotation = "" if truth is None else f'<annotation type="truth">{truth}</annotation>'
    return f"<traceGroup>{annotation}{''.join(f'<traceView traceDataRef={view!r}/>' for view in views)}</traceGroup>"


def ink(body: str, *, head: str = "", namespace: str = NAMESPACE) -> bytes:
    return f"<ink {namespace}>{head}{body}</ink>".encode()


def plain(head: str = "", trace: str = SEVEN, truth: str = "7") -> bytes:
    return ink(f'<trace id="0">{trace}</trace><traceGroup>{group(truth, "0")}</traceGroup>', head=head)


@pytest.mark.parametrize(
    "data",
    [
        plain(),
        plain(trace="\n0 0,\n10 0,\n5 20\n"),
        plain(trace="0 0 12, 10 0 13, 5 20 14"),
        plain(trace="0 0 , 10 0 , 5 20 ,"),
        plain(trace="0.0 0e0, 1e1 0, 5.00 20"),
        ink(f'<trace id="0">{SEVEN}</trace>{group("7", "0")}'),
        ink(f'<trace xml:id="t0">{SEVEN}</trace>{group("7", "#t0")}'),
        ink(f'<trace id="0">{SEVEN}</trace>{group("7", "0")}', namespace=""),
        ink(f'<traceGroup><annotation type="truth">7</annotation><trace id="0">{SEVEN}</trace></traceGroup>'),
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- from a pen -->' + plain(),
        b"\xef\xbb\xbf" + plain(),
        plain(
            head='<traceFormat><channel name="T"/><channel name="Y"/><channel name="X"/></traceFormat>',
            trace="1 0 0, 2 0 10, 3 20 5",
        ),
    ],
    ids=["plain", "lines", "time", "spaces", "floats", "flat", "xml:id", "bare", "inside", "xml", "bom", "channels"],
)
def test_every_spelling_of_a_symbol_is_read(data: bytes) -> None:
    """Namespaces, identifiers, channels, line breaks and nesting vary; the strokes are the same."""
    (symbol,) = read_expression(data).symbols
    assert symbol.label == "7"
    assert [stroke.tolist() for stroke in symbol.strokes] == [[[0, 0], [10, 0], [5, 20]]]


@pytest.mark.parametrize(
    ("head", "writer"),
    [
        ('<annotation type="writer">anna</annotation>', "anna"),
        ('<annotation type="writer"> Unknown </annotation>', ""),
        ('<annotation type="writer"></annotation>', ""),
        ("", ""),
        ('<annotation type="UI">"2009210-947-12.ink"</annotation>', "session 2009210-947"),
        ('<annotation type="UI">2011_IVC_DEPART_F001_E010</annotation>', ""),
        ('<annotation type="writer">bo</annotation><annotation type="UI">2009210-947-12</annotation>', "bo"),
    ],
)
def test_the_writer_is_who_the_file_names(head: str, writer: str) -> None:
    """The writer is the root's annotation; Unknown is nobody; MathBrush's sessions stand for the person who sat."""
    assert read_expression(plain(head)).writer == writer


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (f'<trace id="0">{SEVEN}</trace>{group(None, "0")}', "symbols without a truth"),
        (f'<trace id="0">{SEVEN}</trace>{group(" ", "0")}', "symbols without a truth"),
        (f'<trace id="0">{SEVEN}</trace>{group("7", "0", "9")}', "symbols that refer to a trace that is not there"),
        (f'<trace id="0"></trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f'<trace id="0">1, 2, 3</trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f'<trace id="0">1 2, 3</trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f'<trace id="0">1 2, x y</trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f'<trace id="0">1 2, nan 4</trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f'<trace id="0">1 2, 1e300 4</trace>{group("7", "0")}', "symbols of a trace that cannot be read"),
        (f"<trace id=\"0\">1 2, '3 '4</trace>{group('7', '0')}", "symbols of a trace that cannot be read"),
    ],
)
def test_a_symbol_that_cannot_be_drawn_is_told_apart(body: str, reason: str) -> None:
    """A symbol without truth, trace or sound numbers is left out, each for its own reason."""
    expression = read_expression(ink(body))
    assert expression.symbols == []
    assert expression.left_out == [reason]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<ink",
        b"<svg/>",
        b"\x00\x01\x02",
        ink(""),
        ink(f'<trace id="0">{SEVEN}</trace>'),
        b'<!DOCTYPE ink [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + plain(),
        b'<?xml version="1.0" encoding="no-such-code"?>' + plain(),
    ],
    ids=["empty", "cut", "svg", "binary", "no ink", "no symbols", "entities", "encoding"],
)
def test_a_file_that_is_no_inkml_is_refused(data: bytes) -> None:
    """What is not well-formed, marks no symbols or declares entities is one reason, never a crash."""
    with pytest.raises(NotInkMLError):
        read_expression(data)


def test_the_same_ink_counts_once(tmp_path: Path) -> None:
    """A second edition of an expression adds nothing, and is counted; a short dot in another hand is kept."""
    long = ", ".join(f"{i} {i * i % 17}" for i in range(30))
    body = f'<trace id="0">{long}</trace><trace id="1">3 4</trace>{group("7", "0")}{group(".", "1")}'
    other = f'<trace id="0">{long}, 40 2</trace><trace id="1">3 4</trace>{group("7", "0")}{group(".", "1")}'
    (tmp_path / "2011.inkml").write_bytes(ink(body))
    (tmp_path / "2012.inkml").write_bytes(ink(body, head='<annotation type="UI">again</annotation>'))
    (tmp_path / "other.inkml").write_bytes(ink(other))
    report = open_dataset(tmp_path).report
    assert report.labels == {"7": 2, ".": 2}
    assert [(one.reason, one.count) for one in report.left_out] == [("the same ink again", 2)]


def test_the_ink_is_as_wide_as_asked(tmp_path: Path) -> None:
    """A wider pen leaves more ink on the sample, and the report says how wide."""
    (tmp_path / "a.inkml").write_bytes(plain())
    thin = open_dataset(tmp_path, ink_width_px=1.0)
    wide = open_dataset(tmp_path, ink_width_px=6.0)
    assert wide.dataset.images.sum() > 3 * thin.dataset.images.astype(np.int64).sum()
    assert any("6 pixels" in note for note in wide.report.notes)


def test_an_ink_width_out_of_range_is_one_line(tmp_path: Path) -> None:
    """An impossible width is refused, not reported symbol by symbol."""
    (tmp_path / "a.inkml").write_bytes(plain())
    with pytest.raises(SettingsError, match="ink width"):
        open_dataset(tmp_path, ink_width_px=100.0)


def test_one_file_is_a_dataset_too(tmp_path: Path) -> None:
    """A single InkML file opens by itself."""
    (tmp_path / "a.inkml").write_bytes(plain())
    assert len(open_dataset(tmp_path / "a.inkml").dataset) == 1
