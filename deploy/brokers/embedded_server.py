"""The embedded broker's process: ``python embedded_server.py CONFIGURATION``. People use ``inkfleet broker``.

A script that imports nothing of Inkfleet's, so that the process is small and starts fast. It ends when its standard
input closes: where the kernel cannot be asked to end it with its parent, this does.
"""

from __future__ import annotations

import logging
import os
import sys
import threading


def serve(configuration: str) -> None:
    """Serve until ended."""
    from iotcore.iotcore import IotCoreBroker

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # rumqttd reports every packet at the level of errors; only its silence is readable.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    broker = IotCoreBroker(config_path=configuration)
    broker.check_ports()
    broker.run_forever()


def _end_with_stdin() -> None:
    try:
        while os.read(0, 4096):
            pass
    finally:
        os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1])
