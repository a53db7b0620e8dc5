"""Pictures to read, made for tests and benchmarks: generated handwriting on paper, under light, before a camera.

    scene = draw_scene("3x+7=22", paper="squared", light="shadow", turn_deg=4)
    scene.picture, scene.truths, scene.symbols[0][3].box

A fraction with a bar is a row: ``(*row_of("1+"), fraction("a+b", "2"))``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_client.expression import row_of, text_of
from edge_client.expression.row import Bar, Raised, Row, Sign
from edge_client.vision.ink import Box
from shared.handwriting import Writer, draw_sample, draw_writer

Points = NDArray[np.float64]

BLACK, BLUE, RED, PENCIL = (35, 32, 30), (140, 60, 30), (45, 40, 150), (120, 118, 115)
"""Pens, in BGR."""

_SHIFT = 4  # bits of fraction in the coordinates OpenCV draws with
_BASELINE = 100.0  # units: a digit stands between 0 and the baseline
_MIDDLE = 55.0  # where operators and bars have their centre
_SMALL, _RAISED, _STACKED = 45.0, 0.62, 0.85


@dataclass(frozen=True)
class SceneSymbol:
    """One symbol of a scene: its label and its box in pixels of the picture, ``(x, y, width, height)``."""

    label: str
    box: Box


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what is written in it.

    Attributes:
        picture: ``(height, width, 3) uint8``, BGR.
        truths: the canonical text of every line, from top to bottom.
        symbols: of every line, in reading order; a fraction bar comes before its numerator.
    """

    picture: NDArray[np.uint8]
    truths: tuple[str, ...]
    symbols: tuple[tuple[SceneSymbol, ...], ...]


@dataclass(frozen=True, eq=False)
class _Written:
    """Strokes of one symbol, in units in which a digit is 100 high, y downwards."""

    label: str
    strokes: list[Points]

    def extent(self) -> tuple[float, float, float, float]:
        points = np.concatenate(self.strokes)
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)

    def moved(self, x: float, y: float, *, scale: float = 1.0) -> _Written:
        return replace(self, strokes=[stroke * scale + (x, y) for stroke in self.strokes])


def fraction(numerator: str | Row, denominator: str | Row) -> Bar:
    """Make a fraction with a bar of two rows or texts."""
    return Bar(_as_row(numerator), _as_row(denominator))


def draw_scene(
    *lines: str | Row,
    writer: Writer | None = None,
    seed: int = 0,
    width: int = 1280,
    height: int = 720,
    symbol_px: float = 90.0,
    spacing: float = 0.6,
    pen_px: int = 6,
    pen: tuple[int, int, int] = BLACK,
    paper: str = "plain",
    light: str = "even",
    turn_deg: float = 0.0,
    tilt: float = 0.0,
    desk: bool = False,
    noise: float = 2.0,
) -> Scene:
    """Write lines of maths and take a picture of them.

    Args:
        lines: from top to bottom, each a text for `row_of` or a row; none for an empty sheet.
        writer: whose hand it is; None for one drawn from the seed.
        seed: what the writing, the paper and the noise are drawn from.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        symbol_px: how high a digit is, in pixels; less where a line would not fit.
        spacing: free paper between one line's lowest ink and the next one's highest, in heights of a digit.
        pen_px: the width of the line, in pixels.
        pen: the colour of the ink, BGR.
        paper: ``plain``, ``ruled`` or ``squared``.
        light: ``even``, ``gradient``, or ``shadow``, a gradient with the edge of a shadow across the writing.
        turn_deg: how far the sheet is turned, counter-clockwise.
        tilt: how much shorter the far side of the sheet is, as a share.
        desk: whether the sheet is smaller than the picture and lies on something dark.
        noise: the standard deviation of the camera's noise, in grey levels.
    """
    rng = np.random.default_rng(seed)
    writer = writer or draw_writer(seed, 0, spread=0.5)
    rows = [_as_row(line) for line in lines]
    written = [_written(row, writer, rng) for row in rows]
    camera = _camera(width, height, turn_deg=turn_deg, tilt=tilt, share=0.86 if desk else 1.0)
    sheet = _sheet(width, height, paper=paper, spacing=symbol_px * 0.75 if paper == "squared" else symbol_px * 1.6)
    back = (52, 58, 66) if desk else (238, 242, 244)
    picture = cv2.warpPerspective(sheet, camera, (width, height), flags=cv2.INTER_AREA, borderValue=back)
    ink = np.zeros((height, width), np.uint8)
    symbols = []
    places = _placed(written, width, height, symbol_px=symbol_px, between=100 * spacing)
    for line, placed in zip(written, places, strict=True):
        scale, x, y = placed
        symbols.append(tuple(_draw(ink, part.moved(x, y, scale=scale), camera, pen_px=pen_px) for part in line))
    share = ink[:, :, None].astype(np.float32) / 255
    scene = picture * (1 - share) + np.array(pen, np.float32) * share
    scene *= _lit(width, height, light=light)[:, :, None]
    scene = cv2.GaussianBlur(scene, (0, 0), 0.6)
    if noise:
        scene += noise * rng.standard_normal((height, width, 1), np.float32)
    taken = np.clip(np.rint(scene), 0, 255).astype(np.uint8)
    return Scene(taken, tuple(text_of(row) for row in rows), tuple(symbols))


