"""Files of one JSON object a line, as they are left by whoever was killed while writing the last one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read objects line by line; what is no object is passed over, and a file that cannot be read has none.

    Args:
        path: the file, in UTF-8; what is not becomes replacement characters.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(entry, dict):
                    yield entry
    except OSError:
        return
