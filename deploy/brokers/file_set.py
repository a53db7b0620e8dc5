"""A secure broker's files as a set that is whole or not: what a copy of them is held against before a broker reads it.

Mosquitto goes on without an access list, or with half a configuration, where it finds them damaged at a reload. So
the set has a file of checksums, in the form that ``sha256sum --check`` reads: the broker's machine needs no Inkfleet.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import stat
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from deploy.brokers import secure_files
from shared.bounded_files import read_bounded
from shared.errors import SettingsError
from shared.identity_file import UNREADABLE
from shared.validity import validity_in_words

CHECKSUMS = "SHA256SUMS"
DROP_IN = "systemd.conf"
FILES = (
    # The first line is what is left of a file of checksums that was cut off.
    secure_files.ACCESS_LIST,
    secure_files.CONFIGURATION,
    secure_files.CONFIGURATION_21,
    secure_files.REVOKED,
    secure_files.PASSWORDS,
    secure_files.CA,
    secure_files.CERTIFICATE,
    secure_files.KEY,
    DROP_IN,
)
"""The set, but for its checksums."""

KEPT_THERE = (secure_files.CERTIFICATE, secure_files.KEY)
"""What may lie on the broker's machine alone: a set without them brings the lists up to date."""

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9.-]+)\Z")
_LARGEST_BYTES = 64 * 1024 * 1024
_COPY_ANEW = "copy it anew"
_OPTIONS = (b"acl_file", b"listener", b"certfile", b"crlfile")


def checksums(folder: Path) -> str:
    """Write down what the files in a folder are now, a line each, as ``sha256sum`` does.

    Raises:
        SettingsError: one cannot be read, and is not of those that may lie elsewhere.
    """
    there = [name for name in FILES if name not in KEPT_THERE or (folder / name).exists()]
    return "".join(f"{_digest(_read(folder / name))}  {name}\n" for name in there)


def drop_in(folder: str, *, configuration: str = "/etc/mosquitto/conf.d/inkfleet.conf") -> str:
    """Write what has Debian's service look at the set before Mosquitto reads it, at a start and at a reload.

    Args:
        folder: where the set lies on the broker's machine.
        configuration: where Mosquitto reads its configuration.
    """
    # As the user who reads the files afterwards: one that he may not read is as good as gone.
    as_broker = "/usr/bin/setpriv --reuid=mosquitto --regid=mosquitto --clear-groups"
    whole = f"{as_broker} /usr/bin/env {_quoted(f'--chdir={folder}')} sha256sum --check --strict --quiet {CHECKSUMS}"
    ours = _quoted(str(PurePosixPath(folder) / secure_files.CONFIGURATION))
    same = f"{as_broker} /usr/bin/cmp {ours} {_quoted(configuration)}"
    return f"""\
# For Debian's mosquitto.service. Written by `inkfleet fleet`; it belongs to root, in
# /etc/systemd/system/mosquitto.service.d/inkfleet.conf.
#
# Mosquitto that is told to read its files again goes on without an access list where that is damaged, and everybody may
# do everything. (logrotate tells it, too.) So the files are looked at first: what is not whole is not read, and what
# was read before still holds.
[Service]
ExecStartPre={whole}
ExecStartPre={same}
ExecReload=
ExecReload={whole}
# Where that is {secure_files.CONFIGURATION_21}, for Mosquitto 2.1 and later, name it in both these lines.
ExecReload={same}
ExecReload=/bin/kill -HUP $MAINPID
"""


def faults(folder: Path, *, now: datetime) -> list[str]:
    """Say what is wrong with a set of files, one line each; nothing where it is whole and can be served.

    Args:
        folder: ``broker/`` of a fleet, or a copy of it.
        now: the time, with its zone.

    Raises:
        SettingsError: there is no such folder.
    """
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; inkfleet fleet init makes one, as its folder broker/")
    found: dict[str, str] = {}
    contents: dict[str, bytes] = {}
    for name in (CHECKSUMS, *FILES):
        try:
            contents[name] = _read(folder / name)
        except SettingsError as error:
            if name not in KEPT_THERE or name.encode() in contents.get(CHECKSUMS, b""):
                found[name] = f"{error}; {_COPY_ANEW}"
    # The first fault of a file is the cause of its others.
    for name, fault in (*_damages(contents), *_unreadable(folder)):
        found.setdefault(name, f"{folder / name} {fault}")
    sound = {name: data for name, data in contents.items() if name not in found}
    for name, fault in _contradictions(sound, now=now):
        found.setdefault(name, f"{folder / name} {fault}")
    return list(found.values())


def summary(folder: Path) -> str:
    """Say what a set that is whole is for: its ports, and where its configuration has it lie.

    Raises:
        SettingsError: it is not whole.
    """
    lines = _read(folder / secure_files.CONFIGURATION).decode().splitlines()
    ports = " and ".join(line.split()[1] for line in lines if line.startswith("listener "))
    certificate = next(line.split(maxsplit=1)[1] for line in lines if line.startswith("certfile "))
    return f"for port {ports}, to be read in {PurePosixPath(certificate).parent}"


