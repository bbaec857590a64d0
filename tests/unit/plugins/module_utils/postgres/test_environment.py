# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What client programs inherit: every connection word, and the password only through a memory file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.environment import (
    client_environment,
    password_file_line,
)

PASSWORD = r"a:b\c 'd"


@pytest.fixture(autouse=True)
def foreign_settings(monkeypatch):
    """Settings of the user's own shell, which must not reach the programs."""
    monkeypatch.setenv("PGPASSWORD", "of the shell")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGSSLMODE", "disable")


def test_words_become_variables():
    endpoint = Endpoint("db", 6000, "me", None, None, "verify-full", "/ca", "/crt", "/key", "/pass", "svc", "-c a=b", 7)
    with client_environment(endpoint, "shop", "test") as (environment, descriptors):
        found = {word: text for word, text in environment.items() if word.startswith("PG")}
    assert descriptors == ()
    assert found == {
        "PGHOST": "db",
        "PGPORT": "6000",
        "PGUSER": "me",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/ca",
        "PGSSLCERT": "/crt",
        "PGSSLKEY": "/key",
        "PGPASSFILE": "/pass",
        "PGSERVICE": "svc",
        "PGOPTIONS": "-c a=b",
        "PGCONNECT_TIMEOUT": "7",
        "PGDATABASE": "shop",
        "PGAPPNAME": "test",
        "PGCLIENTENCODING": "UTF8",
    }


def test_the_rest_of_the_environment_is_kept(monkeypatch):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    with client_environment(Endpoint(host="db"), "shop", "test") as (environment, _descriptors):
        assert environment["LC_ALL"] == "C.UTF-8"
        assert environment["PATH"] == os.environ["PATH"]


def test_password_is_in_no_variable_and_the_file_is_private():
    with client_environment(Endpoint(host="db", password=PASSWORD), "shop", "test") as (environment, descriptors):
        assert PASSWORD not in "".join(environment.values())
        assert "PGPASSWORD" not in environment
        (descriptor,) = descriptors
        information = os.fstat(descriptor)
        assert stat.S_ISREG(information.st_mode)
        assert stat.S_IMODE(information.st_mode) == 0o600
        assert environment["PGPASSFILE"] == f"/proc/self/fd/{descriptor}"
    with pytest.raises(OSError):
        os.fstat(descriptor)


def test_a_child_reads_the_whole_file_as_often_as_it_opens_it():
    code = "import os; path = os.environ['PGPASSFILE']; print(open(path).read() + open(path).read(), end='')"
    with client_environment(Endpoint(host="db", password=PASSWORD), "shop", "test") as (environment, descriptors):
        process = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            pass_fds=descriptors,
            check=True,
            capture_output=True,
            text=True,
        )
    assert process.stdout == password_file_line(PASSWORD) * 2


def test_password_file_escapes_what_libpq_takes_for_its_own():
    assert password_file_line(PASSWORD) == "*:*:*:*:a\\:b\\\\c 'd\n"
