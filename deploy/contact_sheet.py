"""A contact sheet: for every label a strip of samples and a bar of how many there are, as one PNG."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.dataset import Dataset
from shared.datasets.polarity import spread
from shared.errors import SettingsError
from shared.sample import SIDE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PER_LABEL = 14
"""Samples shown of each label unless it is said."""

_ROWS = 26  # labels in one column of the sheet
_GAP = 4  # pixels between two samples
_DPI = 100
_ROW_INCH = 0.5
_NAME_INCH, _BAR_INCH, _MARGIN_INCH, _TITLE_INCH = 1.3, 1.5, 0.3, 0.95
_INK, _SOFT, _ACCENT = "#1c2430", "#7b8794", "#3f6ea8"
# fmt: off
_SIGNS = {
    "times": "×", "div": "÷", "forward_slash": "/", "ascii_124": "|", "prime": "′", "cdot": "·",
    "alpha": "α", "beta": "β", "gamma": "γ", "Delta": "Δ", "theta": "θ", "lambda": "λ", "mu": "μ", "pi": "π",
    "sigma": "σ", "phi": "φ", "sqrt": "√", "sum": "∑", "int": "∫", "infty": "∞", "ldots": "…", "rightarrow": "→",
    "pm": "±", "neq": "≠", "leq": "≤", "geq": "≥", "lt": "<", "gt": ">", "in": "∈", "forall": "∀", "exists": "∃",
}
# fmt: on


def contact_sheet(dataset: Dataset, *, title: str, per_label: int = PER_LABEL) -> bytes:
    """Draw the sheet.

    Args:
        dataset: what is shown; not empty.
        title: the headline.
        per_label: how many samples of each label, evenly spread over the dataset, so over its writers.

    Returns:
        A PNG.

    Raises:
        SettingsError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError("drawing needs matplotlib; install it with: pip install 'inkfleet[aggregator]'") from error

    labels = _in_order(dataset.counts())
    columns = math.ceil(len(labels) / _ROWS)
    rows = math.ceil(len(labels) / columns)
    strip_inch = per_label * _ROW_INCH
    column_inch = _NAME_INCH + strip_inch + _BAR_INCH + _MARGIN_INCH
    width, height = columns * column_inch + _MARGIN_INCH, rows * _ROW_INCH + _TITLE_INCH + _MARGIN_INCH
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(_MARGIN_INCH / width, 1 - 0.42 / height, title, color=_INK, size=15, weight="bold", parse_math=False)
    figure.text(_MARGIN_INCH / width, 1 - 0.68 / height, _in_words(dataset), color=_SOFT, size=10.5, parse_math=False)
    most = max(dataset.counts().values())
    for column in range(columns):
        left = _MARGIN_INCH + column * column_inch
        _column(
            figure,
            dataset,
            labels[column * rows : (column + 1) * rows],
            rows=rows,
            per_label=per_label,
            most=most,
            place=(
                left / width,
                _MARGIN_INCH / height,
                (column_inch - _MARGIN_INCH) / width,
                rows * _ROW_INCH / height,
            ),
        )
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a user's own label, in a script of their own
        figure.savefig(out, format="png", metadata={"Software": "inkfleet"})
    return out.getvalue()


def _column(
    figure: Figure,
    dataset: Dataset,
    labels: Sequence[str],
    *,
    rows: int,
    per_label: int,
    most: int,
    place: tuple[float, float, float, float],
) -> None:
    left, bottom, width, height = place
    total_inch = _NAME_INCH + per_label * _ROW_INCH + _BAR_INCH
    step = SIDE + _GAP
    counts = dataset.counts()
    names = figure.add_axes((left, bottom, width * _NAME_INCH / total_inch, height))
    strip_left = left + width * _NAME_INCH / total_inch
    strips = figure.add_axes((strip_left, bottom, width * per_label * _ROW_INCH / total_inch, height))
    bar_left = strip_left + width * (per_label * _ROW_INCH + 0.12) / total_inch
    bars = figure.add_axes((bar_left, bottom, width * (_BAR_INCH - 0.12) / total_inch, height))
    for axes in (names, strips, bars):
        axes.set_axis_off()

    page = np.full((rows * step, per_label * step), 255, np.uint8)
    for row, label in enumerate(labels):
        _strip(page[row * step : (row + 1) * step], dataset, label, per_label)
    strips.imshow(page, cmap="gray", vmin=0, vmax=255, aspect="auto", interpolation="antialiased")

    names.set_xlim(0, 1)
    bars.set_xlim(0, 1.75)
    for axes in (names, bars):
        axes.set_ylim(rows, 0)
    for row, label in enumerate(labels):
        sign = _SIGNS.get(label)
        heading, small = (sign, label) if sign else (label, "")
        name_size = 17 if len(heading) <= 4 else 11
        names.text(0.86, row + 0.5, heading, color=_INK, size=name_size, ha="right", va="center", parse_math=False)
        names.text(0.0, row + 0.5, small, color=_SOFT, size=8.5, va="center", parse_math=False)
        share = counts[label] / most
        bars.barh(row + 0.5, share, height=0.34, color=_ACCENT, linewidth=0)
        bars.text(share + 0.06, row + 0.5, f"{counts[label]:,}", color=_INK, size=10, va="center")


def _strip(page: NDArray[np.uint8], dataset: Dataset, label: str, per_label: int) -> None:
    """Draw samples of one label, dark on a tinted card each, into a strip of the page."""
    chosen = np.flatnonzero(dataset.labels == label)
    chosen = chosen[spread(len(chosen), most=per_label)]
    for place, i in enumerate(chosen):
        x = place * (SIDE + _GAP)
        card = page[_GAP // 2 : _GAP // 2 + SIDE, x : x + SIDE]
        card[:] = 244
        np.minimum(card, 255 - dataset.images[i], out=card)


def _in_order(counts: dict[str, int]) -> list[str]:
    from shared.labels import ALL

    known = {label: i for i, label in enumerate(ALL)}
    return sorted(counts, key=lambda label: (known.get(label, len(known)), label))


def _in_words(dataset: Dataset) -> str:
    writers = len(dataset.writers_by_samples())
    by = f", {writers:,} writers" if writers > 1 else ", 1 writer" if writers else ", writers unknown"
    labels = len(dataset.counts())
    return f"{len(dataset):,} samples, {labels} {'class' if labels == 1 else 'classes'}{by}"
