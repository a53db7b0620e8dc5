"""The same 24 symbols in every layout that the importers read."""

from __future__ import annotations

import csv
import io
import itertools
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.handwriting.pen import render_strokes

PER_LABEL = 6
WRITERS = ("anna", "bert", "")
STROKES: dict[str, list[list[tuple[float, float]]]] = {
    "1": [[(0.5, 0), (0.5, 1)]],
    "2": [[(0, 0.2), (0.5, 0), (1, 0.3), (0, 1), (1, 1)]],
    "times": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "x": [[(0, 0), (0.3, 0.5), (0, 1)], [(0.9, 0), (0.4, 0.5), (0.9, 1)]],
}
LATEX = {"times": "\\times"}

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """One way to lay the symbols out.

    Attributes:
        name: of the layout.
        build: writes it into a folder, with dark or light ink, and returns the path to open.
        writers: the known writers that come out.
        spoil: writes it with one bad file among the good ones; None where a layout has no files.
        sound: how many symbols are left then.
        pictures: it holds pictures, and so has a polarity.
    """

    name: str
    build: Callable[[Path, bool], Path]
    writers: frozenset[str]
    spoil: Callable[[Path], Path] | None
    sound: int
    pictures: bool = True

    @property
    def archive(self) -> bool:
        """It is one file."""
        return self.name.endswith(("npz", "zip", "tar"))


def strokes(label: str, i: int) -> list[NDArray[np.float64]]:
    """Draw a label's strokes a little differently each time."""
    rng = np.random.default_rng([ord(label[0]), i])
    lean = rng.uniform(-0.2, 0.2)
    made = []
    for stroke in STROKES[label]:
        points = np.array(stroke, dtype=np.float64)
        fine = np.concatenate([np.linspace(a, b, 6) for a, b in itertools.pairwise(points)])
        fine[:, 0] += lean * fine[:, 1]
        made.append(fine + rng.normal(0, 0.01, fine.shape))
    return made


def picture(label: str, i: int, *, dark: bool = True, margin: int = 4) -> Picture:
    """Draw a symbol as a picture with a margin of paper."""
    ink = render_strokes(strokes(label, i), ink_width_px=3.0)
    ink = np.pad(ink, margin)
    return 255 - ink if dark else ink


def png(image: Picture) -> bytes:
    """Encode a picture."""
    return bytes(cv2.imencode(".png", image)[1].tobytes())


def symbols() -> list[tuple[str, int, str]]:
    """List every symbol: label, number, writer."""
    return [(label, i, WRITERS[i % 3]) for label in STROKES for i in range(PER_LABEL)]


def inkml(label_strokes: list[tuple[str, list[NDArray[np.float64]]]], writer: str) -> str:
    """Write an expression as CROHME does."""
    traces, groups, number = [], [], 0
    for label, drawn in label_strokes:
        views = []
        for stroke in drawn:
            text = ", ".join(f"{x:.4f} {y:.4f}" for x, y in stroke * 100)
            traces.append(f'<trace id="{number}">{text}</trace>')
            views.append(f'<traceView traceDataRef="{number}"/>')
            number += 1
        truth = f'<annotation type="truth">{LATEX.get(label, label)}</annotation>'
        groups.append(f"<traceGroup>{truth}{''.join(views)}</traceGroup>")
    named = f'<annotation type="writer">{writer}</annotation>' if writer else ""
    whole = f'<annotation type="truth">Segmentation</annotation>{"".join(groups)}'
    body = f"{''.join(traces)}<traceGroup>{whole}</traceGroup>"
    return f'<ink xmlns="http://www.w3.org/2003/InkML">{named}{body}</ink>'


