from __future__ import annotations

from pathlib import Path

from shared.set_aside import set_aside


def test_a_database_leaves_with_the_files_beside_it(tmp_path: Path) -> None:
    """What SQLite has written beside the database goes with it: part of the data may be there."""
    for name in ("a.sqlite", "a.sqlite-wal", "a.sqlite-shm", "b.sqlite"):
        (tmp_path / name).write_text(name)
    kept = set_aside(tmp_path / "a.sqlite", stamp="1")
    assert kept == tmp_path / "a.damaged-1.sqlite"
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "a.damaged-1.sqlite": "a.sqlite",
        "a.damaged-1.sqlite-wal": "a.sqlite-wal",
        "a.damaged-1.sqlite-shm": "a.sqlite-shm",
        "b.sqlite": "b.sqlite",
    }


def test_what_was_set_aside_before_is_left_alone(tmp_path: Path) -> None:
    """Two in one second, also where only a file beside the first is left, have different names."""
    (tmp_path / "a.damaged-1.sqlite-wal").write_text("earlier")
    (tmp_path / "a.sqlite").write_text("later")
    (tmp_path / "a.sqlite-wal").write_text("later's")
    assert set_aside(tmp_path / "a.sqlite", stamp="1") == tmp_path / "a.damaged-1-2.sqlite"
    assert (tmp_path / "a.damaged-1.sqlite-wal").read_text() == "earlier"


def test_a_database_that_is_gone_has_no_new_name(tmp_path: Path) -> None:
    """The files beside it leave all the same, so that another database does not take them for its own."""
    (tmp_path / "a.sqlite-wal").write_text("of the one that is gone")
    assert set_aside(tmp_path / "a.sqlite", stamp="1") is None
    assert [file.name for file in tmp_path.iterdir()] == ["a.damaged-1.sqlite-wal"]
