# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime host that is reached over SSH, and migrations through it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from support.lab import CACHE, TARGET_MAJOR
from support.migrations import Migration
from support.servers import catalogue, contents
from tools.lab.host import Host

CLIENTS = "/opt/clients"
CERTIFICATES = "/etc/ssl/lab"
REPOSITORY = "/srv/repository"
# What programs of the operating system write wherever they run.
ACCIDENTAL = ("/var/log", "/var/cache", "/var/lib/apt", "/var/lib/sudo", "/var/lib/systemd")


@pytest.fixture(scope="module")
def host(lab, tmp_path_factory):
    """A host with client programs and with the certificates of both servers."""
    made = Host(tmp_path_factory.mktemp("host"), CACHE, [(lab.target.prefix, CLIENTS)])
    made.prepare()
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        made.write(f"{CERTIFICATES}/{side}.pem", cluster.certificate.read_text(encoding="ascii"))
    make_repository(made.upper / REPOSITORY.lstrip("/"), tmp_path_factory.mktemp("packages"), TARGET_MAJOR)
    with made:
        yield made


def variables(one: Migration, host: Host, user: str, **more) -> dict:
    """Return the inventory variables of a migration through the host, with directories where they are by default."""
    for side, words in one.ends.items():
        words["sslrootcert"] = f"{CERTIFICATES}/{side}.pem"
    return {
        **host.variables(user),
        "ansible_remote_tmp": "/tmp",  # the tests' own setting is a folder of the controller
        "azpg_bin_directory": f"{CLIENTS}/bin",
        "azpg_state_directory": "{{ omit }}",
        "azpg_archive_directory": "{{ omit }}",
        **more,
    }


def traces(host: Host) -> dict:
    """Return what is on the host, path to a word on it."""
    # The distribution's libraries get their byte code when root first uses them.
    return {
        path: word
        for path, word in host.tree().items()
        if not path.startswith(ACCIDENTAL) and not (path.startswith("/usr/lib/python3") and "/__pycache__" in path)
    }


def new_paths(host: Host, before: dict) -> set:
    """Return the paths that have come to the host, or have changed."""
    after = traces(host)
    return {path for path in {*before, *after} if after.get(path) != before.get(path)}


def whole_way(one: Migration, host: Host, user: str, state: str, owner: str, **more) -> None:
    """Go the whole way as a user whose state directory is I(state), and look at what is left on servers and host."""
    words = variables(one, host, user, **more)
    before, source = traces(host), catalogue(one.lab.source)
    refused = one.play("provision", **{**words, "azpg_colocated": False})
    assert refused.code and "is the source and the target of the migration" in refused.output
    assert traces(host) == before
    played = one.play("provision", "migrate", "verify", "decommission", **words).good()
    assert played.changes == [1, 1, 0, 1]
    assert contents(one.lab.source, one.databases[0]) == contents(one.lab.target, one.databases[0])
    assert catalogue(one.lab.source) == source
    archive = f"{state}/archive/{one.name}"
    record = json.loads(host.run(f"cat {archive}/final-record.json"))
    # What is new is the archive, and everything in it is named, but for the record itself and its page.
    new = new_paths(host, before)
    inside = {path for path in new if path.startswith(f"{archive}/")}
    pages = {f"{archive}/final-record.{kind}" for kind in ("json", "html")}
    assert inside == {path for path in record["kept"] if path.startswith("/")} | pages
    assert all(archive.startswith(path) for path in new - inside), new - inside
    assert host.run(f"stat -c '%a %U' {state}").split() == ["700", owner]


def make_repository(place, work, major: int) -> None:
    """Make a signed repository of the shape of the PostgreSQL project's, with client programs that are those of the lab.

    They come in two packages, one of which needs the other.
    """
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text(encoding="utf-8").split("\n") if "=" in line
    )
    suite = f"{release['VERSION_CODENAME']}-pgdg"
    packages = {f"postgresql-client-{major}": "lab-client-common", "lab-client-common": ""}
    index = []
    pool = place / "pool"
    pool.mkdir(parents=True)
    for name, needs in packages.items():
        tree = work / name
        (tree / "DEBIAN").mkdir(parents=True)
        words = f"Package: {name}\nVersion: {major}.0-1\nArchitecture: all\nMaintainer: lab <lab@localhost>\nDescription: lab\n"
        words += f"Depends: {needs}\n" if needs else ""
        (tree / "DEBIAN" / "control").write_text(words, encoding="ascii")
        if needs:
            programs = tree / "usr/lib/postgresql" / str(major) / "bin"
            programs.mkdir(parents=True)
            for program in ("pg_dump", "pg_restore", "psql"):
                (programs / program).write_text(f'#!/bin/sh\nexec {CLIENTS}/bin/{program} "$@"\n', encoding="ascii")
                (programs / program).chmod(0o755)
        built = pool / f"{name}.deb"
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(built)], check=True, capture_output=True
        )
        digest = hashlib.sha256(built.read_bytes()).hexdigest()
        index.append(f"{words}Filename: pool/{name}.deb\nSize: {built.stat().st_size}\nSHA256: {digest}\n")
    lists = place / "dists" / suite / "main" / "binary-amd64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_text("\n".join(index), encoding="ascii")
    content = (lists / "Packages").read_bytes()
    head = f"Suite: {suite}\nCodename: {suite}\nComponents: main\nArchitectures: amd64 all\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
    head += f"SHA256:\n {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-amd64/Packages\n"
    (lists.parent.parent / "Release").write_text(head, encoding="ascii")
    home = work / "keys"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    try:
        subprocess.run([*gpg, "--quick-gen-key", "lab", "ed25519", "sign"], check=True, capture_output=True)
        signed = [
            "--clearsign",
            "--output",
            str(lists.parent.parent / "InRelease"),
            str(lists.parent.parent / "Release"),
        ]
        subprocess.run([*gpg, *signed], check=True, capture_output=True)
        subprocess.run(
            [*gpg, "--armor", "--output", str(place / "key.asc"), "--export", "lab"], check=True, capture_output=True
        )
    finally:
        subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)
