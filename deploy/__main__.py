"""The ``inkfleet`` command, also as ``python -m deploy``."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends the process, without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from deploy.cli import INTERRUPTED
    from deploy.cli import main as command_line

    try:
        command_line()
    except SystemExit as ending:
        if ending.code != INTERRUPTED:
            raise
        # Where Ctrl-C came while a module was being loaded, CPython 3.11 would end by the signal whatever the code is:
        # it takes note of a KeyboardInterrupt within exec(). Everything has been closed on the way here.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