def draw_rows(count: int, *, fractions: bool, rng: np.random.Generator) -> list[Row]:
    """Make up lines of maths of 2 to 10 places, some with superscripts and, if wanted, with fractions in them."""
    return [_drawn_row(int(rng.integers(1, 6)), fractions=fractions, rng=rng) for _ in range(count)]


def _drawn_row(terms: int, *, fractions: bool, rng: np.random.Generator) -> Row:
    row: list[Sign | Raised | Bar] = []
    for number in range(terms):
        if number:
            row.append(Sign(str(rng.choice(["+", "-", "=", "times", "forward_slash"], p=[0.3, 0.3, 0.25, 0.1, 0.05]))))
        if fractions and rng.random() < 0.3:
            inner = bool(rng.random() < 0.2)
            over, under = (_drawn_row(int(rng.integers(1, 3)), fractions=inner, rng=rng) for _ in range(2))
            row.append(Bar(over, under))
            continue
        row += [Sign(digit) for digit in str(rng.integers(0, 40))]
        if rng.random() < 0.4:
            row.append(Sign(str(rng.choice(["x", "y", "a", "b"]))))
        if rng.random() < 0.3:
            row.append(Raised((Sign(str(rng.integers(2, 10))),)))
    return tuple(row)


def jpeg(picture: NDArray[np.uint8], *, quality: int = 90) -> bytes:
    """Encode a picture as a camera would."""
    done, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data.tobytes())


def _as_row(line: str | Row) -> Row:
    return row_of(line) if isinstance(line, str) else line


def _written(row: Row, writer: Writer, rng: np.random.Generator) -> list[_Written]:
    """Lay a row out from x = 0, its digits between y = 0 and the baseline."""
    line: list[_Written] = []
    x = 0.0
    for item in row:
        if isinstance(item, Sign):
            strokes = draw_sample(writer, item.label, rng)
            part = _Written(item.label, [np.asarray(stroke, np.float64) for stroke in strokes])
            group = [part.moved(0.0, _drop(item.label, part))]
            gap = rng.uniform(20, 34)
        elif isinstance(item, Raised):
            inner = _written(item.inner, writer, rng)
            top = line[-1].extent()[1] if line else 0.0
            foot = top + 0.33 * (_BASELINE - top)
            group = [part.moved(0.0, foot - _RAISED * _BASELINE, scale=_RAISED) for part in inner]
            gap = rng.uniform(14, 22)
        else:
            group = _fraction(item, writer, rng)
            gap = rng.uniform(24, 36)
        extents = [part.extent() for part in group]
        left, right = min(extent[0] for extent in extents), max(extent[2] for extent in extents)
        x += gap if line else 0.0
        line += [part.moved(x - left, 0.0) for part in group]
        x += right - left
    return line


def _drop(label: str, part: _Written) -> float:
    """How far a symbol must go down to stand where people write it."""
    _, top, _, bottom = part.extent()
    if label in ("+", "-", "times", "div", "="):
        return _MIDDLE - (top + bottom) / 2
    if label == "y":
        return _SMALL - top
    if label in ("(", ")", "forward_slash"):
        return _BASELINE / 2 - (top + bottom) / 2
    return _BASELINE - bottom


