"""Line charts: a quantity over the rounds, one line for each partition."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.report.svg import Scale, drawing, element, nice_ticks, path, spread, text, title, whole_ticks

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 46, 96, 14, 40
LABEL_GAP = 15
DASHES = (None, "7 3", "2 3", "9 3 2 3", "5 2", "1 2")
"""Lines differ by dashes as well as by colour, for those who do not tell the colours apart."""


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        name: for its label.
        series: picks its colour: the number of its partition in the run.
        points: (round, value), in the order of the rounds.
    """

    name: str
    series: int
    points: Sequence[tuple[int, float]]


def curves(
    lines: Sequence[Line],
    *,
    label: str,
    write: Callable[[float], str],
    rounds: int,
    mark: Callable[[float], str] = lambda tick: f"{tick:g}",
    ceiling: float | None = None,
) -> str:
    """Draw lines over the rounds, each with its name and last value at its end.

    Args:
        lines: what to draw; a line without points is left out.
        label: what is shown, for those who cannot see it.
        write: writes a value for the labels.
        rounds: the last round on the axis.
        mark: writes a round value for the axis.
        ceiling: the greatest value there can be, such as 1 for an accuracy.
    """
    drawn = [line for line in lines if line.points]
    values = [value for line in drawn for _, value in line.points]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    ticks = nice_ticks(_floor(low, high, ceiling=ceiling), high if ceiling is None else min(ceiling, high))
    if ceiling is not None:
        ticks = [tick for tick in ticks if tick <= ceiling + 1e-9]
    x = Scale(0, max(1, rounds), LEFT, WIDTH - RIGHT)
    y = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_axes(x, y, ticks, rounds=rounds, mark=mark)]
    ends = [y(line.points[-1][1]) for line in drawn]
    for line, place in zip(
        drawn, spread(ends, gap=2 * LABEL_GAP - 3, low=TOP + 4, high=HEIGHT - BOTTOM - LABEL_GAP), strict=True
    ):
        parts.append(_line(line, x, y, label_y=place, write=write))
    return drawing(*parts, width=WIDTH, height=HEIGHT, label=label)


def _floor(low: float, high: float, *, ceiling: float | None) -> float:
    """Begin at 0, unless all values lie near the ceiling: there the differences are what one wants to see."""
    if ceiling is None or low < 0.5 * ceiling:
        return 0.0
    return low - 0.1 * max(high - low, 0.02)


def _axes(x: Scale, y: Scale, ticks: Sequence[float], *, rounds: int, mark: Callable[[float], str]) -> str:
    parts = []
    for tick in ticks:
        parts.append(element("line", x1=x.start, x2=x.end, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(text(mark(tick), x=x.start - 7, y=y(tick) + 4, class_="tick", text_anchor="end"))
    parts += [
        text(str(tick), x=x(tick), y=HEIGHT - BOTTOM + 18, class_="tick", text_anchor="middle")
        for tick in whole_ticks(max(1, rounds))
    ]
    parts.append(
        text("communication round", x=(x.start + x.end) / 2, y=HEIGHT - 5, class_="tick", text_anchor="middle")
    )
    parts.append(element("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis"))
    return "".join(parts)


def _line(line: Line, x: Scale, y: Scale, *, label_y: float, write: Callable[[float], str]) -> str:
    series = f"series-{line.series}"
    points = [(x(number), y(value)) for number, value in line.points]
    parts = [path(points, class_=f"line {series}", stroke_dasharray=DASHES[line.series % len(DASHES)])]
    for (number, value), (px, py) in zip(line.points, points, strict=True):
        parts.append(
            element(
                "circle",
                title(f"{line.name}, round {number}: {write(value)}"),
                cx=px,
                cy=py,
                r=3 if len(points) <= 20 else 2,
                class_=f"point {series}",
            )
        )
    end_x, end_y = points[-1]
    if abs(label_y - end_y) > 3:
        parts.append(element("line", x1=end_x + 4, y1=end_y, x2=end_x + 9, y2=label_y, class_=f"leader {series}"))
    parts.append(text(write(line.points[-1][1]), x=end_x + 11, y=label_y + 4, class_=f"end {series}"))
    parts.append(text(line.name, x=end_x + 11, y=label_y + 4 + LABEL_GAP - 2, class_="end name"))
    return "".join(parts)
