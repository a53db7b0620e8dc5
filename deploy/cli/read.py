"""``inkfleet read``: what is written in pictures and videos, and how well that is read."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from shared.errors import DataError, SettingsError
from shared.labels import LABEL_SETS

if TYPE_CHECKING:
    from deploy.reading.answer import Answer
    from deploy.reading.drawn import Drawings
    from deploy.reading.steps import DebugFolder
    from edge_client.expression import Solver
    from edge_client.reading import Recogniser
    from edge_client.vision.trace import PictureTrace

_FILE = click.Path(path_type=Path)


@click.command(
    name="read", context_settings={"auto_envvar_prefix": "INKFLEET_READ", "help_option_names": ["-h", "--help"]}
)
@click.argument("files", metavar="FILE…", type=_FILE, nargs=-1)
@click.option("--weights", type=_FILE, help="The .safetensors of a run (default: the weights that ship).")
@click.option(
    "--labels",
    type=click.Choice(sorted(LABEL_SETS)),
    default="algebra",
    show_default=True,
    help="The label set: which symbols are told apart.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for every file.")
@click.option("--overlay", type=_FILE, help="Draw what was read: a picture, or a folder where there are several.")
@click.option("--debug", type=_FILE, help="Write a picture of every step into this folder, and a page that shows them.")
@click.option(
    "--score", type=_FILE, help="Score the reader on a label file: lines of FILE, tab, what is written in it."
)
@click.option(
    "--errors",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="With --score: how many of the wrong readings are listed; --json lists them all.",
)
@click.option("--contact-sheet", type=_FILE, help="With --score: draw the wrong readings on one sheet.")
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True, help="CPU threads.")
def command(
    files: tuple[Path, ...],
    *,
    weights: Path | None,
    labels: str,
    as_json: bool,
    overlay: Path | None,
    debug: Path | None,
    score: Path | None,
    errors: int,
    contact_sheet: Path | None,
    threads: int,
) -> None:
    """Read handwritten maths in pictures and videos: expressions, their values, and how sure it is.

    Example: inkfleet read photo.jpg

    Example: inkfleet read page-*.jpg --json --overlay drawn/

    Example: inkfleet read photo.jpg --debug steps/

    Example: inkfleet read --score labels.tsv --weights runs/demo/weights.safetensors
    """
    if score is not None:
        if files:
            raise SettingsError(f"--score reads the pictures that {score} names; leave out {files[0]}")
        if overlay is not None or debug is not None:
            raise SettingsError("--overlay and --debug are for FILE…; with --score there is --contact-sheet")
        _score(score, labels, weights, threads, as_json=as_json, errors=errors, contact_sheet=contact_sheet)
        return
    if not files:
        raise SettingsError("no file to read; give pictures or videos, or --score with a label file")
    if contact_sheet is not None:
        raise SettingsError("--contact-sheet needs --score; to draw what was read there is --overlay")
    from deploy.reading.drawn import Drawings
    from deploy.reading.recogniser import open_recogniser
    from deploy.reading.steps import DebugFolder

    drawings = Drawings(overlay, files=len(files)) if overlay is not None else None
    steps = DebugFolder(debug, files=len(files)) if debug is not None else None
    recogniser = open_recogniser(labels, weights=weights, threads=threads)
    _read(files, recogniser, as_json=as_json, drawings=drawings, steps=steps)


def _read(
    files: tuple[Path, ...],
    recogniser: Recogniser,
    *,
    as_json: bool,
    drawings: Drawings | None,
    steps: DebugFolder | None,
) -> None:
    from deploy.cli.progress import progress_bar
    from edge_client.expression import Solver

    failed = 0
    with ExitStack() as stack:
        # Where the answers go to the same terminal, they are progress enough.
        silent = len(files) == 1 or sys.stdout.isatty()
        progress = None if silent else stack.enter_context(progress_bar("Reading"))
        solver = stack.enter_context(Solver())
        for done, file in enumerate(files):
            if progress is not None:
                progress(done, len(files))
            try:
                for answer, trace in _answers(file, recogniser, solver, traced=steps is not None):
                    _say(answer, as_json=as_json)
                    if drawings is not None:
                        drawings.add(answer)
                    if steps is not None and trace is not None:
                        steps.add(answer, trace)
            except DataError as error:
                if len(files) == 1:
                    raise
                failed += 1
                click.echo(f"inkfleet: {' '.join(str(error).split())}", err=True)
    if steps is not None:
        steps.finish()
    if failed:
        raise DataError(f"{failed} of {len(files)} files could not be read")


def _say(answer: Answer, *, as_json: bool) -> None:
    from deploy.reading.answer import in_words
    from edge_client.reading_json import as_json as reading_json

    if not as_json:
        click.echo("\n".join(in_words(answer)))
        return
    said = reading_json(answer.reading, answer.values, answer.name)
    if answer.frame is not None:
        said["frame"] = answer.frame
    click.echo(json.dumps(said, ensure_ascii=False))


def _answers(
    file: Path, recogniser: Recogniser, solver: Solver, *, traced: bool
) -> Iterator[tuple[Answer, PictureTrace | None]]:
    """Read one file: a picture has one answer, a video one for everything that is stable in it."""
    from deploy.reading.answer import Answer
    from deploy.reading.files import load_quietly
    from edge_client.pictures import is_video
    from edge_client.vision.trace import PictureTrace

    if is_video(file):
        from deploy.reading.video import read_video

        for stable in read_video(file, recogniser):
            trace = PictureTrace() if traced else None
            reading = recogniser.read(stable.picture, trace=trace) if traced else stable.reading
            values = solver.values(line.row for line in reading.lines)
            yield Answer(str(file), stable.picture, reading, values, frame=stable.frame), trace
        return
    picture = load_quietly(file)
    trace = PictureTrace() if traced else None
    reading = recogniser.read(picture, trace=trace)
    values = solver.values(line.row for line in reading.lines)
    yield Answer(str(file), picture, reading, values), trace


def _score(
    path: Path,
    labels: str,
    weights: Path | None,
    threads: int,
    *,
    as_json: bool,
    errors: int,
    contact_sheet: Path | None,
) -> None:
    from deploy.cli.progress import progress_bar
    from deploy.reading.drawn import check_picture_name, write_picture
    from deploy.reading.recogniser import open_recogniser
    from deploy.reading_score import read_truths
    from deploy.reading_score.report import as_json as score_json
    from deploy.reading_score.report import in_words
    from deploy.reading_score.run import read_all

    if contact_sheet is not None:
        check_picture_name(contact_sheet, option="--contact-sheet")
    truths = read_truths(path)
    recogniser = open_recogniser(labels, weights=weights, threads=threads)
    with progress_bar("Reading") as progress:
        outcomes = read_all(truths, recogniser, progress=progress)
    if as_json:
        click.echo(json.dumps(score_json(outcomes), ensure_ascii=False))
    else:
        click.echo("\n".join(in_words(outcomes, errors=errors)))
    if contact_sheet is not None:
        from deploy.reading_score.failures_sheet import failures_sheet

        write_picture(contact_sheet, failures_sheet(outcomes, recogniser))
    failures = [outcome.failure for outcome in outcomes if outcome.failure]
    if failures:
        raise DataError(f"{len(failures)} of {len(outcomes)} pictures could not be read: {failures[0]}")
