# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the host itself, and helpers that need no server."""

from __future__ import annotations

import os

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._checks import capacity, locales, published_extensions, reach
from ansible_collections.azpg.migrate.plugins.module_utils._checks.context import Context
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

MOUNTS = """22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /run rw,nosuid - tmpfs tmpfs rw
31 22 0:26 / /srv/with\\040blank rw - nfs4 server:/x rw
32 22 0:27 / /var rw - xfs /dev/sdb rw
33 22 0:28 / /var rw - overlay overlay rw
"""


@pytest.fixture
def mounts(tmp_path):
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS, encoding="ascii")
    return str(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/me", ("ext4", "/")),
        ("/run/azpg", ("tmpfs", "/run")),
        ("/running", ("ext4", "/")),
        ("/srv/with blank/x", ("nfs4", "/srv/with blank")),
        ("/var/lib", ("overlay", "/var")),
    ],
)
def test_file_system(mounts, path, expected):
    assert capacity.file_system(path, mounts) == expected


def test_file_system_unknown(tmp_path):
    assert capacity.file_system("/", str(tmp_path / "absent")) == ("", "")


def test_existing_ancestor(tmp_path):
    assert capacity.existing_ancestor(str(tmp_path / "a" / "b")) == os.path.realpath(tmp_path)


@pytest.fixture
def context(tmp_path, monkeypatch):
    request = Request.create("shop", {"host": "a"}, {"host": "b"}, ["one"])
    monkeypatch.setattr(Context, "databases", lambda _self, _side: {"one": {"bytes": 100 * 10**9}})
    return Context(request, Layout.create("shop", str(tmp_path / "state")))


class Statistics:
    f_frsize = 4096

    def __init__(self, free):
        self.f_bavail = free // 4096


@pytest.mark.parametrize(("free", "kind"), [(2 * 10**9, "fine"), (500 * 10**6, "violated")])
def test_state_directory_needs_a_share_of_the_source(context, monkeypatch, free, kind):
    monkeypatch.setattr(os, "statvfs", lambda _path: Statistics(free), raising=True)
    (observation,) = capacity.state_room(context)
    assert observation.kind == kind
    assert observation.object == context.layout.directory
    assert "1.0 GB free" in observation.expected
    if kind == "violated":
        assert observation.found.startswith("500 MB free in ")
        assert observation.remedy.startswith("Free at least 500 MB there")


def test_state_directory_must_be_writable(context, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_arguments: False)
    (observation,) = capacity.state_room(context)
    assert (observation.kind, "cannot be written" in observation.found) == ("violated", True)


@pytest.mark.parametrize(("kind", "expected"), [("ext4", "fine"), ("tmpfs", "violated"), ("nfs4", "violated")])
def test_state_directory_file_system(context, monkeypatch, kind, expected):
    monkeypatch.setattr(capacity, "file_system", lambda _path: (kind, "/x"))
    (observation,) = capacity.state_file_system(context)
    assert observation.kind == expected
    assert kind in observation.found


@pytest.mark.parametrize(
    ("first", "second"), [("en_US.UTF-8", "en_US.utf8"), ("C.UTF-8", "C.utf8"), ("de_DE.UTF-8@euro", "de_DE.utf8@euro")]
)
def test_locale_names(first, second):
    assert locales.plain(first) == locales.plain(second)


def test_locale_names_differ():
    assert locales.plain("en_US.UTF-8") != locales.plain("en_US.ISO8859-1") != locales.plain("en_US")


def test_extension_versions_compare_as_numbers():
    assert published_extensions.numbers("1.10") > published_extensions.numbers("1.9")
    assert published_extensions.numbers("3.5.2") > published_extensions.numbers("3.5")
    assert published_extensions.numbers("2.0dev") == (2,)


class Server:
    def __init__(self, **transport):
        self.words = {"encrypted": False, "protocol": None, "cipher": None, "local": False, **transport}

    def transport(self):
        return self.words


@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        ({"encrypted": True, "protocol": "TLSv1.3", "cipher": "AES"}, "fine"),
        ({"local": True}, "fine"),
        ({}, "violated"),
    ],
)
def test_encryption(context, monkeypatch, transport, kind):
    monkeypatch.setattr(Context, "server", lambda _self, _side: Server(**transport))
    (observation,) = reach.encrypted("target")(context)
    assert observation.kind == kind
    assert "sslmode=prefer" in observation.found
    assert ("target.sslmode" in observation.remedy) == (kind == "violated")


@pytest.mark.parametrize(("provider", "violations"), [("i", 1), ("c", 0)])
def test_a_target_without_icu(context, monkeypatch, provider, violations):
    row = {"provider": provider, "locale": "de-AT", "encoding": "UTF8", "collate": "C"}
    monkeypatch.setattr(Context, "databases", lambda _self, _side: {"one": row})
    monkeypatch.setattr(locales, "collations", lambda _context: [{"name": "C", "provider": "c"}])
    assert len(list(locales.locale_provider(context, "one"))) == violations


def test_a_driver_that_is_missing(context, monkeypatch):
    def missing():
        raise DependencyMissing("no psycopg2", "install it")

    monkeypatch.setattr(reach, "require_driver", missing)
    (observation,) = reach.driver(context)
    assert (observation.kind, observation.found, observation.remedy) == ("violated", "no psycopg2", "install it")
