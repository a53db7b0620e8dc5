"""Where a page is found without anybody having said where."""

from __future__ import annotations

import errno
import socket


def page_port(host: str, asked: int | None, *, default: int) -> int:
    """Return the port asked for; without one the default, or 0, for any that is free, where that is taken."""
    if asked is not None:
        return asked
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, default))
            probe.listen(1)
        except OSError as error:
            # Any other failure is that of the address, and another port would not mend it.
            return 0 if error.errno in (errno.EADDRINUSE, errno.EACCES) else default
    return default
