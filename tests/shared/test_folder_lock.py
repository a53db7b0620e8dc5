"""A folder that belongs to one process at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import RunError, StorageError
from shared.folder_lock import FolderLock


def test_a_folder_has_one_holder(tmp_path: Path) -> None:
    """The second is told which process has it, and what that is; when the first has died, the folder is free."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib\nfrom shared.folder_lock import FolderLock\n"
            "FolderLock(pathlib.Path(sys.argv[1]), holder='aggregator').__enter__()\n"
            "print('held', flush=True); sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with (
        pytest.raises(RunError, match=rf"in use by another aggregator \(process {holder.pid}\)"),
        FolderLock(tmp_path, holder="aggregator"),
    ):
        pass
    with (
        pytest.raises(RunError, match=rf"in use by its aggregator \(process {holder.pid}\)"),
        FolderLock(tmp_path, holder="device"),
    ):
        pass
    holder.kill()
    holder.communicate()
    with FolderLock(tmp_path, holder="aggregator"):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file where the folder should be is said in a line."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StorageError, match="cannot use folder"),
        FolderLock(tmp_path / "file" / "folder", holder="device"),
    ):
        pass
