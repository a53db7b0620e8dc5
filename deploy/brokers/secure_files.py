"""What a Mosquitto needs to let a fleet in and nobody else: configuration, access list and password file, as text.

Mosquitto 2.1 moved access lists and password files into plugins and will drop the options of 2.0 in 3.0
(mosquitto.org, release notes of 2.1.0), so the configuration is written in both forms.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from shared.errors import StorageError
from shared.files import write_bytes
from shared.identity_file import AGGREGATOR
from shared.topics import Topics

CONFIGURATION = "mosquitto.conf"
CONFIGURATION_21 = "mosquitto-2.1.conf"
ACCESS_LIST = "acl"
PASSWORDS = "passwords"
CA, CERTIFICATE, KEY, REVOKED = "ca.crt", "broker.crt", "broker.key", "crl.pem"
RELOADED = (ACCESS_LIST, REVOKED, PASSWORDS)
"""What a running Mosquitto reads again at SIGHUP."""

PLUGIN_FOLDER = "/usr/lib"
"""Where Mosquitto's own container image has its plugins. Debian has them in ``/usr/lib/TRIPLET/mosquitto``."""

_SALT_BYTES = 12

_RULE = re.compile(r"(#.*|user \S+|(topic|pattern) (read|write|deny) \S+)?\Z")
_END = "# This is all."

_COMMON = """\
# The broker of fleet {fleet}, for Mosquitto {versions}. Written by `inkfleet fleet`, which writes it again when the
# fleet's broker changes: put options of your own into another file.

# Nobody without a certificate or a password.
allow_anonymous false

{files}
# Nothing of the fleet on this machine's disk: whoever publishes says it again after a restart.
persistence false

# No packet is larger: a chunk is 96 KiB. Clients that speak MQTT 5 are told, and cut their chunks to fit.
max_packet_size 1048576
# How many messages a client may be sent before it acknowledges one; a blob is some twenty.
max_inflight_messages 100
# What waits for a slow client is bounded in bytes. (0 is no bound in number, but with it Mosquitto 2.0 closes the
# connection of whoever is denied a message, which a device that was just revoked would answer by trying for ever.)
max_queued_messages 100000
max_queued_bytes 268435456
# A member that fills the memory, with retained messages for one, is disconnected; the machine goes on.
memory_limit 1073741824
# Control messages do not wait for company.
set_tcp_nodelay true
# Each connection, and each one refused, is a line in the log.
connection_messages true
"""

_LISTENER = """
# {title}
listener {port}
# The broker shows this certificate; devices check it against the fleet's authority, and its names.
certfile {folder}/{certificate}
keyfile {folder}/{key}
# Nothing older; certificates travel encrypted then.
tls_version tlsv1.3
{identity}
# A client is known by its user name alone, whatever it calls itself: nobody can take over another's session.
use_username_as_clientid true
"""

_BY_CERTIFICATE = f"""\
# A client shows a certificate of this authority, or is turned away before it says a word.
require_certificate true
cafile {{folder}}/{CA}
# Unless it is on this list. A list past its date would turn everybody away: it is dated to the authority's end.
crlfile {{folder}}/{REVOKED}
# The certificate's common name is the user name that the access list goes by.
use_identity_as_username true"""

_BY_PASSWORD = """\
# A client shows no certificate; it sends a user name and a password.
require_certificate false"""


def configuration(
    *,
    fleet: str,
    folder: str,
    port: int,
    password_port: int | None = None,
    version: str = "2.0",
    plugin_folder: str = PLUGIN_FOLDER,
) -> str:
    """Write the broker's configuration.

    Args:
        fleet: the fleet's name.
        folder: where the files lie on the broker's machine.
        port: for clients with certificates.
        password_port: for clients with passwords; None for no such listener.
        version: ``2.0`` for the form that 2.0 reads, ``2.1`` for the one that 2.1 and later want.
        plugin_folder: where the plugins of 2.1 lie.
    """
    place = str(PurePosixPath(folder))
    files = _plugins if version == "2.1" else _options
    text = _COMMON.format(
        fleet=fleet,
        versions="2.1 and later" if version == "2.1" else "2.0 (2.1 reads it too, and warns)",
        files=files(place, plugin_folder, with_passwords=password_port is not None),
    )
    text += _LISTENER.format(
        title="Devices and the aggregator, by certificate.",
        port=port,
        folder=place,
        certificate=CERTIFICATE,
        key=KEY,
        identity=_BY_CERTIFICATE.format(folder=place),
    )
    if password_port is not None:
        text += _LISTENER.format(
            title="Devices with a password, over TLS as well.",
            port=password_port,
            folder=place,
            certificate=CERTIFICATE,
            key=KEY,
            identity=_BY_PASSWORD,
        )
    return text


def plugins(text: str) -> list[Path]:
    """Name the plugins that a configuration loads."""
    return [Path(line.split(maxsplit=1)[1]) for line in text.splitlines() if line.startswith("global_plugin ")]


