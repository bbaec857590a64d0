# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walking the way to a server step by step, as far as a login; each step is taken once and remembered."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
import time

from .._core.errors import ConnectionFailed, DependencyMissing
from . import wire
from .context import Context
from .rule import blind, fine, violated

SECONDS = 10.0
DEFAULT_ROOT = "~/.postgresql/root.crt"
# Everything that can go wrong between the open port and the login; errors of TLS are a kind of OSError.
TROUBLES = (wire.Silence, wire.NoPostgres, OSError)


def host_of(context: Context, side: str) -> str:
    """Return the one host name or address of I(side) that can be looked at, or an empty text (a service, a socket, several)."""
    host = context.endpoint(side).host or ""
    return "" if host.startswith(("/", "@")) or "," in host else host


def unseen(context: Context, side: str):
    """Say why the way to I(side) is not looked at layer by layer."""
    host = context.endpoint(side).host or ""
    if host.startswith(("/", "@")):
        return fine(context.address(side), f"the Unix socket {host}; no network lies between")
    what = "the host is in the service file" if not host else "several hosts are named"
    return blind(context.address(side), f"{what}, so only libpq knows the way; the login tells whether it is open")


def patience(context: Context, side: str) -> float:
    """Return how many seconds an answer is waited for."""
    return float(min(context.endpoint(side).connect_timeout or SECONDS, SECONDS))


def mode_of(context: Context, side: str) -> str:
    """Return the sslmode that libpq will use."""
    return context.endpoint(side).sslmode or os.environ.get("PGSSLMODE") or "prefer"


def root_of(context: Context, side: str) -> str | None:
    """Return the file of trusted certificates that libpq will read, None for the system's."""
    named = context.endpoint(side).sslrootcert or os.path.expanduser(DEFAULT_ROOT)
    return None if named == "system" else named


def resolved(context: Context, side: str) -> list:
    """Return the addresses of the host, see M(wire.addresses)."""
    endpoint = context.endpoint(side)
    return context.cached(
        ("addresses", side),
        lambda: wire.addresses(host_of(context, side), endpoint.port or 5432, patience(context, side)),
    )


def knock(context: Context, side: str) -> tuple:
    """Return C((address, seconds)) of the first address whose port opens; failures of all others as C({address: error})."""

    def read() -> tuple:
        errors = {}
        for address in resolved(context, side):
            begun = time.monotonic()
            try:
                wire.dial(address, context.endpoint(side).port or 5432, patience(context, side)).close()
            except (OSError, wire.Silence) as error:
                errors[address] = error
            else:
                return address, time.monotonic() - begun, errors
        return "", 0.0, errors

    return context.cached(("knock", side), read)


def reason(error: Exception) -> str:
    """Return a failure to connect in words."""
    if isinstance(error, ConnectionRefusedError):
        return "Connection refused, nothing listens on the port"
    return str(getattr(error, "strerror", None) or error)


def greet(context: Context, side: str):
    """Open a connection and ask for TLS; return C((connection, whether the server agrees))."""
    connection = wire.dial(knock(context, side)[0], context.endpoint(side).port or 5432, patience(context, side))
    try:
        return connection, wire.offers_tls(connection)
    except BaseException:
        connection.close()
        raise


def agreed(context: Context, side: str):
    """Return the M(wire.Handshake) with I(side), or None when the server has no TLS; a failure is raised each time."""

    def read() -> tuple:
        try:
            connection, offered = greet(context, side)
            with contextlib.closing(connection):
                if not offered:
                    return None, None
                found, encrypted = wire.handshake(connection, wire.lenient(), host_of(context, side))
                encrypted.close()
                return found, None
        except TROUBLES as error:
            return None, error

    found, error = context.cached(("handshake", side), read)
    if error:
        raise error
    return found


def logs_in(context: Context, side: str) -> bool:
    """Tell whether libpq gets in after all; then what this probe could not do is no reason to stop."""
    try:
        context.server(side)
    except (ConnectionFailed, DependencyMissing):
        return False
    return True


def unless_in(context: Context, side: str, found: str, remedy: str, **words):
    """Return a violation, or blindness when libpq gets in all the same."""
    if logs_in(context, side):
        return blind(context.address(side), f"{found}; libpq connects all the same")
    return violated(context.address(side), found, remedy=remedy, **words)


def is_local(address: str) -> bool:
    """Tell whether the address is this very host."""
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def ask_method(context: Context, side: str) -> tuple:
    """Return C((method, refusal, whether it was asked over TLS)); one of the first two is blank."""
    database = context.server(side).database
    user = context.endpoint(side).user or context.user(side)
    connection, offered = greet(context, side)
    with contextlib.closing(connection):
        if offered and mode_of(context, side) == "disable":
            # Having agreed to TLS, the server waits for it; a plain conversation needs another connection.
            with contextlib.closing(
                wire.dial(knock(context, side)[0], connection.getpeername()[1], patience(context, side))
            ) as plain:
                return (*wire.login_method(plain, user, database), False)
        if offered:
            _found, encrypted = wire.handshake(connection, with_certificate(context, side), host_of(context, side))
            with contextlib.closing(encrypted):
                return (*wire.login_method(encrypted, user, database), True)
        return (*wire.login_method(connection, user, database), False)


def with_certificate(context: Context, side: str) -> ssl.SSLContext:
    """Return a lenient context that shows the client certificate of the request, if there is one."""
    endpoint, lenient = context.endpoint(side), wire.lenient()
    if endpoint.sslcert and endpoint.sslkey:
        lenient.load_cert_chain(endpoint.sslcert, endpoint.sslkey)
    return lenient


def verify(context: Context, side: str, root: str | None, host_name: bool) -> None:
    """Do what libpq will do with the server's certificate, the clock left out.

    :raises ssl.SSLCertVerificationError: when it is not accepted
    """
    trusted = wire.verifying(root, host_name)
    connection, _offered = greet(context, side)
    with contextlib.closing(connection):
        _found, encrypted = wire.handshake(connection, trusted, host_of(context, side))
        encrypted.close()