def _damages(contents: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """What is not what was written."""
    if CHECKSUMS not in contents:
        return
    matches = [_LINE.match(line) for line in contents[CHECKSUMS].decode("ascii", "replace").splitlines()]
    expected = {match[2]: match[1] for match in matches if match}
    needed = [name for name in FILES if name not in KEPT_THERE or name in expected]
    if [match and match[2] for match in matches] != needed:
        yield CHECKSUMS, f"is not whole; {_COPY_ANEW}"
    for name, data in contents.items():
        if name in expected and _digest(data) != expected[name]:
            yield name, f"is not what {CHECKSUMS} has: copied in part, changed, or of another time; {_COPY_ANEW}"


def _unreadable(folder: Path) -> Iterator[tuple[str, str]]:
    """What the folder's owner, who is the broker's user, may not read: to the broker that is as good as gone."""
    owner = folder.stat()
    for name in (CHECKSUMS, *FILES):
        with contextlib.suppress(OSError):
            status = (folder / name).stat()
            ours = status.st_uid == owner.st_uid, status.st_gid == owner.st_gid
            right = stat.S_IRUSR if ours[0] else stat.S_IRGRP if ours[1] else stat.S_IROTH
            if owner.st_uid != 0 and not status.st_mode & right:
                yield name, "cannot be read by the folder's owner; give it the same owner"


def _contradictions(sound: Mapping[str, bytes], *, now: datetime) -> Iterator[tuple[str, str]]:
    """What is as it was written, and no use all the same."""
    rules = sound.get(secure_files.ACCESS_LIST)
    if rules is not None and not secure_files.is_access_list(rules):
        yield secure_files.ACCESS_LIST, f"is not whole, or not as inkfleet fleet writes it; {_COPY_ANEW}"
    configuration = sound.get(secure_files.CONFIGURATION)
    if configuration is not None and not all(b"\n%s " % word in configuration for word in _OPTIONS):
        yield secure_files.CONFIGURATION, "lacks a listener or its lists; inkfleet fleet renew broker writes it"
    if secure_files.CA not in sound:
        return
    try:
        authority = x509.load_pem_x509_certificate(sound[secure_files.CA])
        authority.public_key()  # a certificate's key is read only when it is asked for
    except UNREADABLE:
        yield secure_files.CA, f"is no certificate; {_COPY_ANEW}"
        return
    if secure_files.REVOKED in sound and (fault := _revocation_fault(sound[secure_files.REVOKED], authority, now=now)):
        yield secure_files.REVOKED, fault
    if secure_files.CERTIFICATE in sound:
        certificate, key = sound[secure_files.CERTIFICATE], sound.get(secure_files.KEY)
        yield from _certificate_faults(certificate, key, authority, now=now)


def _revocation_fault(data: bytes, authority: x509.Certificate, *, now: datetime) -> str:
    try:
        revoked = x509.load_pem_x509_crl(data)
    except UNREADABLE:
        return f"is no list of revoked certificates; {_COPY_ANEW}"
    key = authority.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not revoked.is_signature_valid(key):
        return f"is not of the authority in {secure_files.CA}; {_COPY_ANEW}"
    if revoked.next_update_utc is None or revoked.next_update_utc <= now:
        return "is past its date, and the broker would refuse everybody; make a new fleet"
    return ""


def _certificate_faults(
    data: bytes, key_data: bytes | None, authority: x509.Certificate, *, now: datetime
) -> Iterator[tuple[str, str]]:
    try:
        certificate = x509.load_pem_x509_certificate(data)
        certificate.verify_directly_issued_by(authority)
    except (*UNREADABLE, InvalidSignature):
        yield secure_files.CERTIFICATE, f"is no certificate of the authority in {secure_files.CA}; {_COPY_ANEW}"
        return
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        words = validity_in_words(certificate.not_valid_before_utc, certificate.not_valid_after_utc, now=now)
        yield secure_files.CERTIFICATE, f"{words}; inkfleet fleet renew broker makes a new one"
    if key_data is None:
        return
    try:
        fits = load_pem_private_key(key_data, password=None).public_key() == certificate.public_key()
    except UNREADABLE:
        fits = False
    if not fits:
        yield secure_files.KEY, f"does not fit {secure_files.CERTIFICATE}; {_COPY_ANEW}, both"


def _quoted(word: str) -> str:
    """Write a word of a command for systemd, which takes backslash, quotation mark, per cent and dollar for its own."""
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(sign, written)
    return f'"{word}"'


def _read(file: Path) -> bytes:
    return read_bounded(file, what="the broker's file", most_bytes=_LARGEST_BYTES, error=SettingsError)


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
