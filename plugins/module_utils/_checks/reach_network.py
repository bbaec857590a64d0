# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: the way to a server, layer by layer, so that each kind of trouble has a finding of its own."""

from __future__ import annotations

import datetime
import ssl

from .._core.units import human_seconds
from . import wire
from .context import SOURCE, TARGET, Context
from .rule import Rule, blind, fine, listed, violated
from .way import (
    TROUBLES,
    agreed,
    ask_method,
    host_of,
    is_local,
    knock,
    mode_of,
    reason,
    resolved,
    root_of,
    unless_in,
    unseen,
    verify,
)

# A certificate that ends earlier may end while the migration runs.
DAYS_LEFT = 14
VERIFYING = ("verify-ca", "verify-full")
ENCRYPTING = ("require", *VERIFYING)


def name(side: str):
    """Return the look of the rule that the name of I(side) resolves."""

    def look(context: Context):
        host = host_of(context, side)
        if not host:
            yield unseen(context, side)
            return
        try:
            found = resolved(context, side)
        except wire.NameUnknown as error:
            yield violated(
                context.address(side),
                f"the name {host} does not resolve: {error}",
                remedy=f"Correct '{side}.host', or make the name known on the host that executes this task: link the private DNS "
                "zone to its network, or let its DNS server forward the zone (for Azure to 168.63.129.16).",
            )
        except wire.Silence as error:
            yield violated(
                context.address(side),
                f"{host}: {error}",
                remedy="Check the DNS servers of the host that executes this task (/etc/resolv.conf) and the way to them.",
            )
        else:
            yield fine(context.address(side), listed(found) if found != [host] else f"{host}, an address")

    return look


def port(side: str):
    """Return the look of the rule that the port of I(side) opens."""

    def look(context: Context):
        if not host_of(context, side):
            yield unseen(context, side)
            return
        address, seconds, errors = knock(context, side)
        number = context.endpoint(side).port or 5432
        if address:
            missed = f"; not at {listed(errors)}" if errors else ""
            yield fine(context.address(side), f"{address} port {number} opened after {human_seconds(seconds)}{missed}")
            return
        error = list(errors.values())[-1]
        said = "; ".join(f"{one} port {number}: {reason(why)}" for one, why in errors.items())
        if isinstance(error, ConnectionRefusedError):
            remedy = f"Check '{side}.port', and on the server listen_addresses, port and that it runs; a firewall may refuse as well."
        elif isinstance(error, wire.Silence):
            remedy = (
                "Something on the way swallows the packets: open the port for the host that executes this task in the firewall, "
                f"security group or network security group, and check routes and peering to {listed(errors)}."
            )
        else:
            remedy = "There is no way there: check routes, peering or VPN of the host that executes this task."
        yield violated(context.address(side), said, remedy=remedy)

    return look


def tls(side: str):
    """Return the look of the rule that I(side) speaks PostgreSQL, and TLS where it was asked for."""

    def look(context: Context):
        if not host_of(context, side):
            yield unseen(context, side)
            return
        address, mode = context.address(side), mode_of(context, side)
        try:
            found = agreed(context, side)
        except wire.Silence as error:
            yield unless_in(
                context,
                side,
                str(error),
                "The port opens, but what is behind it is silent: check the load balancer, port forwarding or firewall that "
                f"answers there, and whether it leads to the {side}.",
                code="603000",
            )
        except wire.NoPostgres as error:
            yield unless_in(
                context,
                side,
                str(error),
                f"Check '{side}.host' and '{side}.port': PostgreSQL is not what listens there.",
                code="603000",
            )
        except (ssl.SSLError, OSError) as error:
            yield unless_in(
                context,
                side,
                f"client and server agree on no TLS protocol: {getattr(error, 'reason', None) or error}",
                "On the server, let ssl_min_protocol_version be TLSv1.2 and ssl_ciphers the default.",
                code="603001",
            )
        else:
            yield judge_protocol(context, side, found, address, mode)

    return look


def judge_protocol(context: Context, side: str, found, address: str, mode: str):
    """Return what is to be said of an agreed protocol, or of a server without TLS."""
    if found is None:
        if mode in ENCRYPTING:
            return violated(
                address,
                f"the server offers no TLS, and '{side}.sslmode' is {mode}",
                remedy="On the server, with ssl_cert_file and ssl_key_file in place: ALTER SYSTEM SET ssl = on; SELECT "
                f"pg_reload_conf(); or, in a private network, '{side}.sslmode: prefer'.",
                code="603001",
            )
        return fine(address, f"the server offers no TLS, and sslmode={mode} does not ask for it")
    if found.protocol not in ("TLSv1.2", "TLSv1.3"):
        return unless_in(
            context,
            side,
            f"the server speaks nothing newer than {found.protocol}, which libpq refuses",
            "On the server: ALTER SYSTEM SET ssl_max_protocol_version = ''; SELECT pg_reload_conf(); and an OpenSSL of its own time.",
            code="603001",
        )
    return fine(address, f"{found.protocol}, {found.cipher} (sslmode={mode})")


