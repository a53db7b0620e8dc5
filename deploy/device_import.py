"""Adds a dataset to a device's sample store, in a process of its own.

What reads pictures (OpenCV) and unpacks a large set takes memory that a process never gives back, and that a device
which trains for weeks does not have to spare. `import_data` starts ``python -m deploy.device_import``, which writes to
the store and ends; between the two go lines of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.errors import DataError, InkfleetError, RunError, StorageError

_REMEMBERED = "imported.json"
_ERRORS: dict[int, type[InkfleetError]] = {kind.exit_code: kind for kind in (DataError, StorageError)}
_PROGRESS_INTERVAL_S = 0.2


def import_data(
    data: Path,
    *,
    store: Path,
    labels: str | None,
    max_samples: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any] | None:
    """Add a dataset to a sample store; samples that it holds already are not added again.

    A file that has not changed since it was last added to this store is not even read; see `forget_import`.

    Args:
        data: what `deploy.datasets.open_any` opens.
        store: the sample store's file; it may be open here.
        labels: the name of the label set to take; None for every label.
        max_samples: the store's cap.
        on_progress: told ``(done, total)``.

    Returns:
        ``samples`` in the data, ``added``, ``known``, ``left`` and the import's ``notes``; None for an unchanged file.

    Raises:
        DataError: the data cannot be used.
        StorageError: the store cannot be written.
        RunError: the process that imports was killed.
    """
    if not data.exists():
        raise DataError(f"{data}: there is no such file or folder; name a dataset to --data")
    mark = _mark(data, labels=labels, max_samples=max_samples)
    remembered = store.with_name(_REMEMBERED)
    if mark is not None and _read(remembered) == mark:
        return None
    command = [sys.executable, "-m", "deploy.device_import", str(store), str(data), labels or "", str(max_samples)]
    result: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                result = json.loads(line)
                if on_progress is not None and "total" in result:
                    on_progress(result["done"], result["total"])
        except BaseException:
            process.kill()
            raise
    if "error" in result:
        raise _ERRORS.get(process.returncode, InkfleetError)(result["error"])
    if process.returncode or "added" not in result:
        raise RunError(f"the import of {data} ended with code {process.returncode}; is there enough memory?")
    if mark is not None:
        from shared.files import write_bytes

        write_bytes(remembered, json.dumps(mark).encode())
    return result


def forget_import(store: Path) -> None:
    """Forget what was imported, so that the next import reads its file again: the store was emptied."""
    store.with_name(_REMEMBERED).unlink(missing_ok=True)


def _mark(data: Path, *, labels: str | None, max_samples: int) -> list[Any] | None:
    """Say which state of a file was imported, and how; None for a folder, whose files may change unseen."""
    if not data.is_file():
        return None
    state = data.stat()
    return [str(data.resolve()), state.st_size, state.st_mtime_ns, labels, max_samples]


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None


def _main(store: str, data: str, labels: str, max_samples: str) -> int:
    from deploy.datasets import open_any
    from edge_client.sample_store import SampleStore
    from shared.labels import label_set

    said_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal said_at
        if done == total or time.monotonic() >= said_at + _PROGRESS_INTERVAL_S:
            said_at = time.monotonic()
            _say({"done": done, "total": total})

    try:
        imported = open_any(Path(data), labels=label_set(labels) if labels else None, progress=progress)
        with SampleStore.open(Path(store), max_samples=int(max_samples)) as samples:
            added = samples.add(imported.dataset, source=Path(data).name)
    except InkfleetError as error:
        _say({"error": str(error)})
        return error.exit_code
    _say(
        {
            "samples": len(imported.dataset),
            "added": added.added,
            "known": added.known,
            "left": added.left,
            "notes": imported.report.in_words().splitlines()[2:],
        }
    )
    return 0


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
