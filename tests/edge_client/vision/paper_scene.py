"""Pictures of writing as a bad camera sees it, with the true box of every symbol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_client.vision import Box, InkPage
from edge_client.vision.trace import Picture
from tests.edge_client.vision.plain_symbols import written

BLACK, BLUE, RED, GREEN, PENCIL = (30, 30, 30), (120, 50, 30), (40, 40, 190), (60, 120, 40), (120, 120, 120)
WHITE, CREAM, SLATE = (245, 245, 245), (205, 225, 235), (45, 50, 40)
FAINT_BLUE, STRONG_BLUE, GREY_LINE = (225, 205, 185), (190, 130, 90), (150, 150, 150)
_FINE = 2

Labels = Sequence[str]
EXPRESSION: Labels = ("3", "x", "+", "7", "-", "2", "=", "5", "6")


@dataclass(frozen=True)
class Scene:
    """What is written on what, and how it is lit and seen. Lengths are in pixels of the picture."""

    labels: Labels = EXPRESSION
    width: int = 1280
    height: int = 720
    symbol_px: float = 90.0
    ink_px: float = 5.0
    ink: tuple[int, int, int] = BLACK
    paper: tuple[int, int, int] = WHITE
    rules_px: float = 0.0
    squares_px: float = 0.0
    line_px: float = 1.5
    line: tuple[int, int, int] = FAINT_BLUE
    turn_deg: float = 0.0
    perspective: float = 0.0
    shadow: float = 0.0
    shadow_edge_px: float = 1.0
    vignette: float = 0.0
    desk: float = 0.0
    blur_px: float = 0.6
    noise: float = 2.0
    jpeg: int = 85
    seed: int = 1


@dataclass(frozen=True, eq=False)
class Drawn:
    """A scene's picture, how many connected parts its ink has, and the box of every symbol in it, in pixels."""

    picture: Picture
    parts: int = 0
    boxes: tuple[Box, ...] = field(default=())


def draw(scene: Scene) -> Drawn:
    """Draw a scene; the same scene gives the same bytes."""
    rng = np.random.default_rng(scene.seed)
    bend = _homography(scene)
    size = scene.width * _FINE, scene.height * _FINE
    ink = np.zeros((size[1], size[0]), np.uint8)
    symbols = [[_through(bend, stroke) for stroke in strokes] for strokes in _written(scene, rng)]
    boxes = [_add(ink, strokes, ink_px=scene.ink_px) for strokes in symbols]
    page = np.empty((size[1], size[0], 3), np.uint8)
    page[:] = scene.paper
    lines = _lines(scene, bend, size)
    page[lines > 0] = scene.line
    page[ink > 0] = scene.ink
    picture = cv2.resize(page, (scene.width, scene.height), interpolation=cv2.INTER_AREA).astype(np.float32)
    if scene.desk:
        picture = _on_desk(picture, scene, bend, rng)
    picture *= _light(scene)[:, :, None]
    if scene.blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), scene.blur_px)
    if scene.noise:
        picture += scene.noise * rng.standard_normal(picture.shape, np.float32)
    result = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if scene.jpeg:
        result = cv2.imdecode(cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg])[1], cv2.IMREAD_COLOR)
    connected = cv2.connectedComponents(cv2.dilate(ink, np.ones((3, 3), np.uint8)))[0] - 1
    return Drawn(result, connected, tuple(boxes))


def _add(ink: Picture, strokes: list[NDArray[np.float64]], *, ink_px: float) -> Box:
    """Draw a symbol into the ink, and return the box of the pixels that it covers at least half of."""
    points = np.concatenate(strokes)
    margin = int(ink_px) + 4
    left, top = (int(v) - margin for v in np.floor(points.min(axis=0)))
    width, height = (int(v) + 2 * margin for v in np.ceil(np.ptp(points, axis=0)))
    alone = np.zeros((height * _FINE, width * _FINE), np.uint8)
    for stroke in strokes:
        fixed = np.rint((stroke - (left, top)) * _FINE * 16).astype(np.int32)
        cv2.polylines(alone, [fixed], False, 255, max(1, round(ink_px * _FINE)), cv2.LINE_8, 4)
    covered = cv2.resize(alone, (width, height), interpolation=cv2.INTER_AREA)
    x, y, w, h = (int(v) for v in cv2.boundingRect(cv2.compare(covered, 127, cv2.CMP_GE)))
    place = ink[top * _FINE : (top + height) * _FINE, left * _FINE : (left + width) * _FINE]
    np.maximum(place, alone, out=place)
    return left + x, top + y, w, h


