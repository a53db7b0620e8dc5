"""What every importer keeps, whatever the layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.dataset import UNKNOWN_WRITER
from shared.datasets import open_dataset
from shared.errors import DataError
from shared.labels import LabelSet
from shared.sample import INK_THRESHOLD, SIDE, ink_box

Layout = Any  # tests/shared/datasets/conftest.py

COUNTS = {"1": 6, "2": 6, "times": 6, "x": 6}


def test_every_symbol_is_taken_under_its_canonical_label(layout: Layout, tmp_path: Path) -> None:
    """All 24 symbols come out, six of each label, whatever the layout calls them."""
    imported = open_dataset(layout.build(tmp_path, True))
    assert imported.dataset.counts() == COUNTS
    assert imported.report.samples == 24
    assert imported.report.labels == COUNTS


def test_samples_are_canonical(layout: Layout, tmp_path: Path) -> None:
    """Each sample is ink on paper 0, and its ink spans the picture and is centred."""
    for sample in open_dataset(layout.build(tmp_path, True)).dataset.images:
        box = ink_box(sample)
        assert box is not None
        left, top, width, height = box
        assert max(width, height) >= SIDE - 1
        assert abs(2 * left + width - SIDE) <= 2
        assert abs(2 * top + height - SIDE) <= 2
        assert sample.max() > 200
        assert (sample < INK_THRESHOLD).mean() > 0.5


def test_writers_are_known_where_the_layout_names_them(layout: Layout, tmp_path: Path) -> None:
    """Named writers come through; where nobody is named, the writer is unknown."""
    imported = open_dataset(layout.build(tmp_path, True))
    assert set(imported.dataset.writers.tolist()) - {UNKNOWN_WRITER} == layout.writers
    assert set(imported.report.writers) == layout.writers
    expected = 8 if layout.writers else 24
    assert imported.report.unknown_writer == expected


def test_the_polarity_of_ink_does_not_matter(picture_layout: Layout, tmp_path: Path) -> None:
    """The same pictures inverted give the same samples, byte for byte."""
    dark = open_dataset(picture_layout.build(made(tmp_path / "dark"), True)).dataset
    light = open_dataset(picture_layout.build(made(tmp_path / "light"), False)).dataset
    assert np.array_equal(dark.images, light.images)


def test_opening_twice_gives_the_same(layout: Layout, tmp_path: Path) -> None:
    """Order and content do not vary from one reading to the next."""
    path = layout.build(tmp_path, True)
    once, again = open_dataset(path).dataset, open_dataset(path).dataset
    assert np.array_equal(once.images, again.images)
    assert once.labels.tolist() == again.labels.tolist()
    assert once.writers.tolist() == again.writers.tolist()


def test_classes_outside_the_label_set_are_left_out_and_counted(layout: Layout, tmp_path: Path) -> None:
    """With a label set, only its classes are taken, and the report counts the others."""
    report = open_dataset(layout.build(tmp_path, True), labels=LabelSet("few", ("2", "times", "9"))).report
    assert report.labels == {"2": 6, "times": 6}
    assert [(one.reason, one.count) for one in report.left_out] == [("of a class outside the label set", 12)]
    assert any("'x'" in example for example in report.left_out[0].examples)


def test_no_class_asked_for_is_one_clear_line(layout: Layout, tmp_path: Path) -> None:
    """Where nothing is left, the error names classes that were found and classes asked for."""
    with pytest.raises(DataError) as caught:
        open_dataset(layout.build(tmp_path, True), labels=LabelSet("other", ("8", "div")))
    message = str(caught.value)
    assert "found 1, 2, times, x" in message
    assert "asked for 8, div" in message
    assert "\n" not in message


def test_a_bad_file_is_left_out_and_counted(layout_of_files: Layout, tmp_path: Path) -> None:
    """One bad file among good ones does not end the import; the report names it."""
    report = open_dataset(layout_of_files.spoil(tmp_path)).report
    assert report.samples == layout_of_files.sound
    (left_out,) = report.left_out
    assert left_out.count == 1
    assert left_out.examples


def test_the_report_is_json_and_words(layout: Layout, tmp_path: Path) -> None:
    """The report survives JSON, and its words name the source, the count and the layout."""
    path = layout.build(tmp_path, True)
    report = open_dataset(path, labels=LabelSet("few", ("2", "times"))).report
    assert json.loads(json.dumps(report.as_json())) == report.as_json()
    assert report.as_json()["samples"] == 12
    words = report.in_words()
    assert all(part in words for part in (str(path), report.layout, "12 samples", "left out 12"))


def test_a_damaged_archive_is_one_clear_line(archive_layout: Layout, tmp_path: Path) -> None:
    """An archive cut in half is an error of one line that names it."""
    path = archive_layout.build(tmp_path, True)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_saved_opens_unchanged(layout: Layout, tmp_path: Path) -> None:
    """A dataset saved as npz opens as the very same samples: cropping again would damage thin ink."""
    dataset = open_dataset(layout.build(tmp_path, True)).dataset
    dataset.save(tmp_path / "saved.npz")
    saved = open_dataset(tmp_path / "saved.npz")
    assert np.array_equal(saved.dataset.images, dataset.images)
    assert saved.dataset.labels.tolist() == dataset.labels.tolist()
    assert saved.dataset.writers.tolist() == dataset.writers.tolist()
    assert not saved.report.left_out


def test_progress_reaches_its_end(layout: Layout, tmp_path: Path) -> None:
    """Progress, where it is told, never falls and ends at the total."""
    told: list[tuple[int, int]] = []
    open_dataset(layout.build(tmp_path, True), progress=lambda done, total: told.append((done, total)))
    if layout.name != "npz":
        assert told == sorted(told)
        assert told[-1][0] == told[-1][1] > 0


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder
