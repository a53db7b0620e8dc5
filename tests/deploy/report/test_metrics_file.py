"""The lines of metrics that are written while a run goes on."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from deploy.report.write import METRICS, add_metrics, write_metrics
from shared.errors import StorageError
from tests.deploy.report.synthetic import record


def test_lines_added_one_by_one_are_the_lines_written_together(tmp_path: Path) -> None:
    """A run that adds each round's line leaves the file that is written at its end."""
    made = record("iid", rounds=4)
    run = made.runs[0]
    begun = made.model_copy(update={"runs": (run.model_copy(update={"rounds": run.rounds[:1]}),)})
    (tmp_path / "added").mkdir()
    write_metrics(begun, tmp_path / "added")
    for line in run.rounds[1:]:
        add_metrics(line, tmp_path / "added")
    write_metrics(made, tmp_path / "written")
    assert (tmp_path / "added" / METRICS).read_bytes() == (tmp_path / "written" / METRICS).read_bytes()


def test_a_line_for_which_there_is_no_room_is_not_half_there(tmp_path: Path) -> None:
    """What stood in the file stands there still, and nothing after it."""
    made = record("iid", rounds=2)
    write_metrics(made, tmp_path)
    before = (tmp_path / METRICS).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*metrics\.jsonl: No space left"):
            add_metrics(made.runs[0].rounds[0], tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / METRICS).read_bytes() == before