def _fraction(bar: Bar, writer: Writer, rng: np.random.Generator) -> list[_Written]:
    sides = []
    for side in (bar.numerator, bar.denominator):
        group = [part.moved(0.0, 0.0, scale=_STACKED) for part in _written(side, writer, rng)]
        extents = np.array([part.extent() for part in group])
        sides.append((group, extents[:, :2].min(axis=0), extents[:, 2:].max(axis=0)))
    length = max(float(high[0] - low[0]) for _, low, high in sides) + rng.uniform(16, 30)
    along = np.linspace(0, length, 12)
    stroke = np.stack([along, _MIDDLE + rng.uniform(1, 2) * np.sin(along / length * 5)], axis=1)
    line = [_Written("-", [stroke])]
    for (group, low, high), above in zip(sides, (True, False), strict=True):
        x = (length - float(high[0] - low[0])) / 2 - float(low[0])
        y = _MIDDLE - 24 - float(high[1]) if above else _MIDDLE + 24 - float(low[1])
        line += [part.moved(x, y) for part in group]
    return line


def _placed(
    written: list[list[_Written]], width: int, height: int, *, symbol_px: float, between: float
) -> list[tuple[float, float, float]]:
    """Find scale and offset of every line, so that all are of one size, apart, and inside the picture."""
    boxes = [np.array([part.extent() for part in line]) for line in written if line]
    if not boxes:
        return [(0.0, 0.0, 0.0) for _ in written]
    lows = [box[:, :2].min(axis=0) for box in boxes]
    highs = [box[:, 2:].max(axis=0) for box in boxes]
    widest = max(float(high[0] - low[0]) for low, high in zip(lows, highs, strict=True))
    tall = sum(float(high[1] - low[1]) for low, high in zip(lows, highs, strict=True)) + between * (len(boxes) - 1)
    scale = min(symbol_px / 100, 0.8 * width / widest, 0.8 * height / tall)
    places = []
    y = height / 2 - scale * tall / 2
    for low, high in zip(lows, highs, strict=True):
        places.append((scale, width / 2 - scale * widest / 2 - scale * float(low[0]), y - scale * float(low[1])))
        y += scale * (float(high[1] - low[1]) + between)
    return places


def _draw(ink: NDArray[np.uint8], part: _Written, camera: Points, *, pen_px: int) -> SceneSymbol:
    """Draw a symbol as the camera sees it; return where."""
    seen = [cv2.perspectiveTransform(stroke[None], camera)[0] for stroke in part.strokes]
    for stroke in seen:
        fixed = np.rint(stroke * (1 << _SHIFT)).astype(np.int32)
        cv2.polylines(ink, [fixed], False, 255, max(1, pen_px), cv2.LINE_AA, _SHIFT)
    points = np.concatenate(seen)
    low = np.floor(points.min(axis=0) - (pen_px - 1) / 2).astype(int)
    high = np.ceil(points.max(axis=0) + (pen_px + 1) / 2).astype(int)
    return SceneSymbol(part.label, (int(low[0]), int(low[1]), int(high[0] - low[0]), int(high[1] - low[1])))


def _camera(width: int, height: int, *, turn_deg: float, tilt: float, share: float) -> Points:
    """The homography from the sheet to the picture."""
    centre = np.array([width / 2, height / 2])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64) - centre
    angle = math.radians(turn_deg)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    seen = share * corners @ turn.T
    seen[:2, 0] *= 1 - tilt
    matrix: Points = cv2.getPerspectiveTransform(
        (corners + centre).astype(np.float32), (seen + centre).astype(np.float32)
    )
    return matrix


def _sheet(width: int, height: int, *, paper: str, spacing: float) -> NDArray[np.uint8]:
    sheet = np.full((height, width, 3), (238, 242, 244), np.uint8)
    thick = max(1, round(spacing / 60))
    if paper in ("ruled", "squared"):
        for y in np.arange(spacing / 2, height, spacing):
            cv2.line(sheet, (0, round(y)), (width, round(y)), (225, 205, 185), thick)
    if paper == "squared":
        for x in np.arange(spacing / 2, width, spacing):
            cv2.line(sheet, (round(x), 0), (round(x), height), (225, 205, 185), thick)
    return sheet


def _lit(width: int, height: int, *, light: str) -> NDArray[np.float32]:
    across, down = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)
    lit = np.ones((height, width), np.float32)
    if light in ("gradient", "shadow"):
        lit -= 0.35 * (0.6 * across[None, :] + 0.4 * down[:, None])
    if light == "shadow":
        edge = (across[None, :] + 0.25 * down[:, None] - 0.6) * 40
        lit *= 1 - 0.4 / (1 + np.exp(-edge))
    return lit
