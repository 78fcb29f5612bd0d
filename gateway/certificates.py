"""How the broker proves who it is, and how the gateway does: TLS 1.2 and newer."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

    from gateway.site import Broker


def client_context(broker: Broker) -> ssl.SSLContext:
    """Return what a connection to `broker` is secured with.

    Raises `OSError`, with the file, where a certificate or key cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=broker.ca_file)
    except OSError as error:
        raise OSError(f"mqtt.ca_file {broker.ca_file}: {error}") from error
    if broker.cert_file is not None:
        try:
            context.load_cert_chain(broker.cert_file, broker.key_file)
        except OSError as error:
            files = f"mqtt.cert_file {broker.cert_file} and key_file {broker.key_file}"
            raise OSError(f"{files}: {error}") from error
    return context


def secured(
    connection: socket.socket, context: ssl.SSLContext, host: str, *, within_s: float
) -> ssl.SSLSocket:
    """Return `connection` with TLS on it; close it and raise `OSError` where that fails."""
    try:
        made = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
    except OSError:
        connection.close()
        raise
    try:
        made.settimeout(within_s)
        made.do_handshake()
    except OSError:
        made.close()
        raise
    return made
