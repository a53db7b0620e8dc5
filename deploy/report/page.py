"""``report.html``: one file that opens anywhere, asks nothing of the network, and reads in light and dark."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from deploy.report import sections
from deploy.report.record import SimulationRecord
from deploy.report.wording import partition_name, percent, plural


def report_page(record: SimulationRecord) -> str:
    """Write the whole page.

    Where there are several runs, the first is the one in the headline, and all are in the figure.
    """
    style = files("deploy.report").joinpath("page.css").read_text(encoding="utf-8")
    body = "".join(
        [
            "<header>",
            f'<p class="brand">Inkfleet · simulated fleet · {escape(record.started[:10])}</p>',
            f"<h1>{escape(headline(record))}</h1>",
            f'<p class="lead">{escape(_lead(record))}</p>',
            _unfinished(record),
            "</header>",
            *_parts(record),
            f"<footer>Written by inkfleet {escape(record.versions.get('inkfleet', ''))}. "
            "No picture left a device; only weights travelled.</footer>",
        ]
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">'
        f'<title>{escape(headline(record))}</title><link rel="icon" href="data:,"><style>{style}</style></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


def headline(record: SimulationRecord) -> str:
    """Say in one line what came out."""
    run = record.runs[0] if record.runs else None
    if run is None or run.last is None:
        return "No round was finished"
    return (
        f"{plural(len(run.devices), 'device')} learnt to read handwriting together: "
        f"{percent(run.last.accuracy)} on {record.tested_on}"
    )


def _lead(record: SimulationRecord) -> str:
    runs = ", ".join(partition_name(run.partition) for run in record.runs)
    fold = f" The figures are of the first of {len(record.runs)} runs: {runs}." if len(record.runs) > 1 else ""
    return (
        f"Every device trained on its own samples ({len(record.labels)} classes, dealt out "
        f"{_dealt(record)}) and sent weights alone, over "
        f"MQTT; an aggregator averaged them and sent the mean back.{fold}"
    )


def _dealt(record: SimulationRecord) -> str:
    partition = record.runs[0].partition if record.runs else ""
    return {"writer": "by writer", "iid": "evenly, IID"}.get(partition, f"by {partition_name(partition)}")


def _unfinished(record: SimulationRecord) -> str:
    if record.finished:
        return ""
    done = ", ".join(
        f"{partition_name(run.partition)}: {len(run.rounds)} of {record.rounds_planned} rounds" for run in record.runs
    )
    return f'<p class="notice">This run was ended before its last round ({escape(done or "no round finished")}). ' + (
        "The same command with <code>--resume</code> goes on with it.</p>"
    )


def _parts(record: SimulationRecord) -> list[str]:
    if not record.runs or record.runs[0].last is None:
        return [sections.repeat_it(record)]
    run = record.runs[0]
    return [
        sections.key_figures(record, run),
        sections.learning(record),
        sections.holdings(record),
        sections.misreadings(record, run),
        sections.time_and_devices(record, run),
        sections.suspicions(record, run),
        sections.rests(record, run),
        sections.chaos(record, run),
        sections.rounds_tables(record),
        sections.repeat_it(record),
    ]
