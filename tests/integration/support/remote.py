# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime host that is reached over SSH, and migrations through it."""

from __future__ import annotations

import pytest

from support.lab import CACHE
from support.migrations import Migration
from tools.lab.host import Host

CLIENTS = "/opt/clients"
CERTIFICATES = "/etc/ssl/lab"
# What programs of the operating system write wherever they run.
ACCIDENTAL = ("/var/log", "/var/cache", "/var/lib/apt", "/var/lib/sudo", "/var/lib/systemd")


@pytest.fixture(scope="module")
def host(lab, tmp_path_factory):
    """A host with client programs and with the certificates of both servers."""
    made = Host(tmp_path_factory.mktemp("host"), CACHE, [(lab.target.prefix, CLIENTS)])
    made.prepare()
    for side, cluster in (("source", lab.source), ("target", lab.target)):
        made.write(f"{CERTIFICATES}/{side}.pem", cluster.certificate.read_text(encoding="ascii"))
    with made:
        yield made


def variables(one: Migration, host: Host, user: str, **more) -> dict:
    """Return the inventory variables of a migration through the host, with directories where they are by default."""
    for side, words in one.ends.items():
        words["sslrootcert"] = f"{CERTIFICATES}/{side}.pem"
    return {
        **host.variables(user),
        "azpg_bin_directory": f"{CLIENTS}/bin",
        "azpg_state_directory": "{{ omit }}",
        "azpg_archive_directory": "{{ omit }}",
        **more,
    }


def traces(host: Host) -> dict:
    """Return what is on the host, path to a word on it."""
    return {path: word for path, word in host.tree().items() if not path.startswith(ACCIDENTAL)}