def no_certificate(context: Context, side: str):
    """Return what is to be said when there is no certificate to look at, else None."""
    try:
        found = agreed(context, side)
    except TROUBLES as error:
        return blind(context.address(side), f"there was no handshake to see a certificate in: {reason(error)}")
    return None if found else fine(context.address(side), "the server has no TLS and so no certificate")


def certificate(side: str):
    """Return the look of the rule that the certificate's chain and name are those that were asked for."""

    def look(context: Context):
        if not host_of(context, side):
            yield unseen(context, side)
            return
        address, mode, root = context.address(side), mode_of(context, side), root_of(context, side)
        if no_certificate(context, side):
            yield no_certificate(context, side)
            return
        if mode == "require" and context.endpoint(side).sslrootcert:
            mode = "verify-ca"  # so libpq reads it
        if mode not in VERIFYING:
            yield fine(address, f"not verified, as asked (sslmode={mode})")
            return
        try:
            verify(context, side, root, host_name=mode == "verify-full")
        except ssl.SSLCertVerificationError as error:
            yield unless_in(context, side, *complaint(error, side, root, host_of(context, side)))
        except TROUBLES as error:
            missing = f"Copy the certificate of the authority that signed the server's to {root or 'the system'}, on the host that "
            yield unless_in(
                context,
                side,
                f"the trusted certificates in {root or 'the system'} cannot be used: {reason(error)}",
                f"{missing}executes this task, or set '{side}.sslrootcert'.",
            )
        else:
            checked = "signed by a trusted authority" + (" and made for this host" if mode == "verify-full" else "")
            yield fine(address, f"{checked} (sslmode={mode})")

    return look


def complaint(error: ssl.SSLCertVerificationError, side: str, root: str | None, host: str) -> tuple:
    """Return C((found, remedy)) for a certificate that was not accepted."""
    text = error.verify_message or str(error)
    if error.verify_code in (62, 64) or "ostname mismatch" in text or "IP address mismatch" in text:
        return (
            f"the certificate is not made for {host}: {text}",
            f"Connect by a name that the certificate holds ('{side}.host'), give the server a certificate for {host}, or set "
            f"'{side}.sslmode: verify-ca'.",
        )
    return (
        f"the certificate's chain does not lead to an authority in {root or 'the system'}: {text}",
        f"Put the certificate of the authority that signed the server's into the file of '{side}.sslrootcert' (for Azure: DigiCert "
        "Global Root G2 and Microsoft RSA Root CA 2017); the server must send its intermediate certificates.",
    )


def expiry(side: str):
    """Return the look of the rule that the certificate does not end while the migration runs."""

    def look(context: Context):
        if not host_of(context, side):
            yield unseen(context, side)
            return
        address, mode = context.address(side), mode_of(context, side)
        if no_certificate(context, side):
            yield no_certificate(context, side)
            return
        try:
            begins, ends = wire.validity(agreed(context, side).certificate)
        except ValueError as error:
            yield blind(address, str(error))
            return
        now = datetime.datetime.now(datetime.timezone.utc)
        days = (ends - now).days
        renew = "Renew the server's certificate; on PostgreSQL put the files in place and SELECT pg_reload_conf();"
        asked = mode in VERIFYING or (mode == "require" and bool(context.endpoint(side).sslrootcert))
        if now >= ends or now < begins:
            words = f"ended on {ends:%Y-%m-%d}" if now >= ends else f"begins on {begins:%Y-%m-%d}"
            late = violated(
                address,
                f"the certificate {words}",
                remedy=f"{renew} Also compare the clock of the host that executes this task: it says {now:%Y-%m-%d %H:%M} UTC.",
                severity="failed" if asked else "warning",
            )
            yield late
        elif days < DAYS_LEFT:
            yield violated(address, f"the certificate ends on {ends:%Y-%m-%d}, in {days} days", remedy=renew)
        else:
            yield fine(address, f"valid until {ends:%Y-%m-%d}, {days} more days")

    return look


def authentication(side: str):
    """Return the look of the rule about how I(side) wants to know who logs in."""

    def look(context: Context):
        if not host_of(context, side):
            yield unseen(context, side)
            return
        address = context.address(side)
        try:
            method, refusal, encrypted = ask_method(context, side)
        except TROUBLES as error:
            refusal = reason(error)
        if refusal:
            yield blind(address, f"how the server authenticates could not be asked: {refusal}")
        else:
            yield from judge_method(context, side, method, encrypted)

    return look


