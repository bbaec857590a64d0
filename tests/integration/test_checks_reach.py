# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a server: each layer that fails has its own finding, and everything behind it is skipped because of it."""

from __future__ import annotations

import contextlib
import shutil

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import reach_speed, service_source
from ansible_collections.azpg.migrate.plugins.module_utils._checks.session import Session
from support.checks import SOURCE_MAJOR, both_sides, free_port, of_rule, shows, the_only, troubles
from support.odd_servers import SlowRoad, certificate, listening, swallowing


def skipped_because(findings) -> set:
    """Return what stood in the way of skipped findings."""
    return {finding.because for finding in findings if finding.status == "skipped"}


@both_sides("name")
def test_a_name_that_nobody_knows(checked_pair, side):
    findings = checked_pair.check(**{side: {"host": "nowhere.invalid"}})
    finding = the_only(findings, f"{side}-name", item=f"nowhere.invalid:{getattr(checked_pair, side).port}")
    assert "the name nowhere.invalid does not resolve" in finding.found
    assert f"'{side}.host'" in finding.remedy and finding.code == "603000"
    assert skipped_because(findings) - {""} == {f"{side}-name"}


@both_sides("port")
def test_a_port_that_is_closed(checked_pair, side):
    port = free_port()
    findings = checked_pair.check(**{side: {"port": port}})
    finding = the_only(findings, f"{side}-port", item=f"{checked_pair.source.host}:{port}")
    assert "Connection refused, nothing listens on the port" in finding.found and "listen_addresses" in finding.remedy
    assert finding.code == "603000" and skipped_because(findings) >= {f"{side}-port"}


def test_a_firewall_that_swallows_packets(checked_pair):
    with swallowing() as port:
        words = {"host": "127.0.0.1", "port": port, "connect_timeout": 2}
        finding = the_only(checked_pair.check(source=words), "source-port", item=f"127.0.0.1:{port}")
    assert "no answer within 2 s" in finding.found
    assert "Something on the way swallows the packets" in finding.remedy


def test_a_listener_that_never_answers(checked_pair):
    with listening(None) as port:
        words = {"host": "127.0.0.1", "port": port, "connect_timeout": 2}
        finding = the_only(checked_pair.check(source=words), "source-tls", item=f"127.0.0.1:{port}")
    assert "the connection is open, and no answer comes" in finding.found
    assert "load balancer" in finding.remedy and finding.code == "603000"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""], ids=["web server", "closes"])
def test_a_listener_that_is_not_postgresql(checked_pair, answer):
    with listening(answer) as port:
        finding = the_only(
            checked_pair.check(source={"host": "127.0.0.1", "port": port}), "source-tls", item=f"127.0.0.1:{port}"
        )
    assert "which PostgreSQL does not" in finding.found or "closed without an answer" in finding.found
    assert "PostgreSQL is not what listens there" in finding.remedy


