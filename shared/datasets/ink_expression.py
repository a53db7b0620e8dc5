"""One InkML file (W3C Ink Markup Language, 2011) as CROHME writes it: traces, symbols with their truth, the writer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from shared.dataset import UNKNOWN_WRITER, writer_name
from shared.labels import canonical_label

NOT_XML = "not well-formed InkML"
NO_TRUTH = "symbols without a truth"
NO_TRACE = "symbols that refer to a trace that is not there"
BAD_TRACE = "symbols of a trace that cannot be read"
NO_SYMBOLS = "expressions without marked symbols"

_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"
# MathBrush names no writers, but its expressions are called date-time-number, and each date and time was one person's
# session.
_SESSION = re.compile(r'"?(\d{5,8}-\d{3,4})-\d+(?:\.ink)?"?')

Stroke = NDArray[np.float64]


class NotInkMLError(Exception):
    """A file is no InkML at all; the message is the reason, as a report states it."""


@dataclass(frozen=True)
class InkSymbol:
    """One symbol: its canonical label, and its strokes, each ``(n, 2) float64``, x rightwards and y downwards."""

    label: str
    strokes: list[Stroke]


@dataclass(frozen=True)
class InkExpression:
    """One file.

    Attributes:
        writer: who wrote it; the empty string where unknown.
        symbols: the symbols that can be drawn.
        left_out: a reason for each symbol that cannot.
        digest: of all traces, to tell the same ink in another edition.
    """

    writer: str
    symbols: list[InkSymbol]
    left_out: list[str]
    digest: bytes


def read_expression(data: bytes) -> InkExpression:
    """Read one InkML file.

    Raises:
        NotInkMLError: it is not well-formed, or marks no symbols.
    """
    # A document type can hold entities that unfold without bound; InkML needs none.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise NotInkMLError("InkML with a document type, which is not read")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise NotInkMLError(NOT_XML) from error
    if _tag(root) != "ink":
        raise NotInkMLError(NOT_XML)
    channels = _channels(root)
    texts = {_id(trace): trace.text or "" for trace in root.iter() if _tag(trace) == "trace"}
    traces = {name: _points(text, channels) for name, text in texts.items()}
    symbols: list[InkSymbol] = []
    left_out: list[str] = []
    for group in root.iter():
        if _tag(group) != "traceGroup":
            continue
        refers = list(_traces_of(group))
        if not refers:
            continue
        symbol = _symbol(group, refers, traces)
        if isinstance(symbol, str):
            left_out.append(symbol)
        else:
            symbols.append(symbol)
    if not symbols and not left_out:
        raise NotInkMLError(NO_SYMBOLS)
    digest = hashlib.blake2b("\n".join(texts.values()).encode(), digest_size=16).digest()
    return InkExpression(_writer(root), symbols, left_out, digest)


def _symbol(group: ElementTree.Element, refers: list[str], traces: Mapping[str, Stroke | None]) -> InkSymbol | str:
    label = canonical_label(_annotation(group, "truth") or "")
    if not label:
        return NO_TRUTH
    if any(name not in traces for name in refers):
        return NO_TRACE
    strokes = [traces[name] for name in refers]
    sound = [stroke for stroke in strokes if stroke is not None]
    if len(sound) < len(strokes):
        return BAD_TRACE
    return InkSymbol(label, sound)


def _traces_of(group: ElementTree.Element) -> Iterator[str]:
    """Name the traces that a group holds itself, by reference or in place; those of groups inside it are theirs."""
    for child in group:
        if _tag(child) == "traceView":
            refers = child.get("traceDataRef")
            if refers is not None:
                yield refers.rpartition("#")[2].strip()
        elif _tag(child) == "trace":
            yield _id(child)


def _points(text: str, channels: tuple[int, int]) -> Stroke | None:
    """Read ``x y[ …], x y[ …], …``; None where it is something else."""
    points = [point for point in text.split(",") if point.strip()]
    fields = text.replace(",", " ").split()
    width = len(fields) // len(points) if points else 0
    if width <= max(channels) or width * len(points) != len(fields):
        return None
    try:
        values = np.array(fields, dtype=np.float64).reshape(len(points), width)
    except ValueError:
        return None
    stroke = values[:, channels]
    # Beyond this, differences of coordinates lose the shape, or overflow.
    if not np.isfinite(stroke).all() or np.abs(stroke).max() > 1e9:
        return None
    return stroke


def _channels(root: ElementTree.Element) -> tuple[int, int]:
    """Find the positions of X and Y in a point."""
    for form in root.iter():
        if _tag(form) == "traceFormat":
            names = [child.get("name") for child in form.iter() if _tag(child) == "channel"]
            if "X" in names and "Y" in names:
                return names.index("X"), names.index("Y")
    return 0, 1


def _writer(root: ElementTree.Element) -> str:
    named = writer_name(_annotation(root, "writer") or "")
    if named:
        return named
    session = _SESSION.fullmatch((_annotation(root, "UI") or "").strip())
    return f"session {session.group(1)}" if session else UNKNOWN_WRITER


def _annotation(element: ElementTree.Element, kind: str) -> str | None:
    for child in element:
        if _tag(child) == "annotation" and child.get("type") == kind:
            return (child.text or "").strip()
    return None


def _id(element: ElementTree.Element) -> str:
    return (element.get("id") or element.get(_XML_ID) or "").strip()


def _tag(element: ElementTree.Element) -> str:
    """Return an element's name without its namespace, which some writers of InkML leave out."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
