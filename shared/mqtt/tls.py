"""TLS between a client and its broker."""

from __future__ import annotations

import functools
import socket
import ssl

from shared.errors import BrokerError
from shared.mqtt.address import BrokerAddress
from shared.mqtt.ending import unreachable

_VERDICT_S = 0.5


class TlsSocket(ssl.SSLSocket):
    """A socket that closes when its handshake fails, which paho leaves open, and remembers what paho passes over.

    With TLS 1.3 a broker that turns a client's certificate away says so after the client has done its part of the
    handshake: the first read fails.

    Attributes:
        alert: the error that ended TLS; None if none has.
    """

    alert: ssl.SSLError | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self.alert = error
            raise

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def tls_context(address: BrokerAddress) -> ssl.SSLContext:
    """The TLS settings for an address: the broker's certificate and its name are checked.

    Raises:
        OSError: a file cannot be read, or holds no certificate or key that fit.
    """
    return _tls_context(address.ca_file, address.ca_data, address.cert_file, address.key_file)


@functools.lru_cache(maxsize=8)
def _tls_context(
    ca_file: str | None, ca_data: str | None, cert_file: str | None, key_file: str | None
) -> ssl.SSLContext:
    # Shared between links: the system's authorities take megabytes and tens of milliseconds to load.
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_data)
    context.sslsocket_class = TlsSocket
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context


def shake_hands(address: BrokerAddress, *, timeout_s: float) -> None:
    """Go through the handshake of TLS with a broker, say nothing, and leave.

    Raises:
        BrokerError: it cannot be reached, shows a certificate that is not trusted, or turns ours away.
    """
    try:
        with _connected(address, timeout_s=timeout_s) as sock:
            # Whether our certificate is taken, TLS 1.3 says in what follows the handshake; a broker says no more.
            sock.settimeout(_VERDICT_S)
            try:
                closed = sock.recv(1) == b""
            except TimeoutError:
                closed = False
    except OSError as error:
        raise BrokerError(unreachable(address, error, timeout_s=timeout_s).reason) from None
    if closed:
        raise BrokerError(f"broker {address} closes the connection after the handshake of TLS")


def _connected(address: BrokerAddress, *, timeout_s: float) -> ssl.SSLSocket:
    context = tls_context(address)
    plain = socket.create_connection((address.host, address.port), timeout=timeout_s)
    try:
        return context.wrap_socket(plain, server_hostname=address.host)
    except BaseException:
        plain.close()
        raise
