"""The importers on real sets, which are not part of the project."""

from __future__ import annotations

import time
import zipfile
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.datasets import Imported, open_dataset
from shared.labels import label_set

pytestmark = [pytest.mark.needs_data, pytest.mark.xdist_group("real_handwriting")]


@pytest.fixture(scope="module")
def crohme45(handwriting: Path) -> tuple[Imported, float]:
    """The large set, imported once, and the CPU time that it took, in seconds."""
    start = time.process_time()
    imported = open_dataset(handwriting / "crohme45_train.npz")
    return imported, time.process_time() - start


def test_the_large_npz_opens_in_seconds_and_unharmed(handwriting: Path, crohme45: tuple[Imported, float]) -> None:
    """101,761 pictures cropped already: only their polarity changes, not one pixel's place; 642 writers."""
    imported, cpu_s = crohme45
    assert imported.report.samples == 101_761
    assert len(imported.report.writers) == 642
    assert not imported.report.left_out
    with np.load(handwriting / "crohme45_train.npz") as file:
        assert np.array_equal(imported.dataset.images, 255 - file["X"])
    assert cpu_s < 20


def test_photographed_symbols_of_another_size(handwriting: Path, tmp_path: Path) -> None:
    """Every tenth of the 28×28 symbols without writers: the operators are found under their own names."""
    with np.load(handwriting / "bhmsds28.npz") as file:
        np.savez(tmp_path / "few.npz", X=file["X"][::10], y=file["y"][::10])
    report = open_dataset(tmp_path / "few.npz", labels=label_set("arithmetic")).report
    assert report.labels == dict.fromkeys("0123456789+-", 150)
    assert not report.writers
    assert report.unknown_writer == 1_800


def test_white_on_black_with_names_in_words(handwriting: Path, tmp_path: Path) -> None:
    """Light ink, folders inside train, val and test, and a dot for "times" that is not learnt as a cross.

    Some of every folder: its first 20 pictures.
    """
    few = tmp_path / "few.zip"
    with zipfile.ZipFile(handwriting / "mdas_symbols_v1.zip") as whole, zipfile.ZipFile(few, "w") as part:
        pictures = [name for name in sorted(whole.namelist()) if name.endswith(".png")]
        for _, folder in groupby(pictures, key=lambda name: name.rpartition("/")[0]):
            for name in islice(folder, 20):
                part.writestr(name, whole.read(name))
    imported = open_dataset(few, labels=label_set("algebra"))
    assert imported.report.labels == dict.fromkeys(("+", "times", "div", "forward_slash", "-"), 60)
    assert imported.report.left_out[0].examples == ("'cdot': 60",)
    assert any("light ink on dark paper" in note for note in imported.report.notes)
    assert np.median(imported.dataset.images) == 0


def test_genuine_kaggle_pictures_are_not_scaled_again(handwriting: Path) -> None:
    """45×45 JPEG pictures, cropped already, keep every pixel."""
    imported = open_dataset(handwriting / "kaggle_real_sample_91.zip")
    assert imported.report.labels == dict.fromkeys([*"0123456789", "+", "-", "x"], 7)
    assert any("already 45×45" in note for note in imported.report.notes)


def test_crohme_inkml_from_every_source(handwriting: Path, tmp_path: Path) -> None:
    """Every sixtieth expression: all four sources, almost all writers known, only known labels."""
    few = tmp_path / "few.zip"
    with zipfile.ZipFile(handwriting / "crohme_inkml_train.zip") as whole, zipfile.ZipFile(few, "w") as part:
        for name in sorted(whole.namelist())[::60]:
            part.writestr(name, whole.read(name))
    imported = open_dataset(few, ink_width_px=1.0)
    report = imported.report
    assert report.samples > 1000
    assert report.unknown_writer < 0.05 * report.samples
    assert set(report.labels) <= set(label_set("all").labels)
    assert sum(one.count for one in report.left_out) < 10
    assert any(name.startswith("session ") for name in report.writers)


def test_drawn_strokes_look_like_the_rendered_set(
    handwriting: Path, tmp_path: Path, crohme45: tuple[Imported, float]
) -> None:
    """Symbols drawn from InkML correlate with those that another program drew from the same ink."""
    few = tmp_path / "few.zip"
    with zipfile.ZipFile(handwriting / "crohme_inkml_train.zip") as whole, zipfile.ZipFile(few, "w") as part:
        for name in [name for name in sorted(whole.namelist()) if name.startswith("MathBrush/2009210-947-")][:12]:
            part.writestr(name, whole.read(name))
    ours = open_dataset(few, ink_width_px=1.0).dataset
    theirs = crohme45[0].dataset

    def mean(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        average: NDArray[np.float64] = images.astype(np.float64).mean(axis=0)
        return average.ravel()

    for label in ("+", "2", "="):
        own = mean(ours.images[ours.labels == label])
        right = np.corrcoef(own, mean(theirs.images[theirs.labels == label]))[0, 1]
        wrong = np.corrcoef(own, mean(theirs.images[theirs.labels == "0"]))[0, 1]
        assert right > wrong + 0.15, label