def judge_method(context: Context, side: str, method: str, encrypted: bool):
    """Say whether a way of logging in will do."""
    address, endpoint = context.address(side), context.endpoint(side)
    local = is_local(knock(context, side)[0])
    if context.by_service and method in ("Kerberos 5", "GSSAPI", "SSPI"):
        yield violated(
            address,
            f"the server asks for {method}, and the service logs in with user and password only",
            severity="failed",
            code="603100",
            remedy="Add a line with scram-sha-256 for the migration user before the others in pg_hba.conf. Or migrate with "
            "'provider: host'.",
        )
    elif method == "none" and not endpoint.sslcert and not local:
        yield violated(
            address,
            "the server asks for no password (trust)",
            remedy="Replace trust by scram-sha-256 in pg_hba.conf of the server: whoever reaches the port gets in as this user.",
        )
    elif method == "password in clear text" and not encrypted and not local:
        yield violated(
            address,
            "the password goes over the network in clear text, without TLS",
            remedy=f"Set '{side}.sslmode: require', or scram-sha-256 in pg_hba.conf of the server.",
        )
    elif method == "MD5":
        yield violated(
            address,
            "the server asks for MD5, which PostgreSQL is about to drop and strict OpenSSL builds refuse",
            remedy="On the server: SET password_encryption = 'scram-sha-256'; and give the user its password anew with \\password.",
        )
    else:
        said = "no password asked" if method == "none" else method
        yield fine(address, f"{said}, {'over TLS' if encrypted else 'without TLS'}")


PAGES = "https://www.postgresql.org/docs/current/"


def rules(side: str) -> tuple:
    """Return the rules about the network on the way to I(side), outermost layer first."""

    def network(kind: str, title: str, look, **words) -> Rule:
        return Rule(id=f"{side}-{kind}", title=title, level="network", side=side, look=look, **words)

    return (
        network(
            "name",
            f"The {side}'s name resolves",
            name(side),
            expected="an address for the name, on the host that executes this task",
            remedy=f"Correct '{side}.host', or make the name known to the host that executes this task.",
            documentation=f"{PAGES}libpq-connect.html#LIBPQ-CONNECT-HOST",
            code="603000",
        ),
        network(
            "port",
            f"The {side}'s port opens",
            port(side),
            expected="a TCP connection from the host that executes this task",
            remedy="Open the port on the way.",
            documentation=f"{PAGES}runtime-config-connection.html#GUC-LISTEN-ADDRESSES",
            code="603000",
            needs=(f"{side}-name",),
        ),
        network(
            "tls",
            f"PostgreSQL answers on the {side}, with TLS as asked",
            tls(side),
            expected="an answer to PostgreSQL's request for TLS, and TLS 1.2 or newer where sslmode asks for it",
            remedy="On the server, with a certificate in place: ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf();",
            documentation=f"{PAGES}ssl-tcp.html",
            code="603001",
            needs=(f"{side}-port",),
        ),
        network(
            "certificate",
            f"The {side}'s certificate is trusted and made for this host",
            certificate(side),
            expected="a chain to a trusted authority for verify-ca, and the host's name for verify-full",
            remedy=f"Set '{side}.sslrootcert' to the authority that signed the server's certificate.",
            documentation=f"{PAGES}libpq-ssl.html#LIBPQ-SSL-CERTIFICATES",
            code="603001",
            needs=(f"{side}-tls",),
        ),
        network(
            "certificate-expiry",
            f"The {side}'s certificate does not end soon",
            expiry(side),
            expected=f"a certificate that is valid for {DAYS_LEFT} more days",
            remedy="Renew the server's certificate.",
            documentation=f"{PAGES}ssl-tcp.html#SSL-CERTIFICATE-CREATION",
            severity="warning",
            code="603001",
            needs=(f"{side}-tls",),
        ),
    )


def authentication_rule(side: str) -> Rule:
    """Return the rule about how I(side) wants to know who logs in; it needs a login."""
    return Rule(
        id=f"{side}-authentication",
        title=f"The {side} asks for a password in a way that will do",
        level="network",
        side=side,
        look=authentication(side),
        expected="SCRAM, or another way that neither shows the password nor goes without one",
        remedy="Use scram-sha-256 in pg_hba.conf.",
        documentation=f"{PAGES}auth-methods.html",
        severity="warning",
        needs=(f"{side}-reachable",),
    )


RULES = (*rules(SOURCE), *rules(TARGET))
LOGIN_RULES = (authentication_rule(SOURCE), authentication_rule(TARGET))
