# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first bytes of a PostgreSQL connection, said by hand: libpq tells neither the certificate nor the way of logging in.

Only what comes before a login is spoken here; sessions are psycopg2's. A probe never sends a password.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import struct
import threading
import warnings
from dataclasses import dataclass

SSL_REQUEST = struct.pack("!II", 8, 80877103)
PROTOCOL_3 = 196608
TERMINATE = b"X" + struct.pack("!I", 4)
# OpenSSL's flag for a verification that does not look at the clock.
NO_CHECK_TIME = 0x200000

METHODS = {
    0: "none",
    2: "Kerberos 5",
    3: "password in clear text",
    5: "MD5",
    7: "GSSAPI",
    9: "SSPI",
    10: "SCRAM",
    11: "SCRAM",
}


class NameUnknown(Exception):
    """The name does not resolve; the text is the resolver's."""


class Silence(Exception):
    """Nothing came back in time."""


class NoPostgres(Exception):
    """Somebody answered, but not as PostgreSQL does; the text says with what."""


@dataclass(frozen=True)
class Handshake:
    """What an agreed TLS session is: protocol, cipher, and the server's certificate (DER)."""

    protocol: str
    cipher: str
    certificate: bytes


def addresses(host: str, port: int, seconds: float) -> list:
    """Return the addresses of I(host), IPv4 and IPv6, as the resolver orders them.

    :raises NameUnknown: when there is none
    :raises Silence: when the resolver does not answer within I(seconds)
    """
    found: list = []

    def ask() -> None:
        try:
            found.append(
                list(dict.fromkeys(entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
            )
        except (OSError, UnicodeError) as error:
            found.append(NameUnknown(str(getattr(error, "strerror", None) or error)))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise Silence(f"no answer from the name servers within {seconds:.0f} s")
    if isinstance(found[0], NameUnknown):
        raise found[0]
    return found[0]


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """Open a TCP connection that gives up after I(seconds), in everything that follows too.

    :raises Silence: when nothing answers; OSError for every other failure
    """
    try:
        connection = socket.create_connection((address, port), timeout=seconds)
    except socket.timeout:
        raise Silence(f"no answer within {seconds:.0f} s") from None
    # Questions and answers are short: each would wait for the other side's acknowledgement.
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive(connection, size: int) -> bytes:
    """Read exactly I(size) bytes.

    :raises Silence: when they do not come in time
    :raises NoPostgres: when the connection ends before
    """
    data = b""
    while len(data) < size:
        try:
            more = connection.recv(size - len(data))
        except socket.timeout:
            raise Silence("the connection is open, and no answer comes") from None
        except OSError as error:
            raise NoPostgres(f"the connection was ended by the other side ({error.strerror or error})") from None
        if not more:
            raise NoPostgres("the connection was closed without an answer")
        data += more
    return data


def offers_tls(connection) -> bool:
    """Ask the server for TLS and return whether it agrees.

    :raises NoPostgres: when what listens does not answer as PostgreSQL does; Silence when it does not answer
    """
    connection.sendall(SSL_REQUEST)
    answer = receive(connection, 1)
    if answer in (b"S", b"N"):
        return answer == b"S"
    raise NoPostgres(f"what listens there answers with {answer!r}, which PostgreSQL does not")


def lenient() -> ssl.SSLContext:
    """Return a context that accepts every certificate and every protocol that OpenSSL still speaks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        # The old protocols are wanted, to be able to say that a server speaks nothing newer.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with contextlib.suppress(ssl.SSLError):
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def verifying(root: str | None, host_name: bool) -> ssl.SSLContext:
    """Return a context that verifies the chain up to I(root), and the host's name if asked; the clock is not looked at.

    :param root: path of the trusted certificates; None takes the system's
    :raises OSError: when the file cannot be read or holds no certificate
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = host_name
    if root:
        context.load_verify_locations(cafile=root)
    else:
        context.load_default_certs()
    context.verify_flags = ssl.VerifyFlags(int(context.verify_flags) | NO_CHECK_TIME)
    return context


def handshake(connection, context: ssl.SSLContext, host: str) -> tuple:
    """Agree on TLS over a connection whose server said yes; return C((M(Handshake), the encrypted connection)).

    :raises ssl.SSLError: when they cannot agree, or the certificate is not accepted; Silence when no answer comes
    """
    try:
        wrapped = context.wrap_socket(connection, server_hostname=host)
    except socket.timeout:
        raise Silence("the connection is open, and no TLS answer comes") from None
    return Handshake(wrapped.version() or "", (wrapped.cipher() or ("",))[0], wrapped.getpeercert(True) or b""), wrapped


def login_method(connection, user: str, database: str) -> tuple:
    """Say who wants to log in and return C((method, refusal)): how the server wants to know, or why it refuses at once.

    :raises NoPostgres, Silence: as M(receive) does
    """
    words = b"".join(
        part.encode("utf-8") + b"\0"
        for part in ("user", user, "database", database, "application_name", "azpg.migrate check")
    )
    body = struct.pack("!I", PROTOCOL_3) + words + b"\0"
    connection.sendall(struct.pack("!I", len(body) + 4) + body)
    kind = receive(connection, 1)
    size = struct.unpack("!I", receive(connection, 4))[0]
    content = receive(connection, min(max(size - 4, 0), 65536))
    if kind == b"R" and len(content) >= 4:
        code = struct.unpack("!I", content[:4])[0]
        if code == 0:
            with contextlib.suppress(OSError):
                connection.sendall(TERMINATE)
        return METHODS.get(code, f"method {code}"), ""
    if kind == b"E":
        fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in content.split(b"\0") if part}
        return "", fields.get(b"M", "refused")
    raise NoPostgres(f"an answer of type {kind!r}")


def elements(data: bytes):
    """Yield C((tag, content)) of the elements of a DER sequence."""
    place = 0
    while place + 2 <= len(data):
        tag, length = data[place], data[place + 1]
        place += 2
        if length & 0x80:
            digits = length & 0x7F
            length = int.from_bytes(data[place : place + digits], "big")
            place += digits
        yield tag, data[place : place + length]
        place += length


def moment(tag: int, content: bytes) -> datetime.datetime:
    """Return a certificate's point in time; years of two digits count from 1950 (RFC 5280)."""
    text = content.decode("ascii").rstrip("Z")
    if tag == 0x17:
        text = ("19" if text >= "50" else "20") + text
    return datetime.datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=datetime.timezone.utc)


def validity(certificate: bytes) -> tuple:
    """Return C((not before, not after)) of a certificate in DER.

    :raises ValueError: when it is none
    """
    try:
        ((_tag, whole),) = list(elements(certificate))[:1]
        body = list(elements(next(elements(whole))[1]))
        # A version may come first; then serial number, signature algorithm, issuer, validity.
        dates = body[4 if body[0][0] == 0xA0 else 3][1]
        (first, last) = list(elements(dates))[:2]
        return moment(*first), moment(*last)
    except (IndexError, StopIteration, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"no certificate that can be read ({error})") from None
