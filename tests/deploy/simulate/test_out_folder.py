"""The folder of results: what is replaced, what is kept, who may write."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.simulate.out_folder import OutFolder, Standing
from shared.errors import RunError, SettingsError, StorageError

STANDING = Standing(settings={"lr": "0.05"}, data_sha256="ab")


def test_a_second_simulation_may_not_write_to_the_same_folder(tmp_path: Path) -> None:
    """Two at a time would mix their results; after the first has ended, the folder is free."""
    with OutFolder(tmp_path), pytest.raises(RunError, match="another simulation is writing"), OutFolder(tmp_path):
        pass
    with OutFolder(tmp_path):
        pass


def test_a_folder_that_stays_empty_is_not_left_behind(tmp_path: Path) -> None:
    """A simulation that fails at once leaves the disk as it was."""
    with OutFolder(tmp_path / "a" / "b") as out:
        out.begin(STANDING, resume=False)
        out.drop_state()
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_not_replaced_without_force(tmp_path: Path) -> None:
    """A report that no simulation made stops it; --force does not stop."""
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(RunError, match=r"holds a report\.html that no simulation has made"), OutFolder(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html"]
    with OutFolder(tmp_path, force=True) as out:
        out.claim()
    assert not (tmp_path / "report.html").exists()


def test_earlier_results_stay_until_there_are_new_ones(tmp_path: Path) -> None:
    """A run that fails before its first round has taken nothing away; files of others are never touched."""
    for name in ("run.json", "report.html", "weights.safetensors", "weights-iid.safetensors", "notes.txt"):
        (tmp_path / name).write_text("old")
    with OutFolder(tmp_path) as out:
        out.begin(STANDING, resume=False)
        assert (tmp_path / "weights-iid.safetensors").exists()
        out.claim()
        out.drop_state()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt"]


def test_a_run_is_resumed_where_it_stood(tmp_path: Path) -> None:
    """What was kept comes back; without --resume it is forgotten."""
    with OutFolder(tmp_path) as out:
        out.keep(out.begin(STANDING, resume=False).model_copy(update={"elapsed_s": {"iid": 5.0}}))
    with OutFolder(tmp_path) as out:
        assert out.begin(STANDING, resume=True).elapsed_s == {"iid": 5.0}
    with OutFolder(tmp_path) as out:
        assert out.begin(STANDING, resume=False).elapsed_s == {}


def test_resuming_with_nothing_there_begins(tmp_path: Path) -> None:
    """The same command with --resume works however early the first one ended."""
    with OutFolder(tmp_path / "new") as out:
        assert out.begin(STANDING, resume=True) == STANDING


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (Standing(settings={"lr": "0.1"}, data_sha256="ab"), r"--lr: .* started with 0\.05, not 0\.1"),
        (Standing(settings={"lr": "0.05"}, data_sha256="cd"), "the data are not those"),
    ],
)
def test_a_run_is_not_resumed_with_other_settings_or_data(tmp_path: Path, other: Standing, says: str) -> None:
    """The line names the setting and both values."""
    with OutFolder(tmp_path) as out:
        out.begin(STANDING, resume=False)
    with OutFolder(tmp_path) as out, pytest.raises(SettingsError, match=says):
        out.begin(other, resume=True)


def test_a_run_of_an_earlier_version_goes_on_as_it_began(tmp_path: Path) -> None:
    """A setting that it knew nothing of had its default then, except where the default came with a change."""
    with OutFolder(tmp_path) as out:
        out.begin(STANDING, resume=False)
    known = {"balance": "0.0", "optimizer": "sgd", **STANDING.settings}
    with OutFolder(tmp_path) as out:
        with pytest.raises(SettingsError, match=r"--augment: .* started with 0\.0, not 0\.5"):
            out.begin(Standing(settings={"augment": "0.5", **known}, data_sha256="ab"), resume=True)
        found = out.begin(Standing(settings={"augment": "0.0", **known}, data_sha256="ab"), resume=True)
    assert found == STANDING


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in the way is one line."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write to"), OutFolder(tmp_path / "file" / "out"):
        pass


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening the lock and holding it, the one before may have removed its file: that one locks nobody out."""
    import fcntl

    real = fcntl.flock
    removed: list[int] = []

    def flock(descriptor: int, how: int) -> None:
        if not removed:
            (tmp_path / ".lock").unlink()
            removed.append(descriptor)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with OutFolder(tmp_path), pytest.raises(RunError, match="another simulation"), OutFolder(tmp_path):
        pass