def access_list(fleet: str, *, revoked: Iterable[str]) -> str:
    """Write who may read and write which topics; what is not listed is denied.

    Args:
        fleet: the fleet's name.
        revoked: devices that may do nothing any more, also over a connection that they still have.
    """
    topics = Topics(fleet)
    device = f"{topics.root}/device/%u"
    lines = [
        f"# Who may do what in fleet {fleet}. Written by `inkfleet fleet`. What is not listed is denied.",
        "# %u is the user name: the common name of the client's certificate, or the name its password goes with.",
        "",
        "# A device writes under its own name, and these four things only.",
        f"pattern write {device}/state",
        f"pattern write {device}/want",
        f"pattern write {device}/update",
        f"pattern write {device}/chunk/#",
        "# It reads what is said to it, and what is said to all.",
        "# (Mosquitto warns at its start that the last three hold no %u. They are meant so.)",
        f"pattern read {device}/reply",
        f"pattern read {topics.round}",
        f"pattern read {topics.root}/blob/#",
        f"pattern read {topics.server_state}",
        "",
        "# The aggregator speaks to all, and answers each.",
        f"user {AGGREGATOR}",
        f"topic write {topics.server_state}",
        f"topic write {topics.round}",
        f"topic write {topics.root}/blob/#",
        f"topic write {topics.root}/device/+/reply",
        f"topic read {topics.root}/device/#",
        "# It is no device.",
        f"topic deny {topics.root}/device/{AGGREGATOR}/#",
    ]
    for name in sorted(revoked):
        lines += ["", "# Revoked.", f"user {name}", f"topic deny {topics.root}/#"]
    lines += ["", _END]
    return "\n".join(lines) + "\n"


def is_access_list(data: bytes) -> bool:
    """Whether these bytes are an access list to its last line, and Mosquitto understands each."""
    *rules, end = data.decode("utf-8", "replace").rstrip("\n").split("\n")
    return end == _END and all(_RULE.match(line) for line in rules)


def take_lists(source: Path, folder: Path) -> str:
    """Copy what a Mosquitto reads again at SIGHUP to where it reads it, all of it or nothing.

    Where its access list is missing or damaged, Mosquitto 2.0 goes on without one at SIGHUP, and everybody may do
    everything; without its list of revoked certificates whoever was revoked is let in. And a list that is being copied
    is damaged for a moment. So it reads copies that were looked at first.

    Args:
        source: the fleet's folder ``broker/``, or a copy of it.
        folder: of the Mosquitto.

    Returns:
        Why they are not to be read as they are; empty if they were copied.
    """
    from cryptography import x509

    lists: dict[str, bytes] = {}
    for name in RELOADED:
        try:
            lists[name] = (source / name).read_bytes()
        except OSError as error:
            # Without passwords, it lets in nobody who has one.
            if name != PASSWORDS:
                return f"{source / name} cannot be read: {error.strerror or error}"
            lists[name] = b""
    if not is_access_list(lists[ACCESS_LIST]):
        return (
            f"{source / ACCESS_LIST} is not whole, or not as inkfleet fleet writes it; copy it anew, "
            "or have inkfleet fleet renew broker write it"
        )
    try:
        x509.load_pem_x509_crl(lists[REVOKED])
    except ValueError:
        return f"{source / REVOKED} is not whole; copy it anew"
    try:
        for name, data in lists.items():
            write_bytes(folder / name, data, mode=0o600)
    except StorageError as error:
        return str(error)
    return ""


def password_file(passwords: Mapping[str, str]) -> str:
    """Write the password file from user names and the lines' right sides that `password_hash` made."""
    return "".join(f"{name}:{passwords[name]}\n" for name in sorted(passwords))


def password_hash(password: str, *, salt: bytes, iterations: int = 1000) -> str:
    """Write a password as Mosquitto 2.0 and later read it: ``$7$iterations$salt$hash``, PBKDF2 with HMAC-SHA-512.

    Args:
        password: the password.
        salt: 12 random bytes.
        iterations: of PBKDF2. Few: passwords are drawn at random, and no guess is likely enough for slowness to matter.
    """
    if len(salt) != _SALT_BYTES:
        raise ValueError(f"expected a salt of {_SALT_BYTES} bytes, got {len(salt)}")
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations, dklen=64)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _options(folder: str, plugin_folder: str, *, with_passwords: bool) -> str:
    text = f"# Who may read and write what.\nacl_file {folder}/{ACCESS_LIST}\n"
    if with_passwords:
        text += f"# Passwords, salted and hashed.\npassword_file {folder}/{PASSWORDS}\n"
    return text


def _plugins(folder: str, plugin_folder: str, *, with_passwords: bool) -> str:
    text = "# Access list and passwords are plugins of Mosquitto since 2.1, here for every listener. Where they lie\n"
    text += (
        "# elsewhere (find /usr/lib -name mosquitto_acl_file.so): inkfleet fleet renew broker --plugin-folder PATH\n"
    )
    text += "# Who may read and write what.\n"
    text += f"global_plugin {plugin_folder}/mosquitto_acl_file.so\nplugin_opt_acl_file {folder}/{ACCESS_LIST}\n"
    if with_passwords:
        text += "# Passwords, salted and hashed.\n"
        text += f"global_plugin {plugin_folder}/mosquitto_password_file.so\n"
        text += f"plugin_opt_password_file {folder}/{PASSWORDS}\n"
    return text
