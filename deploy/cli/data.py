"""``inkfleet data``: import, generate, split and show handwriting."""

from __future__ import annotations

import json
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import rich_click as click

from deploy.cli.progress import progress_bar
from deploy.device_sets import account_of_devices, write_devices
from shared.dataset import Dataset
from shared.errors import DataError, SettingsError, StorageError
from shared.files import write_bytes
from shared.labels import LABEL_SETS, canonical_label, label_set
from shared.partition import (
    MINIMUM_SAMPLES,
    Indices,
    hold_out_writers,
    parse_partition,
    partition,
)

HOLDOUT = 0.1
"""The share of the writers that a split holds out unless it is said."""

_FILE = click.Path(path_type=Path)
_LABELS = click.option(
    "--labels",
    type=click.Choice(sorted(LABEL_SETS)),
    help="Take the classes of this label set only (default: every class).",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
_SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=7, show_default=True, help="What is drawn, is drawn from this."
)


@click.group(
    name="data",
    context_settings={"auto_envvar_prefix": "INKFLEET_DATA", "help_option_names": ["-h", "--help"]},
)
def group() -> None:
    """Import, generate, split and show handwriting."""


@group.command("import")
@click.argument("source", type=_FILE)
@click.option("--out", type=_FILE, required=True, help="The npz to write.")
@_LABELS
@click.option(
    "--ink-width", type=click.FloatRange(0.5, 22.5), help="Draw ink that comes as strokes this wide, in pixels of 45."
)
@_JSON
def import_(source: Path, out: Path, labels: str | None, ink_width: float | None, as_json: bool) -> None:
    """Turn a public set, or a folder of pictures of your own, into one npz.

    SOURCE is a folder or zip of <label>/<picture>, the Kaggle zip, CROHME InkML, HASYv2, an npz, or a device's sample
    store. Ink polarity and size are detected. What was left out is said, and why.

    Example: inkfleet data import crohme.zip --labels arithmetic --ink-width 3 --out crohme.npz
    """
    from deploy.datasets import open_any

    with progress_bar("Reading") as progress:
        imported = open_any(
            source, labels=label_set(labels) if labels else None, ink_width_px=ink_width, progress=progress
        )
    imported.dataset.save(out)
    _say({**imported.report.as_json(), "out": str(out)}, f"{imported.report.in_words()}\nwrote {out}", as_json)


@group.command()
@click.option(
    "--labels",
    type=click.Choice(["arithmetic", "algebra"]),
    default="arithmetic",
    show_default=True,
    help="What is written.",
)
@click.option("--writers", type=click.IntRange(min=1), default=20, show_default=True, help="How many people write.")
@click.option(
    "--samples-per-writer",
    type=click.IntRange(min=1),
    default=340,
    show_default=True,
    help="How much each of them writes.",
)
@_SEED
@click.option("--out", type=_FILE, required=True, help="The npz to write.")
@_JSON
def generate(labels: str, writers: int, samples_per_writer: int, seed: int, out: Path, as_json: bool) -> None:
    """Write handwriting by people who do not exist, each with their own hand.

    Example: inkfleet data generate --labels arithmetic --writers 20 --samples-per-writer 340 --seed 7 --out hands.npz
    """
    from shared.handwriting import generate as generate_handwriting

    dataset = generate_handwriting(label_set(labels), writers=writers, samples_per_writer=samples_per_writer, seed=seed)
    dataset.save(out)
    _say(
        {**_account(dataset), "seed": seed, "out": str(out)},
        f"wrote {len(dataset):,} samples of {len(dataset.counts())} classes by {writers:,} writers to {out}",
        as_json,
    )


