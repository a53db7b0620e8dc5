"""``inkfleet data``: import, generate, split, show, as a person types them."""

from __future__ import annotations

import json
import resource
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

from deploy.cli import main
from deploy.datasets import open_any
from edge_client.sample_store import SampleStore
from shared.dataset import Dataset
from shared.datasets import open_dataset
from shared.errors import DataError
from shared.labels import label_set


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def said(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        said: dict[str, Any] = json.loads(line)
        return said


Run = Callable[..., Ended]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line as ``inkfleet data …``."""

    def ran(*arguments: object) -> Ended:
        code = 0
        try:
            main(["data", *map(str, arguments)])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return ran


def dataset(writers: int = 4, each: int = 12) -> Dataset:
    rng = np.random.default_rng(3)
    n = writers * each
    images = np.zeros((n, 45, 45), np.uint8)
    for i in range(n):
        images[i, :, rng.integers(18, 27)] = 255
    labels = ["1", "7", "x", "div"]
    return Dataset(
        images,
        np.array([labels[i % 4] for i in range(n)]),
        np.array([f"w{i // each}" for i in range(n)]),
    )


@pytest.fixture
def hands(tmp_path: Path) -> Path:
    """A dataset of four writers and four labels."""
    path = tmp_path / "hands.npz"
    dataset().save(path)
    return path


def pictures(folder: Path) -> Path:
    for label in ("1", "+"):
        (folder / label).mkdir(parents=True)
        for i in range(3):
            image = np.full((30, 30), 250, np.uint8)
            image[4:26, 10 + i : 13 + i] = 20
            cv2.imwrite(str(folder / label / f"{i}.png"), image)
    (folder / "1" / "notes.txt").write_text("no picture")
    return folder


def test_import_takes_a_folder_and_says_what_it_left_out(run: Run, tmp_path: Path) -> None:
    """The npz holds the samples, and the words tell what was left out and why."""
    ended = run("import", pictures(tmp_path / "mine"), "--out", tmp_path / "mine.npz")
    assert ended.code == 0
    assert "took 6 samples of 2 classes" in ended.out
    assert "left out 1: not a picture" in ended.out
    assert "notes.txt" in ended.out
    assert ended.err == ""
    assert open_dataset(tmp_path / "mine.npz").dataset.counts() == {"+": 3, "1": 3}


def test_import_speaks_json(run: Run, tmp_path: Path) -> None:
    """With --json there is one object on stdout, with the report in it."""
    said = run("import", pictures(tmp_path / "mine"), "--out", tmp_path / "mine.npz", "--labels", "all", "--json").said
    assert said["samples"] == 6
    assert said["labels"] == {"+": 3, "1": 3}
    assert said["left_out"][0]["count"] == 1
    assert said["out"] == str(tmp_path / "mine.npz")


def test_import_draws_ink_as_wide_as_asked(run: Run, tmp_path: Path) -> None:
    """--ink-width reaches the pen; out of range it is a usage error."""
    ink = (
        '<ink xmlns="http://www.w3.org/2003/InkML"><trace id="0">0 0, 10 0, 5 20</trace><traceGroup>'
        '<annotation type="truth">7</annotation><traceView traceDataRef="0"/></traceGroup></ink>'
    )
    (tmp_path / "a.inkml").write_text(ink)
    ended = run("import", tmp_path / "a.inkml", "--ink-width", "4", "--out", tmp_path / "a.npz")
    assert "drawn 4 pixels wide" in ended.out
    assert run("import", tmp_path / "a.inkml", "--ink-width", "90", "--out", tmp_path / "a.npz").code == 2


def test_import_reads_a_devices_sample_store(run: Run, tmp_path: Path) -> None:
    """A sample store is told by its first bytes, and its samples and writers come through."""
    with SampleStore.open(tmp_path / "store") as store:
        store.add(dataset(), source="test")
        stored = store.dataset()
    ended = run("import", tmp_path / "store", "--labels", "arithmetic", "--out", tmp_path / "out.npz")
    assert "a device's sample store" in ended.out
    assert "of a class outside the label set" in ended.out
    found = open_dataset(tmp_path / "out.npz").dataset
    assert found.counts() == stored.only(label_set("arithmetic")).counts()
    assert set(found.writers.tolist()) <= {"w0", "w1", "w2", "w3"}


def test_a_database_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    """Another program's database, and a damaged store, are one line, and stay as they are."""
    other, damaged = tmp_path / "other.db", tmp_path / "damaged.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    damaged.write_bytes(b"SQLite format 3\x00" + b"\xff" * 5000)
    for path, says in ((other, "not a device's sample store"), (damaged, "damaged")):
        before = path.read_bytes()
        with pytest.raises(DataError, match=says):
            open_any(path)
        assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["damaged.db", "other.db"]


def test_generate_writes_people(run: Run, tmp_path: Path) -> None:
    """As many writers and samples as asked for; the same seed gives the same bytes, another seed other hands."""
    options = ("generate", "--labels", "arithmetic", "--writers", 3, "--samples-per-writer", 17, "--json")
    said = run(*options, "--seed", 1, "--out", tmp_path / "a.npz").said
    assert (said["samples"], said["writers"], len(said["labels"])) == (51, 3, 17)
    run(*options, "--seed", 1, "--out", tmp_path / "b.npz")
    run(*options, "--seed", 2, "--out", tmp_path / "c.npz")
    a, b, c = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_split_holds_writers_out_whole(run: Run, hands: Path, tmp_path: Path) -> None:
    """Nobody is on both sides, nothing is lost, and the JSON counts both."""
    train, test = tmp_path / "train.npz", tmp_path / "test.npz"
    said = run("split", hands, "--holdout-writers", "0.3", "--train-out", train, "--test-out", test, "--json").said
    trained, tested = open_dataset(train).dataset, open_dataset(test).dataset
    assert not set(trained.writers.tolist()) & set(tested.writers.tolist())
    assert len(trained) + len(tested) == 48
    assert (said["train"]["samples"], said["test"]["samples"]) == (len(trained), len(tested))
    assert said["test"]["writers"] == 1


def test_split_deals_out_to_devices(run: Run, hands: Path, tmp_path: Path) -> None:
    """One npz a device, every sample once; a second split takes the place of the first."""
    out = tmp_path / "devices"
    assert run("split", hands, "--partition", "dirichlet:0.3", "--devices", 4, "--out", out).code == 0
    said = run("split", hands, "--partition", "shards", "--devices", 3, "--out", out, "--json").said
    files = sorted(out.iterdir())
    assert [file.name for file in files] == ["device-001.npz", "device-002.npz", "device-003.npz"]
    sizes = [len(open_dataset(file).dataset) for file in files]
    assert sum(sizes) == 48
    assert [device["samples"] for device in said["devices"]] == sizes
    assert sorted(path.name for path in tmp_path.iterdir()) == ["devices", "hands.npz"]


def test_split_does_both_at_once(run: Run, hands: Path, tmp_path: Path) -> None:
    """Writers are held out first, and the rest is dealt out."""
    said = run(
        "split", hands, "--holdout-writers", "0.25", "--test-out", tmp_path / "test.npz",
        "--partition", "writer", "--devices", 3, "--out", tmp_path / "devices", "--json",
    ).said  # fmt: skip
    held = set(open_dataset(tmp_path / "test.npz").dataset.writers.tolist())
    assert {device["writer"] for device in said["devices"]} == {"w0", "w1", "w2", "w3"} - held


def test_the_same_seed_splits_the_same(run: Run, hands: Path, tmp_path: Path) -> None:
    """The seed decides the files, byte for byte."""
    for name in ("a", "b"):
        run("split", hands, "--partition", "iid", "--devices", 3, "--seed", 5, "--out", tmp_path / name)
    run("split", hands, "--partition", "iid", "--devices", 3, "--seed", 6, "--out", tmp_path / "c")
    a, b, c = ((tmp_path / name / "device-001.npz").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_split_leaves_a_folder_of_something_else_alone(run: Run, hands: Path, tmp_path: Path) -> None:
    """A folder that no split wrote is never replaced."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    ended = run("split", hands, "--partition", "iid", "--devices", 2, "--out", tmp_path / "home")
    assert ended.code == 2
    assert "letter.txt" in ended.err
    assert (tmp_path / "home" / "letter.txt").read_text() == "dear"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ([], 2, "say how to split"),
        (["--holdout-writers", "0.1"], 2, "--test-out"),
        (["--holdout-writers", "0.1", "--test-out", "t"], 2, "--train-out"),
        (["--holdout-writers", "2", "--test-out", "t", "--train-out", "u"], 2, "between 0 and 1"),
        (["--test-out", "t", "--train-out", "t"], 2, "both t"),
        (["--partition", "iid"], 2, "--devices"),
        (["--devices", "3", "--out", "d"], 2, "--partition"),
        (["--partition", "chance", "--devices", "3", "--out", "d"], 2, "no partition is called 'chance'"),
        (["--partition", "writer", "--devices", "9", "--out", "d"], 2, "9 devices need a writer each"),
        (["--partition", "iid", "--devices", "999", "--out", "d"], 3, "do not go round"),
    ],
)
def test_a_split_that_cannot_be_is_one_line(
    options: list[str], code: int, says: str, run: Run, hands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Options that lack or contradict each other are one line, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    ended = run("split", hands, *options)
    assert ended.code == code
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["hands.npz"]


def test_a_split_on_a_full_disk_leaves_nothing(run: Run, hands: Path, tmp_path: Path) -> None:
    """Where the second file does not fit, the first goes too, and so do the devices."""
    many = tmp_path / "many.npz"
    images = np.random.default_rng(0).integers(0, 256, (60, 45, 45)).astype(np.uint8)
    images[:, :, 0] = images[:, :, -1] = 0
    Dataset(images, np.array(["1"] * 60), np.array(["a"] * 2 + ["b"] * 58)).save(many)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for options in (
        ["--train-out", tmp_path / "out" / "train.npz", "--test-out", tmp_path / "out" / "test.npz"],
        ["--partition", "writer", "--devices", 2, "--out", tmp_path / "out" / "devices"],
    ):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        try:
            ended = run("split", many, *options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert ended.code == 7
        assert len(ended.err.splitlines()) == 1
        assert list((tmp_path / "out").iterdir()) == []


def test_show_draws_a_contact_sheet(run: Run, hands: Path, tmp_path: Path) -> None:
    """A PNG with a row for every label: fewer labels make a lower sheet."""
    pytest.importorskip("matplotlib")
    said = run("show", hands, "--out", tmp_path / "all.png", "--json").said
    assert said["labels"] == {"1": 12, "7": 12, "x": 12, "div": 12}
    assert run("show", hands, "--label", "\\div", "--writer", "w2", "--out", tmp_path / "one.png").code == 0
    whole, one = (cv2.imread(str(tmp_path / name)) for name in ("all.png", "one.png"))
    assert whole is not None
    assert one is not None
    assert whole.shape[0] > one.shape[0]
    assert whole.shape[1] == one.shape[1]
    assert (whole < 100).any()


def test_show_draws_every_class_there_is(run: Run, tmp_path: Path) -> None:
    """A hundred classes, and a label in a script of one's own, fit on a sheet without a warning."""
    pytest.importorskip("matplotlib")
    names = [*label_set("all").labels, "$x$", "漢字", "\\frac"]
    images = np.zeros((len(names), 45, 45), np.uint8)
    images[:, :, 22] = 255
    Dataset(images, np.array(names), np.array([""] * len(names))).save(tmp_path / "all.npz")
    ended = run("show", tmp_path / "all.npz", "--out", tmp_path / "all.png")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--label", "plus"], "has no label '+'; there are"),
        (["--writer", "w22"], "did you mean 'w2'?"),
        (["--writer", "w0", "--label", "9"], "has no label '9'"),
    ],
)
def test_show_of_what_is_not_there_names_what_is(
    options: list[str], says: str, run: Run, hands: Path, tmp_path: Path
) -> None:
    """A label or writer that the set lacks is one line, and no picture is written."""
    ended = run("show", hands, *options, "--out", tmp_path / "a.png")
    assert ended.code == 3
    assert says in ended.err
    assert len(ended.err.splitlines()) == 1
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("command", ["import", "split", "show"])
def test_a_missing_file_is_one_line(command: str, run: Run, tmp_path: Path) -> None:
    """Every command that reads says which path is not there."""
    options = ["--partition", "iid", "--devices", "2"] if command == "split" else []
    ended = run(command, tmp_path / "none.npz", *options, "--out", tmp_path / "out")
    assert ended.code == 3
    assert f"no dataset is at {tmp_path / 'none.npz'}" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["import", "generate", "split", "show"])
def test_every_command_shows_an_example(command: str, run: Run) -> None:
    """--help has an example of the command."""
    ended = run(command, "--help")
    assert ended.code == 0
    assert f"inkfleet data {command}" in ended.out
    assert "Example:" in ended.out


def test_options_are_read_from_the_environment(
    run: Run, hands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option that is not given is looked for in ``INKFLEET_DATA_…``."""
    monkeypatch.setenv("INKFLEET_DATA_IMPORT_OUT", str(tmp_path / "env.npz"))
    assert run("import", hands).code == 0
    assert (tmp_path / "env.npz").exists()
