"""Grids of cells whose darkness says how much: who holds which labels, and what was read as what."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.report.record import DeviceRecord
from deploy.report.svg import drawing, element, text, title
from deploy.report.wording import count, percent, plural, symbol

LEAST_SEEN = 0.06
"""How dark a cell is at least, if it is not empty."""


def label_grid(devices: Sequence[DeviceRecord], labels: Sequence[str], *, label: str) -> str:
    """Draw which part of its samples each device has of each label: a column a device, a row a label.

    The darkest cell holds the greatest share of the whole grid; even rows, where all shares are small, stay pale.
    """
    used = [name for name in labels if any(device.labels.get(name) for device in devices)]
    column = max(4.0, min(44.0, 840 / max(1, len(devices))))
    row = 17.0
    left, top, bottom = 34.0, 4.0, 22.0
    width, height = left + column * len(devices) + 4, top + row * len(used) + bottom
    greatest = max((n / device.samples for device in devices for n in device.labels.values() if n), default=1.0)
    greatest = max(greatest, 2.5 / max(1, len(used)))
    parts = []
    gap = 1.0 if column >= 8 else 0.4
    for i, name in enumerate(used):
        y = top + row * i
        parts.append(text(symbol(name), x=left - 8, y=y + 13, class_="tick", text_anchor="end"))
        paper = {"x": left, "y": y, "width": column * len(devices) - gap, "height": row - gap}
        parts.append(element("rect", class_="cell none", **paper))
    for j, device in enumerate(devices):
        for i, name in enumerate(used):
            samples = device.labels.get(name, 0)
            if not samples:
                continue
            share = samples / device.samples
            says = (
                f"{device.name}: {plural(samples, 'sample')} of {symbol(name)}, {percent(share, digits=0)} of its own"
            )
            parts.append(
                element(
                    "rect",
                    title(says),
                    x=left + column * j,
                    y=top + row * i,
                    width=column - gap,
                    height=row - gap,
                    class_="cell",
                    fill_opacity=_darkness(share / greatest),
                )
            )
    parts += [
        text(str(j + 1), x=left + column * (j + 0.5), y=height - 6, class_="tick", text_anchor="middle")
        for j in _marked(len(devices))
    ]
    return drawing(*parts, width=max(width, 200), height=height, label=label, scrolls=True)


def confusion_grid(confusion: Sequence[Sequence[int]], labels: Sequence[str], *, label: str) -> str:
    """Draw a confusion matrix: a row for what was written, a column for what was read.

    A cell's darkness is its share of the row; what was read rightly has another colour than what was misread.
    """
    rows = [i for i in range(len(labels)) if sum(confusion[i]) or any(line[i] for line in confusion)]
    cell = 24.0 if len(rows) <= 30 else 16.0
    left, top = 52.0, 40.0
    width = height = left + cell * len(rows) + 4
    parts = [
        text("read as", x=left + cell * len(rows) / 2, y=13, class_="tick", text_anchor="middle"),
        text(
            "written",
            x=12,
            y=top + cell * len(rows) / 2,
            class_="tick",
            text_anchor="middle",
            transform=f"rotate(-90 12 {top + cell * len(rows) / 2:.0f})",
        ),
    ]
    for i, true in enumerate(rows):
        middle = cell * (i + 0.5)
        name = symbol(labels[true])
        parts.append(text(name, x=left - 7, y=top + middle + 5, class_="tick", text_anchor="end"))
        parts.append(text(name, x=left + middle, y=top - 8, class_="tick", text_anchor="middle"))
        total = sum(confusion[true])
        for j, read in enumerate(rows):
            n = confusion[true][read]
            share = n / total if total else 0.0
            says = f"{name} read as {symbol(labels[read])}: {count(n)} of {count(total)}, {percent(share)}"
            kind = "cell none" if n == 0 else "cell" if true == read else "cell wrong"
            # A misreading of one in five is as dark as can be: it would be lost beside the diagonal otherwise.
            dark = share if true == read else min(1.0, 5 * share)
            parts.append(
                element(
                    "rect",
                    title(says),
                    x=left + cell * j,
                    y=top + cell * i,
                    width=cell - 1,
                    height=cell - 1,
                    class_=kind,
                    fill_opacity=_darkness(dark) if n else None,
                )
            )
            if n and true != read and cell >= 20:
                deep = " on-dark" if dark > 0.55 else ""
                parts.append(
                    text(
                        str(n) if n < 1000 else "1k+",
                        x=left + cell * (j + 0.5) - 0.5,
                        y=top + cell * (i + 0.5) + 3.5,
                        class_="in-cell" + deep,
                        text_anchor="middle",
                    )
                )
    return drawing(*parts, width=width, height=height, label=label)


def worst_confusions(
    confusion: Sequence[Sequence[int]], labels: Sequence[str], *, at_most: int = 8
) -> list[tuple[str, str, int, int]]:
    """Name the misreadings that cost most: (written, read as, how often, of how many), most frequent first."""
    found = [
        (labels[i], labels[j], n, sum(row))
        for i, row in enumerate(confusion)
        for j, n in enumerate(row)
        if i != j and n > 0
    ]
    return sorted(found, key=lambda one: (-one[2], one[0], one[1]))[:at_most]


def _darkness(share: float) -> str:
    return f"{LEAST_SEEN + (1 - LEAST_SEEN) * share:.3f}"


def _marked(columns: int) -> list[int]:
    """Choose the columns that get a number: all of a few, else the first and every tenth or so."""
    if columns <= 30:
        return list(range(columns))
    step = 10 if columns <= 150 else 20
    return [0, *range(step - 1, columns, step)]