@group.command()
@click.argument("source", metavar="FILE", type=_FILE)
@_LABELS
@click.option("--holdout-writers", type=float, help=f"The share of the writers to hold out (default: {HOLDOUT}).")
@click.option("--train-out", type=_FILE, help="The npz of the writers to train on.")
@click.option("--test-out", type=_FILE, help="The npz of the writers held out.")
@click.option("--partition", "spec", help="Deal out to devices: writer, iid, shards or dirichlet:ALPHA.")
@click.option("--devices", type=click.IntRange(min=1), help="How many devices.")
@click.option("--out", type=_FILE, help="The folder for one npz a device.")
@_SEED
@_JSON
def split(
    source: Path,
    labels: str | None,
    holdout_writers: float | None,
    train_out: Path | None,
    test_out: Path | None,
    spec: str | None,
    devices: int | None,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Hold writers out for a test, deal samples out to devices, or both.

    Held-out writers are held out whole; samples of unknown writers stay in training. With --partition, what is left to
    train on is dealt out, one npz a device.

    Example: inkfleet data split hands.npz --holdout-writers 0.1 --train-out train.npz --test-out test.npz

    Example: inkfleet data split hands.npz --partition dirichlet:0.3 --devices 8 --out hands
    """
    holds_out = bool(holdout_writers is not None or train_out or test_out)
    _check_split(holds_out, train_out, test_out, spec, devices, out)
    way = parse_partition(spec) if spec else None
    from deploy.datasets import open_any

    with progress_bar("Reading") as progress:
        dataset = open_any(source, labels=label_set(labels) if labels else None, progress=progress).dataset
    rng = np.random.default_rng(seed)
    said: dict[str, Any] = {"source": str(source), "seed": seed}
    lines = []
    train = dataset
    if holds_out:
        fraction = HOLDOUT if holdout_writers is None else holdout_writers
        train, test = hold_out_writers(dataset, fraction=fraction, rng=rng)
        for name, part, file in (("train", train, train_out), ("test", test, test_out)):
            said[name] = {**_account(part), "out": str(file) if file else None}
            if file:
                lines.append(f"{name}: {len(part):,} samples by {said[name]['writers']:,} writers in {file}")
    dealt: list[Indices] | None = None
    if way is not None and devices is not None and out is not None:
        dealt = partition(train, way, devices=devices, rng=rng)
        said["partition"], said["devices"] = str(way), account_of_devices(train, dealt, way=way, folder=out)
        sizes = [len(part) for part in dealt]
        each = f"{min(sizes):,} to {max(sizes):,}" if min(sizes) < max(sizes) else f"{max(sizes):,}"
        lines.append(f"{devices:,} devices of {each} samples ({way}) in {out}")
        small = sum(size < MINIMUM_SAMPLES for size in sizes)
        if small:
            lines.append(f"{small:,} of them have fewer than {MINIMUM_SAMPLES} samples")
    written: list[Path] = []
    try:
        for part, file in ((train, train_out), (test if holds_out else train, test_out)):
            if file:
                part.save(file)
                written.append(file)
        if dealt is not None and out is not None:
            write_devices(train, dealt, folder=out)
    except (StorageError, SettingsError):
        for file in written:  # half a split is none
            file.unlink(missing_ok=True)
        raise
    _say(said, "\n".join(lines), as_json)


@group.command()
@click.argument("source", metavar="FILE", type=_FILE)
@click.option("--label", "labels", multiple=True, help="Show this label only; may be given again.")
@click.option("--writer", "writers", multiple=True, help="Show this writer only; may be given again.")
@click.option(
    "--per-label", type=click.IntRange(1, 60), default=14, show_default=True, help="Samples shown of each label."
)
@click.option("--out", type=_FILE, required=True, help="The PNG to write.")
@_JSON
def show(
    source: Path, labels: tuple[str, ...], writers: tuple[str, ...], per_label: int, out: Path, as_json: bool
) -> None:
    """Draw a contact sheet: a strip of samples for every label, and how many there are.

    Example: inkfleet data show hands.npz --out hands.png

    Example: inkfleet data show hands.npz --label 1 --label 7 --writer writer-003 --out sevens.png
    """
    from deploy.contact_sheet import contact_sheet
    from deploy.datasets import open_any

    with progress_bar("Reading") as progress:
        dataset = open_any(source, progress=progress).dataset
    title = source.name
    if labels:
        asked = [canonical_label(label) for label in labels]
        _must_exist("label", asked, dataset.counts(), source)
        dataset = dataset.take(np.isin(dataset.labels, asked))
    if writers:
        _must_exist("writer", list(writers), dict.fromkeys(dataset.writers_by_samples(), 0), source)
        dataset = dataset.take(np.isin(dataset.writers, writers))
        title += f": {', '.join(writers)}"
    if not len(dataset):
        raise DataError(f"{source}: none of these writers wrote any of these labels")
    write_bytes(out, contact_sheet(dataset, title=title, per_label=per_label))
    said = {**_account(dataset), "out": str(out)}
    _say(said, f"drew {len(dataset.counts())} of the labels, {len(dataset):,} samples, to {out}", as_json)


def _check_split(
    holds_out: bool,
    train_out: Path | None,
    test_out: Path | None,
    spec: str | None,
    devices: int | None,
    out: Path | None,
) -> None:
    if not holds_out and spec is None:
        raise SettingsError("say how to split: --train-out and --test-out, or --partition with --devices and --out")
    if holds_out and test_out is None:
        raise SettingsError("holding writers out needs --test-out, the file for those held out")
    if holds_out and train_out is None and spec is None:
        raise SettingsError("holding writers out needs --train-out, the file for those to train on")
    if spec is not None and (devices is None or out is None):
        raise SettingsError(f"--partition {spec} needs --devices and --out, the folder for one npz a device")
    if spec is None and (devices is not None or out is not None):
        raise SettingsError("--devices and --out need --partition: writer, iid, shards or dirichlet:ALPHA")
    if train_out is not None and test_out is not None and train_out.absolute() == test_out.absolute():
        raise SettingsError(f"--train-out and --test-out are both {train_out}; name two files")


def _must_exist(what: str, asked: list[str], there: dict[str, int], source: Path) -> None:
    for name in asked:
        if name not in there:
            close = get_close_matches(name, there, n=1)
            named = list(there)[:8]
            hint = (
                f"did you mean {close[0]!r}?"
                if close
                else f"there are {', '.join(named)}"
                if named
                else "none is known"
            )
            more = f" and {len(there) - len(named)} more" if not close and len(there) > len(named) else ""
            raise DataError(f"{source} has no {what} {name!r}; {hint}{more}")


def _account(dataset: Dataset) -> dict[str, Any]:
    return {"samples": len(dataset), "labels": dataset.counts(), "writers": len(dataset.writers_by_samples())}


def _say(said: dict[str, Any], words: str, as_json: bool) -> None:
    click.echo(json.dumps(said, ensure_ascii=False) if as_json else words)
