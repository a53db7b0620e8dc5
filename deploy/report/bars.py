"""Where the time of the rounds went, and what local training did on each device's own hold-out."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.report.record import DeviceRecord, RoundRecord
from deploy.report.svg import Scale, drawing, element, nice_ticks, text, title, whole_ticks
from deploy.report.wording import duration, percent

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 40


def time_bars(rounds: Sequence[RoundRecord], *, label: str) -> str:
    """Draw a bar a round: local training below, everything else (transfer, averaging, waiting) on top of it."""
    ticks = nice_ticks(0, max((line.wall_s for line in rounds), default=1.0), about=4)
    y = Scale(0, ticks[-1], HEIGHT - BOTTOM, TOP)
    last = max((line.round for line in rounds), default=1)
    step = (WIDTH - LEFT - RIGHT) / last
    x = Scale(0.5, last + 0.5, LEFT, WIDTH - RIGHT)
    parts = [_values(ticks, y, unit="s")]
    for line in rounds:
        training_s = max(0.0, line.wall_s - line.outside_training_s)
        share = line.outside_training_s / line.wall_s if line.wall_s else 0.0
        says = f"round {line.round}: {duration(line.wall_s)}, of it {percent(share)} outside training"
        left, width = x(line.round) - 0.4 * step, 0.8 * step
        border, upper = y(training_s), y(line.wall_s)
        bars = (
            element("rect", x=left, y=border, width=width, height=y.start - border, class_="bar training"),
            element("rect", x=left, y=upper, width=width, height=border - upper, class_="bar outside"),
        )
        parts.append(element("g", title(says), *bars))
    parts += [
        text(str(tick), x=x(tick), y=HEIGHT - BOTTOM + 18, class_="tick", text_anchor="middle")
        for tick in whole_ticks(last)
        if tick
    ]
    parts.append(_caption("round"))
    return drawing(*parts, width=WIDTH, height=HEIGHT, label=label)


def holdout_ranges(devices: Sequence[DeviceRecord], *, label: str) -> str:
    """Draw a vertical line a device: from the global weights (open) to its own after training (filled)."""
    shown = [device for device in devices if device.holdout_before is not None and device.holdout_after is not None]
    pairs = [
        (device, device.holdout_before.accuracy, device.holdout_after.accuracy)
        for device in shown
        if device.holdout_before is not None and device.holdout_after is not None
    ]
    pairs.sort(key=lambda pair: (pair[2], pair[1], pair[0].name))
    lowest = min((min(before, after) for _, before, after in pairs), default=0.0)
    ticks = [tick for tick in nice_ticks(min(lowest, 0.95), 1.0, about=4) if 0 <= tick <= 1 + 1e-9]
    y = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP + 6)
    x = Scale(0.5, len(pairs) + 0.5, LEFT + 6, WIDTH - RIGHT)
    parts = [_values([100 * tick for tick in ticks], Scale(100 * y.low, 100 * y.high, y.start, y.end), unit="%")]
    radius = 5.0 if len(pairs) <= 24 else 2.6 if len(pairs) <= 90 else 1.8
    for place, (device, before, after) in enumerate(pairs, start=1):
        samples = device.holdout_after.samples if device.holdout_after else 0
        says = f"{device.name}: {percent(before)} before, {percent(after)} after, on {samples} samples of its own"
        way = "worse" if after < before else "better"
        marks = (
            element("line", x1=x(place), x2=x(place), y1=y(before), y2=y(after), class_=f"range {way}"),
            element("circle", cx=x(place), cy=y(before), r=radius, class_="before"),
            element("circle", cx=x(place), cy=y(after), r=radius, class_=f"after {way}"),
        )
        parts.append(element("g", title(says), *marks))
    parts.append(_caption("devices, by their accuracy after training"))
    return drawing(*parts, width=WIDTH, height=HEIGHT, label=label)


def _values(ticks: Sequence[float], y: Scale, *, unit: str) -> str:
    parts = []
    for tick in ticks:
        parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y(tick), y2=y(tick), class_="grid"))
        parts.append(text(f"{tick:g} {unit}", x=LEFT - 7, y=y(tick) + 4, class_="tick", text_anchor="end"))
    parts.append(element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y.start, y2=y.start, class_="axis"))
    return "".join(parts)


def _caption(words: str) -> str:
    return text(words, x=(LEFT + WIDTH - RIGHT) / 2, y=HEIGHT - 5, class_="tick", text_anchor="middle")
