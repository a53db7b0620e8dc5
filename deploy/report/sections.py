"""The parts of the page, each a heading, a sentence that says how to read it, and its picture or table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from deploy.chaos.account import in_words
from deploy.report.bars import holdout_ranges, time_bars
from deploy.report.curves import Line, curves
from deploy.report.grids import confusion_grid, label_grid, worst_confusions
from deploy.report.record import RoundRecord, RunRecord, SimulationRecord
from deploy.report.wording import NARROW_SPACE, count, duration, partition_name, percent, plural, size, symbol

OPEN_TABLE_ROUNDS = 12
"""A table of at most so many rounds is shown; a longer one waits for a click."""


def key_figures(record: SimulationRecord, run: RunRecord) -> str:
    """The run in six numbers."""
    last = run.last
    figures = [
        ("accuracy", percent(last.accuracy) if last else "–", f"on {record.tested_on}"),
        ("devices", count(len(run.devices)), f"{count(sum(d.samples for d in run.devices))} samples, kept by them"),
        ("rounds", f"{len(run.rounds)}", _a_round(record, run)),
        ("sent by devices", size(run.bytes_up), "weights, over MQTT"),
        ("sent to devices", size(run.bytes_down), "weights, over MQTT"),
        ("time", duration(run.wall_s), _outside(run)),
    ]
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(says)}</small></dd></div>"
        for name, value, says in figures
    )
    return f'<dl class="figures">{cells}</dl>'


def learning(record: SimulationRecord) -> str:
    """Accuracy and loss over the rounds, all partitions in one figure."""
    rounds = max([len(run.rounds) for run in record.runs] + [1])
    names = ", ".join(partition_name(run.partition) for run in record.runs)
    accuracy = curves(
        [
            Line(partition_name(run.partition), i, [(line.round, line.accuracy) for line in run.rounds])
            for i, run in enumerate(record.runs)
        ],
        label=f"Test accuracy after each communication round: {names}",
        write=percent,
        mark=lambda tick: f"{100 * tick:g}{NARROW_SPACE}%",
        rounds=rounds,
        ceiling=1.0,
    )
    loss = curves(
        [
            Line(partition_name(run.partition), i, [(line.round, line.loss) for line in run.rounds])
            for i, run in enumerate(record.runs)
        ],
        label=f"Test loss after each communication round: {names}",
        write=lambda value: f"{value:.2f}",
        rounds=rounds,
    )
    table = ""
    if len(record.runs) > 1:
        rows = [
            [_swatch(i, run), percent(run.last.accuracy), f"{run.last.loss:.3f}", *_milestones(run)]
            for i, run in enumerate(record.runs)
            if run.last is not None
        ]
        heads = ["partition", "accuracy", "loss", "rounds to 80 %", "to 90 %", "to 95 %"]
        table = _table(heads, rows, words=1)
    return _section(
        "How the fleet learnt",
        f"After each round the averaged weights read the test set: {plural(record.test_samples, 'sample')} by "
        f"{record.tested_on}. No device trained on any of it.",
        f'<div class="two"><figure><h3>Test accuracy</h3>{accuracy}</figure>'
        f"<figure><h3>Test loss (cross-entropy, nats)</h3>{loss}</figure></div>{table}",
    )


def holdings(record: SimulationRecord) -> str:
    """Who holds which labels, a heat map for each partition."""
    figures = []
    for run in record.runs:
        if not run.devices:
            continue
        sizes = sorted(device.samples for device in run.devices)
        between = f"{count(sizes[0])} to {count(sizes[-1])} samples each, median {count(sizes[len(sizes) // 2])}"
        if sizes[0] == sizes[-1]:
            between = f"{count(sizes[0])} samples each"
        grid = label_grid(run.devices, record.labels, label=f"Labels over devices, {partition_name(run.partition)}")
        figures.append(
            f'<figure class="stacked"><h3>{escape(partition_name(run.partition))}: {plural(len(run.devices), "device")}'
            f' with {between}</h3><div class="scroll" tabindex="0">{grid}</div></figure>'
        )
    return _section(
        "Who holds what",
        "A column is a device, a row a symbol; the darker a cell, the greater that symbol’s part of the device’s own "
        "samples. Even rows mean that all devices are alike (IID); patches mean that they differ.",
        "".join(figures),
    )


def misreadings(record: SimulationRecord, run: RunRecord) -> str:
    """The confusion matrix of the final weights, and the misreadings that cost most."""
    if not run.confusion:
        return ""
    worst = worst_confusions(run.confusion, record.labels)
    lines = "".join(
        f"<li><b>{escape(symbol(true))} → {escape(symbol(read))}</b>"
        f"<span>{count(n)} of {count(total)}, {percent(n / total)} of all {escape(symbol(true))}</span></li>"
        for true, read, n, total in worst
    )
    right = sum(run.confusion[i][i] for i in range(len(record.labels)))
    total = sum(map(sum, run.confusion))
    grid = confusion_grid(run.confusion, record.labels, label="Confusion matrix of the final weights on the test set")
    listed = f'<ul class="confusions">{lines}</ul>' if worst else "<p>Nothing was misread.</p>"
    return _section(
        "What it misreads",
        f"{count(total - right)} of {count(total)} test samples are misread by the final weights"
        f"{_of_run(record, run)}. A row is the symbol that was written, a column what was read. "
        "Rightly read symbols lie on the diagonal.",
        f'<div class="two"><figure>{grid}</figure><div><h3>Most frequent</h3>{listed}</div></div>',
    )


def time_and_devices(record: SimulationRecord, run: RunRecord) -> str:
    """Where the rounds' time went, and what local training did to each device's own hold-out."""
    parts = []
    if run.rounds:
        bars = time_bars(run.rounds, label="Seconds of each round, in training and outside it")
        keys = _keys(("training", "at least one device trains"), ("outside", "transfer, averaging, waiting"))
        parts.append(f"<figure><h3>Where the time went</h3>{keys}{bars}</figure>")
    if any(device.holdout_after for device in run.devices):
        ranges = holdout_ranges(run.devices, label="Accuracy on each device's own hold-out before and after training")
        keys = _keys(
            ("before dot", "the fleet’s weights, as received"),
            ("after dot", "after training on the device"),
            ("worse dot", "worse than before"),
        )
        parts.append(f"<figure><h3>On each device’s own hold-out, in its last round</h3>{keys}{ranges}</figure>")
    if not parts:
        return ""
    return _section(
        "Time, and the devices themselves",
        f"Every device keeps a few of its samples out of training and tests itself on them{_of_run(record, run)}.",
        f'<div class="two">{"".join(parts)}</div>',
    )


def suspicions(record: SimulationRecord, run: RunRecord) -> str:
    """Who attacked, and who was suspected; nothing where nobody was either."""
    shown = [device for device in run.devices if device.attacks or device.suspected or device.left_out]
    notices = list(dict.fromkeys(line.aggregation.notice for line in run.rounds if line.aggregation is not None))
    said = "".join(f"<p>{escape(notice[:1].upper() + notice[1:])}.</p>" for notice in notices if notice)
    if not shown:
        return _section("Whom the aggregation suspects", f"Nobody{_of_run(record, run)}.", said) if said else ""
    last: dict[str, str] = {}
    for line in run.rounds:
        last |= line.aggregation.suspects if line.aggregation is not None else {}
    shown.sort(key=lambda device: (-device.suspected, -device.left_out, device.name))
    rows = [
        [
            device.name,
            "yes" if device.attacks else "–",
            f"{device.suspected} of {device.rounds}",
            f"{device.left_out} of {device.rounds}",
            last.get(device.name, "–"),
        ]
        for device in shown
    ]
    attack = record.settings.get("attack", "")
    attackers = sum(device.attacks for device in run.devices)
    says = f"{plural(attackers, 'device')} attacked the fleet ({escape(attack)}). " if attackers else ""
    heads = ["device", "attacks", "rounds suspected", "rounds left out", "why, the last time"]
    return _section(
        "Whom the aggregation suspects",
        f"{says}A device is suspected where its update is far from all others; a rule such as Krum leaves out as many "
        f"updates as it was told to, honest ones too{_of_run(record, run)}.",
        _table(heads, rows, words=2) + said,
    )


def rests(record: SimulationRecord, run: RunRecord) -> str:
    """Who failed again and again, and was not invited for a while; nothing where nobody did."""
    rested = [device for device in run.devices if device.rested]
    if not rested:
        return ""
    rested.sort(key=lambda device: (-device.rested, device.name))
    rows = [
        [device.name, plural(device.rested, "time"), f"round {device.rested_until}", device.rested_why]
        for device in rested
    ]
    return _section(
        "Who rested",
        "A device that fails in rounds one after the other is not invited for one round, then two, four and so on"
        f"{_of_run(record, run)}.",
        _table(["device", "rested", "the last time until", "why"], rows, words=2),
    )


def rounds_tables(record: SimulationRecord) -> str:
    """Every round, in numbers."""
    heads = ["round", "accuracy", "loss", "updates", "samples", "time", "outside training", "up", "down", "weights"]
    parts = []
    for run in record.runs:
        table = _table(heads, [_round_row(line) for line in run.rounds], hashes=(9,))
        name = f"{partition_name(run.partition)}: {plural(len(run.rounds), 'round')}"
        if len(record.runs) == 1 and len(run.rounds) <= OPEN_TABLE_ROUNDS:
            parts.append(table)
        else:
            parts.append(f"<details><summary>{escape(name)}</summary>{table}</details>")
    return _section("The rounds in numbers", "The same numbers are in <code>metrics.jsonl</code>.", "".join(parts))


def chaos(record: SimulationRecord, run: RunRecord) -> str:
    """What was done to the run, and what became of its contributions; nothing where it was left alone."""
    if run.chaos is None:
        return ""
    rows = [[name, number] for name, number in in_words(run.chaos)]
    verdict = "Nothing was lost and nothing counted twice." if run.chaos.clean else "Something went wrong: see below."
    return _section(
        "What was done to it",
        f"{verdict} Faults were drawn at random{_of_run(record, run)}; what the devices saw was held against what the "
        "aggregator has, and every round’s weights against the updates that were to be in them.",
        _table(["what", "how often"], rows, words=1),
    )


def repeat_it(record: SimulationRecord) -> str:
    """The command, the settings, the versions and the hashes."""
    settings = _table(["setting", "value"], [[name, value] for name, value in record.settings.items()], words=2)
    versions = _table(["part", "version"], [[name, value] for name, value in record.versions.items()], words=2)
    hashes = _table(
        ["partition", "SHA-256 of the final weights"],
        [[partition_name(run.partition), run.weights_sha256 or "–"] for run in record.runs],
        words=1,
        hashes=(1,),
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in record.notes)
    return _section(
        "Repeat it",
        "The same data, settings and seed give the same weights, bit for bit, whatever the broker, the order in which "
        "updates arrive, or the number of processes.",
        f"<pre>{escape(record.command)}</pre>"
        f"{hashes}"
        + (f"<details><summary>About the data</summary><ul>{notes}</ul></details>" if notes else "")
        + f"<details><summary>Settings</summary>{settings}</details>"
        f"<details><summary>Versions and machine</summary>{versions}"
        f"<p>{escape(record.machine)}; {escape(record.broker)}; begun {escape(record.started)}.</p></details>",
    )


def _section(heading: str, says: str, body: str) -> str:
    return f"<section><h2>{escape(heading)}</h2><p>{says}</p>{body}</section>"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 0, hashes: tuple[int, ...] = ()) -> str:
    """Write a table: the first ``words`` columns to the left, the numbers to the right, hashes in even letters."""

    def kind(column: int) -> str:
        names = ["word"] if column < words else []
        names += ["hash"] if column in hashes else []
        names += ["whole"] if column in hashes and column == len(heads) - 1 and len(heads) == 2 else []
        return f' class="{" ".join(names)}"' if names else ""

    head = "".join(f"<th{kind(i)}>{escape(name)}</th>" for i, name in enumerate(heads))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind(i)}>{cell if cell.startswith('<i ') else escape(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _round_row(line: RoundRecord) -> list[str]:
    outside = percent(line.outside_training_s / line.wall_s, digits=0) if line.wall_s else "–"
    return [
        str(line.round),
        percent(line.accuracy, digits=2),
        f"{line.loss:.4f}",
        str(line.participants),
        count(line.samples),
        duration(line.wall_s),
        outside,
        size(line.bytes_up),
        size(line.bytes_down),
        line.weights_sha256[:10],
    ]


def _milestones(run: RunRecord) -> list[str]:
    return [
        next((str(line.round) for line in run.rounds if line.accuracy >= goal), "not reached")
        for goal in (0.80, 0.90, 0.95)
    ]


def _swatch(series: int, run: RunRecord) -> str:
    return f'<i class="swatch series-{series}"></i>{escape(partition_name(run.partition))}'


def _keys(*keys: tuple[str, str]) -> str:
    listed = "".join(f'<li><span class="key {kind}"></span>{escape(says)}</li>' for kind, says in keys)
    return f'<ul class="keys">{listed}</ul>'


def _of_run(record: SimulationRecord, run: RunRecord) -> str:
    return f" (partition {partition_name(run.partition)})" if len(record.runs) > 1 else ""


def _a_round(record: SimulationRecord, run: RunRecord) -> str:
    taking_part = record.per_round or len(run.devices)
    who = "all devices each" if taking_part >= len(run.devices) else f"{plural(taking_part, 'device')} each"
    return f"of {record.rounds_planned} planned, {who}" if len(run.rounds) < record.rounds_planned else who


def _outside(run: RunRecord) -> str:
    share = run.outside_training_share
    return f"{percent(share, digits=0)} of the rounds outside training" if share is not None else ""
