"""``accuracy.png``: test accuracy and loss over the communication rounds, a line for each partition."""

from __future__ import annotations

from io import BytesIO

from deploy.report.record import SimulationRecord
from deploy.report.wording import NARROW_SPACE, partition_name, percent

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0508f", "#8a6d00", "#3a8fbf")
"""After Okabe and Ito, "Color Universal Design" (2008): told apart by colour-blind people too."""

STYLES = ("-", "--", ":", "-.", (0, (5, 2)), (0, (1, 2)))


def accuracy_picture(record: SimulationRecord) -> bytes:
    """Draw the figure as PNG, 1500 by 600 pixels."""
    # Only the report needs matplotlib, which takes a second to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = Figure(figsize=(10, 4), dpi=150, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    accuracy, loss = figure.subplots(1, 2)
    for i, run in enumerate(record.runs):
        if not run.rounds:
            continue
        rounds = [line.round for line in run.rounds]
        name = partition_name(run.partition)
        look = {
            "color": COLOURS[i % len(COLOURS)],
            "linestyle": STYLES[i % len(STYLES)],
            "linewidth": 1.8,
            "marker": "o" if len(rounds) <= 20 else None,
            "markersize": 3.5,
        }
        accuracies = [100 * line.accuracy for line in run.rounds]
        accuracy.plot(rounds, accuracies, label=f"{name}, {percent(accuracies[-1] / 100)}", **look)
        loss.plot(rounds, [line.loss for line in run.rounds], label=name, **look)
    for axes, label in ((accuracy, "test accuracy"), (loss, "test loss (cross-entropy)")):
        axes.set_xlabel("communication round")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
    accuracy.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{NARROW_SPACE}%"))
    low, high = accuracy.get_ylim()
    accuracy.set_ylim(low, min(high, 100.5))
    loss.set_ylim(bottom=0)
    if any(run.rounds for run in record.runs):
        accuracy.legend(loc="lower right", frameon=False)
    accuracy.set_title(f"on {record.tested_on}", fontsize=10, loc="left", color="#555555")
    file = BytesIO()
    canvas.print_figure(file, format="png")
    return file.getvalue()
