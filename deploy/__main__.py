"""The ``inkfleet`` command, also as ``python -m deploy``."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends the process, without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from deploy.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
