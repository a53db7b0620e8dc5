"""Lines of JSON, read where a crash may have cut the last one off."""

from __future__ import annotations

from pathlib import Path

from shared.json_lines import read_json_lines


def test_whole_objects_are_read_and_all_else_is_passed_over(tmp_path: Path) -> None:
    """Half a line, a line of something else, bytes that are no text and absurd depth lose no other line."""
    path = tmp_path / "events.jsonl"
    deep = b"[" * 100_000
    path.write_bytes(b'{"a": 1}\n[1]\n\n\xff\xfe\n' + deep + b'\n{"b": "\xff"}\r\n{"half": ')
    assert list(read_json_lines(path)) == [{"a": 1}, {"b": "�"}]


def test_a_file_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    """Nor has a folder."""
    assert list(read_json_lines(tmp_path / "none")) == list(read_json_lines(tmp_path)) == []
