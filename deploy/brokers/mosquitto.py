"""Eclipse Mosquitto, where it is installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from deploy.brokers import tether
from shared.errors import BrokerError, SettingsError
from shared.files import write_bytes

# Debian installs it where a user's PATH does not look.
_ALSO = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")

LOOPBACK = ("127.0.0.1", "::1", "localhost")

_CONFIGURATION = """\
# Written by Inkfleet for one run. A broker that others can reach needs passwords, an access list and TLS instead.
listener {port} {host}
allow_anonymous true
persistence false

# One chunk is at most a few hundred kilobytes; the limit is advertised to MQTT 5 clients.
max_packet_size 16777216
max_inflight_messages 100
# 0: no bound on what waits for a slow device.
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


def executable() -> str | None:
    """The path of Mosquitto, or None if it is not installed."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), *_ALSO)))


def configure(folder: Path, *, host: str, port: int, settings: Mapping[str, str] | None = None) -> list[str]:
    """Write its configuration and return the command that runs it, tied to this process.

    Args:
        folder: where the configuration goes.
        host: the address it listens on.
        port: likewise.
        settings: lines of the configuration by their first word, in place of those it would have; an empty one takes
            its line out.

    Raises:
        BrokerError: it is not installed.
    """
    program = _program()
    file = folder / "mosquitto.conf"
    given = dict(settings or {})
    lines = _CONFIGURATION.format(host=host, port=port).splitlines()
    kept = [line for line in lines if line.partition(" ")[0] not in given]
    text = "\n".join([*kept, *(f"{name} {value}" for name, value in given.items() if value)]) + "\n"
    if os.geteuid() == 0 and host in LOOPBACK:
        # Started by root, it would change to a user of its own, and a process that does so is no longer tied to its
        # parent. A broker that others can reach had better do it all the same.
        text += "user root\n"
    write_bytes(file, text.encode())
    return _tied(program, file)


def configure_secure(broker_folder: Path, *, folder: Path) -> tuple[list[str], int]:
    """Take over the configuration that ``inkfleet fleet`` made; return the command that runs it, and its first port.

    Of its two forms it is the one for 2.1 and later where the plugins are that it names.

    Raises:
        BrokerError: Mosquitto is not installed.
        SettingsError: there is no such configuration, or one of its lists is not whole.
    """
    from deploy.brokers import secure_files  # loads `cryptography`, which a broker for one machine has no use for

    program = _program()
    source = broker_folder / secure_files.CONFIGURATION_21
    text = _read(source) if source.is_file() else ""
    if not text or not all(plugin.is_file() for plugin in secure_files.plugins(text)):
        source = broker_folder / secure_files.CONFIGURATION
        text = _read(source)
    ports = [int(line.split()[1]) for line in text.splitlines() if line.startswith("listener ")]
    if not ports:
        raise SettingsError(f"{source} has no listener; inkfleet fleet renew broker writes it anew")
    # The files are taken from where they are, also when they are meant to lie elsewhere on the broker's machine.
    meant = next((line.split(maxsplit=1)[1] for line in text.splitlines() if line.startswith("certfile ")), "")
    text = text.replace(f" {PurePosixPath(meant).parent}/", f" {broker_folder.absolute()}/")
    # But for its lists, which may change while they are read.
    if reason := secure_files.take_lists(broker_folder, folder):
        raise SettingsError(reason)
    for name in secure_files.RELOADED:
        text = text.replace(f" {broker_folder.absolute()}/{name}\n", f" {folder.absolute()}/{name}\n")
    text += "\nlog_dest stderr\n"
    if os.geteuid() == 0:
        # Its keys are their owner's alone; and see `configure`.
        text += "user root\n"
    file = folder / "mosquitto.conf"
    write_bytes(file, text.encode(), mode=0o600)
    return _tied(program, file), ports[0]


def _read(source: Path) -> str:
    try:
        return source.read_text(errors="replace")
    except OSError as error:
        raise SettingsError(
            f"{source} cannot be read: {error.strerror or error}; inkfleet fleet init makes it"
        ) from None


def _program() -> str:
    program = executable()
    if program is None:
        raise BrokerError(
            "Mosquitto is not installed; install it (apt install mosquitto) or choose the embedded broker"
        )
    return program


def _tied(program: str, file: Path) -> list[str]:
    # -I: nothing of the user's Python environment is read, which also makes it start in a few hundredths of a second.
    return [sys.executable, "-I", tether.__file__, str(os.getpid()), program, "-c", str(file)]