def _written(scene: Scene, rng: np.random.Generator) -> list[list[NDArray[np.float64]]]:
    """Write the labels in a row, in the middle of the picture, before it is turned."""
    scale = scene.symbol_px / 100
    row, x = [], 0.0
    for label in scene.labels:
        strokes = [stroke * scale for stroke in written(label, rng)]
        left = min(float(stroke[:, 0].min()) for stroke in strokes)
        right = max(float(stroke[:, 0].max()) for stroke in strokes)
        row.append([stroke + np.array([x - left, 0.0]) for stroke in strokes])
        x += right - left + 0.25 * scene.symbol_px + 2 * scene.ink_px
    if not row:
        return []
    points = np.concatenate([stroke for strokes in row for stroke in strokes])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    shift = np.array([scene.width / 2, scene.height / 2]) - middle
    return [[stroke + shift for stroke in strokes] for strokes in row]


def _homography(scene: Scene) -> NDArray[np.float64]:
    centre = np.array([[1, 0, scene.width / 2], [0, 1, scene.height / 2], [0, 0, 1.0]])
    angle = np.deg2rad(scene.turn_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    tilt = np.array([[1, 0, 0], [0, 1, 0], [scene.perspective / scene.width, scene.perspective / scene.height, 1.0]])
    result: NDArray[np.float64] = centre @ turn @ tilt @ np.linalg.inv(centre)
    return result


def _through(bend: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    mapped = np.column_stack([points, np.ones(len(points))]) @ bend.T
    result: NDArray[np.float64] = mapped[:, :2] / mapped[:, 2:]
    return result


def _lines(scene: Scene, bend: NDArray[np.float64], size: tuple[int, int]) -> Picture:
    lines = np.zeros((size[1], size[0]), np.uint8)
    reach = 1.5 * max(scene.width, scene.height)
    spacing = scene.squares_px or scene.rules_px
    if not spacing:
        return lines
    thickness = max(1, round(scene.line_px * _FINE))
    for at in np.arange(-reach, reach, spacing):
        ends = [np.array([[-reach, at], [reach, at]])]
        if scene.squares_px:
            ends.append(np.array([[at, -reach], [at, reach]]))
        for end in ends:
            dense = np.linspace(end[0], end[1], 64)
            points = np.rint(_through(bend, dense) * _FINE * 16).astype(np.int32)
            cv2.polylines(lines, [points], False, 255, thickness, cv2.LINE_8, 4)
    return lines


def _on_desk(
    picture: NDArray[np.float32], scene: Scene, bend: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Lay the sheet on a dark, grained desk that takes this share of the picture's width and height."""
    margin = scene.desk / 2
    corners = np.array([[margin, margin], [1 - margin, margin], [1 - margin, 1 - margin], [margin, 1 - margin]])
    outline = _through(bend, corners * (scene.width, scene.height))
    sheet = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(sheet, np.rint(outline).astype(np.int32), 255)
    grain = rng.standard_normal((scene.height // 4, 8)).astype(np.float32)
    grain = cv2.resize(grain, (scene.width, scene.height), interpolation=cv2.INTER_LINEAR)
    desk = np.array([35, 55, 80], np.float32) + 12 * grain[:, :, None]
    return np.where(sheet[:, :, None] > 0, picture, desk).astype(np.float32)


def _light(scene: Scene) -> NDArray[np.float32]:
    rows, columns = np.mgrid[0 : scene.height, 0 : scene.width].astype(np.float32)
    light = np.ones((scene.height, scene.width), np.float32)
    if scene.shadow:
        # a slanted edge through the writing
        away = (columns - 0.45 * scene.width) * 0.9 + (rows - 0.5 * scene.height) * 0.44
        light -= scene.shadow / (1 + np.exp(-np.clip(4 * away / scene.shadow_edge_px, -50, 50)))
    if scene.vignette:
        reach = ((columns / scene.width - 0.5) ** 2 + (rows / scene.height - 0.5) ** 2) / 0.5
        light *= 1 - scene.vignette * reach
    return light


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    both = max(0, width) * max(0, height)
    return both / (one[2] * one[3] + other[2] * other[3] - both)


def found(page: InkPage, boxes: Sequence[Box]) -> tuple[list[float], int]:
    """Match parts to symbols: the overlap of every symbol with its parts together, and how many parts are nobody's."""
    owned: list[list[Box]] = [[] for _ in boxes]
    strays = 0
    for part in page.parts:
        box = page.box_in_picture(part)
        middle = box[0] + box[2] / 2, box[1] + box[3] / 2
        holds = [b[0] - 2 <= middle[0] <= b[0] + b[2] + 2 and b[1] - 2 <= middle[1] <= b[1] + b[3] + 2 for b in boxes]
        if any(holds):
            owned[holds.index(True)].append(box)
        else:
            strays += 1
    shares = []
    for truth, parts in zip(boxes, owned, strict=True):
        if not parts:
            shares.append(0.0)
            continue
        left, top = min(b[0] for b in parts), min(b[1] for b in parts)
        right, bottom = max(b[0] + b[2] for b in parts), max(b[1] + b[3] for b in parts)
        shares.append(overlap((left, top, right - left, bottom - top), truth))
    return shares, strays