@contextlib.contextmanager
def server_settings(checked_pair, side: str, **values):
    """Change settings of TLS, which a reload is enough for."""
    for name, value in values.items():
        checked_pair.run(side, f"ALTER SYSTEM SET {name} = '{value}'")
    checked_pair.run(side, "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        # Nobody can be asked over TLS while there is none.
        (getattr(checked_pair, side).data / "postgresql.auto.conf").write_text("", encoding="ascii")
        getattr(checked_pair, side).restart()


@both_sides("tls")
def test_a_server_without_tls_that_is_asked_for_it(checked_pair, side):
    with server_settings(checked_pair, side, ssl="off"):
        findings = checked_pair.check(only=["*-tls"])
    finding = the_only(findings, f"{side}-tls", item=checked_pair.address(side))
    assert finding.found == f"the server offers no TLS, and '{side}.sslmode' is verify-full"
    assert finding.code == "603001" and "ALTER SYSTEM SET ssl = on;" in finding.remedy


@contextlib.contextmanager
def served_certificate(checked_pair, side: str, tmp_path, **words):
    """Let a server show another certificate; yield the file that a client must trust."""
    cluster = getattr(checked_pair, side)
    made, key = certificate(tmp_path / "certificates", **words)
    kept = {name: (cluster.data / name).read_bytes() for name in ("server.crt", "server.key")}
    try:
        for name, file in (("server.crt", made), ("server.key", key)):
            (cluster.data / name).write_bytes(file.read_bytes())
        checked_pair.run(side, "SELECT pg_reload_conf()")
        yield made
    finally:
        for name, content in kept.items():
            (cluster.data / name).write_bytes(content)
        cluster.restart()


@both_sides("certificate-expiry")
def test_a_certificate_that_has_ended(checked_pair, side, tmp_path):
    with served_certificate(checked_pair, side, tmp_path / side, days=-3) as root:
        findings = checked_pair.check(**{side: {"sslrootcert": str(root)}})
        finding = the_only(findings, f"{side}-certificate-expiry", item=checked_pair.address(side))
        assert finding.found.startswith("the certificate ended on ") and "Renew" in finding.remedy
        assert skipped_because(findings) >= {f"{side}-certificate-expiry"}
        # Who does not verify gets in, and is told.
        unverified = checked_pair.check(**{side: {"sslmode": "require", "sslrootcert": None}})
        the_only(unverified, f"{side}-certificate-expiry", "warning", checked_pair.address(side))


def test_a_certificate_that_ends_soon(checked_pair, tmp_path):
    with served_certificate(checked_pair, "source", tmp_path, days=5) as root:
        finding = the_only(
            checked_pair.check(source={"sslrootcert": str(root)}),
            "source-certificate-expiry",
            "warning",
            checked_pair.address("source"),
        )
    assert "in 4 days" in finding.found or "in 5 days" in finding.found


@both_sides("certificate")
def test_a_certificate_that_is_not_trusted(checked_pair, side):
    other = checked_pair.target if side == "source" else checked_pair.source
    findings = checked_pair.check(**{side: {"sslrootcert": str(other.certificate)}})
    finding = the_only(findings, f"{side}-certificate", item=checked_pair.address(side))
    assert "does not lead to an authority" in finding.found and f"'{side}.sslrootcert'" in finding.remedy
    assert finding.code == "603001" and skipped_because(findings) >= {f"{side}-certificate"}


def test_a_certificate_for_another_name(checked_pair, tmp_path):
    with served_certificate(checked_pair, "source", tmp_path, days=300, name="elsewhere.example") as root:
        words = {"sslrootcert": str(root)}
        finding = the_only(checked_pair.check(source=words), "source-certificate", item=checked_pair.address("source"))
        assert f"the certificate is not made for {checked_pair.source.host}" in finding.found
        assert troubles(checked_pair.check(source={**words, "sslmode": "verify-ca"})) == []


def test_a_file_of_trusted_certificates_that_is_missing(checked_pair):
    finding = the_only(
        checked_pair.check(source={"sslrootcert": "/nowhere/root.crt"}),
        "source-certificate",
        item=checked_pair.address("source"),
    )
    assert "/nowhere/root.crt" in finding.found


@both_sides("reachable")
@pytest.mark.parametrize(
    ("words", "found", "remedy", "code"),
    [
        ({"password": "wrong"}, "password authentication failed", "Check user and password", "603100"),
        ({"user": "nobody"}, "password authentication failed", "Check user and password", "603100"),
        ({"sslmode": "disable"}, "no pg_hba.conf entry", "pg_hba.conf", "603000"),
    ],
    ids=["password", "user", "hba"],
)
def test_a_login_that_is_refused(checked_pair, side, words, found, remedy, code):
    findings = checked_pair.check(**{side: words})
    finding = the_only(findings, f"{side}-reachable", item=checked_pair.address(side))
    assert found in finding.found and remedy in finding.remedy and finding.code == code
    assert skipped_because(findings) >= {f"{side}-reachable"}


@contextlib.contextmanager
def hba(checked_pair, side: str, *lines: str):
    """Put lines before all others of pg_hba.conf."""
    cluster = getattr(checked_pair, side)
    file = cluster.data / "pg_hba.conf"
    before = file.read_text(encoding="ascii")
    file.write_text("".join(f"{line}\n" for line in lines) + before, encoding="ascii")
    checked_pair.run(side, "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        file.write_text(before, encoding="ascii")
        checked_pair.run(side, "SELECT pg_reload_conf()")


@both_sides("authentication")
def test_a_password_that_is_asked_for_in_md5(checked_pair, side):
    do = f"SET password_encryption = md5; ALTER ROLE mig PASSWORD '{side}'"
    undo = f"SET password_encryption = 'scram-sha-256'; ALTER ROLE mig PASSWORD '{side}'"
    with checked_pair.undone(side, do, undo), hba(checked_pair, side, "hostssl all mig 127.0.0.1/32 md5"):
        findings = checked_pair.check()
    finding = the_only(findings, f"{side}-authentication", "warning", checked_pair.address(side))
    assert "asks for MD5" in finding.found and "scram-sha-256" in finding.remedy


def test_no_password_and_clear_text_on_this_very_host(checked_pair):
    for method, words in (("trust", "no password asked"), ("password", "password in clear text, over TLS")):
        with hba(checked_pair, "source", f"hostssl all mig 127.0.0.1/32 {method}"):
            findings = checked_pair.check()
        assert troubles(findings) == []
        assert words in of_rule(findings, "source-authentication").found


@both_sides("encrypted")
def test_a_session_that_is_not_encrypted(checked_pair, side, monkeypatch):
    # No session leaves this host here, so it is taken for one that does.
    seen = Session.transport
    monkeypatch.setattr(Session, "transport", lambda self: {**seen(self), "local": False})
    with hba(checked_pair, side, "host all mig 127.0.0.1/32 scram-sha-256"):
        findings = checked_pair.check(**{side: {"sslmode": "disable", "sslrootcert": None}})
    finding = the_only(findings, f"{side}-encrypted", "warning", checked_pair.address(side))
    assert "sslmode=disable" in finding.found


@shows("service-ssl-mode")
def test_an_sslmode_that_the_service_does_not_have(checked_pair):
    with checked_pair.ready("azure"), hba(checked_pair, "source", "host all mig 127.0.0.1/32 scram-sha-256"):
        findings = checked_pair.check(source={"sslmode": "disable", "sslrootcert": None}, provider="azure")
    finding = the_only(findings, "service-ssl-mode", "warning", checked_pair.address("source"))
    assert "Prefer" in finding.found


@shows("source-database-reachable")
def test_a_database_that_does_not_exist(checked_pair):
    findings = checked_pair.check(databases=["one", "One"])
    finding = the_only(findings, "source-database-reachable", item="One")
    assert finding.code == "603102"
    assert "Close to it: one." in finding.remedy
    skipped = [finding for finding in findings if finding.status == "skipped"]
    assert {finding.because for finding in skipped} - {""} == {"source-database-reachable"}
    assert "one" not in {finding.object for finding in skipped}


def test_connect_is_missing_on_the_source(checked_pair):
    checked_pair.run("source", "REVOKE CONNECT ON DATABASE one FROM PUBLIC")
    finding = the_only(checked_pair.check(), "source-database-reachable")
    assert finding.remedy == 'On the source: GRANT CONNECT ON DATABASE "one" TO "mig";'


def test_nobody_may_connect(checked_pair):
    checked_pair.run("source", "ALTER DATABASE one ALLOW_CONNECTIONS false")
    finding = the_only(checked_pair.check(), "source-database-reachable")
    assert "ALLOW_CONNECTIONS true" in finding.remedy


def test_the_maintenance_database_is_not_needed(checked_pair):
    with checked_pair.undone(
        "source", "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC", "GRANT CONNECT ON DATABASE postgres TO PUBLIC"
    ):
        assert troubles(checked_pair.check()) == []


@shows("target-database-reachable")
def test_connect_is_missing_on_the_target(checked_pair):
    checked_pair.run("target", "CREATE DATABASE one OWNER other")
    checked_pair.run("target", "REVOKE CONNECT ON DATABASE one FROM PUBLIC, other")
    finding = the_only(checked_pair.check(), "target-database-reachable")
    assert finding.remedy == 'On the target: GRANT CONNECT ON DATABASE "one" TO "mig";'


@both_sides("latency")
def test_a_server_that_is_far_away(checked_pair, side):
    cluster = getattr(checked_pair, side)
    with SlowRoad("127.0.0.1", cluster.port, delay=0.055) as road:
        findings = checked_pair.check(**{side: {"port": road.port}}, only=["*-latency"])
    finding = the_only(findings, f"{side}-latency", "warning", f"{cluster.host}:{road.port}")
    assert "for a question and its answer" in finding.found and "nearer" in finding.remedy


@both_sides("throughput")
def test_a_narrow_road(checked_pair, side, monkeypatch):
    # A database that takes hours is none for a test: so seconds are long here.
    monkeypatch.setattr(reach_speed, "LONG_SECONDS", 5.0)
    cluster = getattr(checked_pair, side)
    with SlowRoad("127.0.0.1", cluster.port, rate=500_000) as road:
        findings = checked_pair.check(**{side: {"port": road.port}}, only=["*-throughput"])
    finding = the_only(findings, f"{side}-throughput", "warning", f"{cluster.host}:{road.port}")
    assert "/s with one session" in finding.found
    rate = float(finding.found.split(" ")[0])
    assert finding.found.split(" ")[1].startswith("kB/s") and 100 < rate < 700, finding.found


def test_a_target_that_logs_every_statement_is_not_sent_megabytes(checked_pair):
    with checked_pair.undone(
        "target", "ALTER ROLE mig SET log_statement = 'all'", "ALTER ROLE mig RESET log_statement"
    ):
        finding = of_rule(checked_pair.check(), "target-throughput")
    assert finding.status == "skipped" and "log_statement" in finding.remedy


@shows("service-source-address")
def test_a_source_of_cloud_sql_is_named_by_number(checked_pair):
    with checked_pair.ready("azure"):
        findings = checked_pair.check(provider="azure", source_type="GCP_CloudSQL", only=["service-source-address"])
        finding = the_only(findings, "service-source-address", item=checked_pair.address("source"))
        assert "source.host: 127.0.0.1" in finding.remedy and "provider: host" in finding.remedy
        words = {"host": "127.0.0.1", "sslmode": "verify-ca"}
        assert troubles(checked_pair.check(provider="azure", source=words, source_type="GCP_CloudSQL")) == []


def test_a_source_of_ipv6_only(checked_pair):
    checked_pair.run("source", "ALTER SYSTEM SET listen_addresses = '127.0.0.1, ::1'")
    checked_pair.source.restart()
    try:
        with checked_pair.ready("azure"):
            findings = checked_pair.check(provider="azure", source={"host": "::1"}, only=["service-source-address"])
    finally:
        checked_pair.run("source", "ALTER SYSTEM RESET listen_addresses")
        checked_pair.source.restart()
    finding = the_only(findings, "service-source-address", item=f"::1:{checked_pair.source.port}")
    assert "addresses of IPv6 only" in finding.found


@shows("service-private-to-public")
def test_a_private_source_and_a_public_target(checked_pair, monkeypatch):
    # Nothing on this host has a public address; the resolver is told one for the target.
    real = service_source.resolved
    monkeypatch.setattr(
        service_source, "resolved", lambda context, side: ["20.50.1.1"] if side == "target" else real(context, side)
    )
    with checked_pair.ready("azure"):
        findings = checked_pair.check(provider="azure")
    finding = the_only(findings, "service-private-to-public", "warning", "source and target")
    assert "20.50.1.1" in finding.found and "provider: host" in finding.remedy


def test_a_unix_socket_and_a_service_need_no_network(checked_pair, tmp_path, monkeypatch):
    file = tmp_path / "services"
    words = checked_pair.source.connection("mig", "source")
    file.write_text("[src]\n" + "".join(f"{key}={value}\n" for key, value in words.items()), encoding="ascii")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    nothing = dict.fromkeys(words)
    findings = checked_pair.check(source={**nothing, "service": "src"})
    assert troubles(findings) == []
    blind = {finding.rule for finding in findings if finding.status == "skipped"}
    assert {"source-name", "source-port", "source-tls", "source-certificate"} <= blind
    assert of_rule(findings, "source-reachable").status == "succeeded"


@pytest.mark.skipif(SOURCE_MAJOR < 12, reason="PostgreSQL 12 has the setting first")
def test_a_server_that_speaks_old_tls_only(checked_pair):
    if not shutil.which("openssl"):
        pytest.skip("no openssl")
    with server_settings(checked_pair, "source", ssl_max_protocol_version="TLSv1.1", ssl_min_protocol_version="TLSv1"):
        findings = checked_pair.check(only=["source-tls", "source-reachable"])
    finding = of_rule(troubles(findings), "source-tls")
    assert finding.code == "603001" and ("TLSv1.1" in finding.found or "no TLS protocol" in finding.found)