def write(root: Path, files: dict[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """Write files as a zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes]) -> Path:
    """Write files as a compressed tar."""
    with tarfile.open(path, "w:bz2") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def image_files(dark: bool, folder: str = "data/train/{label}/{i}.png") -> dict[str, bytes]:
    return {folder.format(label=label, i=i): png(picture(label, i, dark=dark)) for label, i, _ in symbols()}


def kaggle_files(dark: bool) -> dict[str, bytes]:
    files = image_files(dark, "extracted_images/{label}/exp{i}.png")
    return {name.replace("/x/", "/X/"): data for name, data in files.items()}


def inkml_files() -> dict[str, bytes]:
    return {
        f"part/{i}.inkml": inkml([(label, strokes(label, i)) for label in STROKES], WRITERS[i % 3]).encode()
        for i in range(PER_LABEL)
    }


def hasy_files(dark: bool) -> dict[str, bytes]:
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow(["path", "symbol_id", "latex", "user_id"])
    files = {}
    for number, (label, i, writer) in enumerate(symbols()):
        name = f"hasy-data/v2-{number:05d}.png"
        files[f"HASYv2/{name}"] = png(picture(label, i, dark=dark))
        rows.writerow([name, "31", LATEX.get(label, label), writer])
    files["HASYv2/hasy-data-labels.csv"] = table.getvalue().encode()
    files["HASYv2/symbols.csv"] = b"symbol_id,latex\n31,A\n"
    return files


def build_npz(folder: Path, dark: bool) -> Path:
    listed = symbols()
    path = folder / "set.npz"
    np.savez(
        path,
        X=np.stack([picture(label, i, dark=dark) for label, i, _ in listed]),
        y=np.array([label for label, _, _ in listed]),
        writer=np.array([writer for _, _, writer in listed]),
    )
    return path


BAD = b"this is no picture"
KNOWN = frozenset({"anna", "bert"})
NOBODY: frozenset[str] = frozenset()
LAYOUTS = [
    Layout("npz", build_npz, KNOWN, None, 24),
    Layout(
        "folder",
        lambda root, dark: write(root / "set", image_files(dark)),
        NOBODY,
        lambda root: write(root / "set", {**image_files(True), "data/train/1/0.png": BAD}),
        23,
    ),
    Layout(
        "folder-zip",
        lambda root, dark: zipped(root / "set.zip", image_files(dark)),
        NOBODY,
        lambda root: zipped(root / "set.zip", {**image_files(True), "data/train/1/0.png": BAD}),
        23,
    ),
    Layout(
        "kaggle",
        lambda root, dark: write(root / "set", kaggle_files(dark)),
        NOBODY,
        lambda root: write(root / "set", {**kaggle_files(True), "extracted_images/X/exp0.png": BAD}),
        23,
    ),
    Layout(
        "kaggle-zip",
        lambda root, dark: zipped(root / "set.zip", kaggle_files(dark)),
        NOBODY,
        lambda root: zipped(root / "set.zip", {**kaggle_files(True), "extracted_images/X/exp0.png": BAD}),
        23,
    ),
    Layout(
        "inkml",
        lambda root, dark: write(root / "set", inkml_files()),
        KNOWN,
        lambda root: write(root / "set", {**inkml_files(), "part/0.inkml": b"<ink"}),
        20,
        pictures=False,
    ),
    Layout(
        "inkml-zip",
        lambda root, dark: zipped(root / "set.zip", inkml_files()),
        KNOWN,
        lambda root: zipped(root / "set.zip", {**inkml_files(), "part/0.inkml": b""}),
        20,
        pictures=False,
    ),
    Layout(
        "hasy",
        lambda root, dark: write(root / "set", hasy_files(dark)),
        KNOWN,
        lambda root: write(root / "set", {**hasy_files(True), "HASYv2/hasy-data/v2-00000.png": BAD}),
        23,
    ),
    Layout(
        "hasy-zip",
        lambda root, dark: zipped(root / "set.zip", hasy_files(dark)),
        KNOWN,
        lambda root: zipped(root / "set.zip", {**hasy_files(True), "HASYv2/hasy-data/v2-00000.png": b""}),
        23,
    ),
    Layout(
        "hasy-tar",
        lambda root, dark: tarred(root / "set.tar.bz2", hasy_files(dark)),
        KNOWN,
        lambda root: tarred(root / "set.tar.bz2", {**hasy_files(True), "HASYv2/hasy-data/v2-00000.png": BAD}),
        23,
    ),
]


def _named(layout: Layout) -> str:
    return layout.name


@pytest.fixture(params=LAYOUTS, ids=_named)
def layout(request: pytest.FixtureRequest) -> Layout:
    """Every layout in turn."""
    chosen: Layout = request.param
    return chosen


@pytest.fixture(params=[layout for layout in LAYOUTS if layout.pictures], ids=_named)
def picture_layout(request: pytest.FixtureRequest) -> Layout:
    """Every layout of pictures, which have a polarity."""
    chosen: Layout = request.param
    return chosen


@pytest.fixture(params=[layout for layout in LAYOUTS if layout.spoil], ids=_named)
def layout_of_files(request: pytest.FixtureRequest) -> Layout:
    """Every layout of many files, of which one can be bad."""
    chosen: Layout = request.param
    return chosen


@pytest.fixture(params=[layout for layout in LAYOUTS if layout.archive], ids=_named)
def archive_layout(request: pytest.FixtureRequest) -> Layout:
    """Every layout that is one file, which can be cut short."""
    chosen: Layout = request.param
    return chosen
