# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's network scenarios, and where an address is."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.addresses import whereabouts
from ansible_collections.azpg.migrate.plugins.module_utils._azure.scenarios import scenario
from ansible_collections.azpg.migrate.plugins.module_utils._azure.servers import INTEGRATED, PRIVATE_ENDPOINT, PUBLIC

SINGLE = "PostgreSQLSingleServer"


@pytest.mark.parametrize(
    ("source", "target", "kind", "number", "supported", "runtime"),
    [
        ("public", PUBLIC, None, "N1", True, "not needed"),
        ("public", PUBLIC, "AzureVM", "N1", True, "not needed"),
        ("public", PUBLIC, "AWS_RDS", "N2", True, "not needed"),
        ("public", PUBLIC, "AWS_AURORA", "N2", True, "not needed"),
        ("public", PUBLIC, "GCP_CloudSQL", "N3", True, "not needed"),
        ("public", PUBLIC, "GCP_AlloyDB", "N4", True, "not needed"),
        ("public", PUBLIC, "EDB_PostgreSQL", "N4", True, "not needed"),
        ("private", INTEGRATED, "OnPremises", "N5", True, "not needed"),
        ("private", INTEGRATED, "AWS_EC2", "N6", True, "not needed"),
        ("private", INTEGRATED, "GCP_CloudSQL", "N7", True, "not needed"),
        ("private", INTEGRATED, "AzureVM", "N8/N9", True, "not needed"),
        ("private", PRIVATE_ENDPOINT, "OnPremises", "N10", True, "required"),
        ("private", PRIVATE_ENDPOINT, "AzureVM", "N10", True, "required"),
        ("private", PRIVATE_ENDPOINT, "AWS_RDS", "N10", True, "required"),
        ("private", PUBLIC, "OnPremises", "N11", False, "not needed"),
        ("public", INTEGRATED, None, "N12", None, "not needed"),
        ("public", PRIVATE_ENDPOINT, None, "N12", None, "unclear"),
        ("public", PUBLIC, SINGLE, "N13", True, "not needed"),
        ("public", PRIVATE_ENDPOINT, SINGLE, "N13", True, "not needed"),
        ("private", INTEGRATED, SINGLE, "N13", True, "not needed"),
        ("private", PRIVATE_ENDPOINT, SINGLE, "N13", True, "required"),
        ("private", PUBLIC, SINGLE, "N13", False, "not needed"),
    ],
)
def test_every_row_of_the_matrix(source, target, kind, number, supported, runtime):
    found = scenario(source, target, kind)
    assert (found.number, found.supported, found.runtime) == (number, supported, runtime)


def test_an_unknown_way_to_the_source_is_no_row():
    assert scenario("unknown", PUBLIC) is None


def resolving(*addresses):
    return lambda host, port: [(socket.AF_INET, 0, 0, "", (address, 0)) for address in addresses]


def failing(host, port):
    raise socket.gaierror("no such name")


@pytest.mark.parametrize(
    ("host", "resolve", "expected"),
    [
        ("10.20.0.4", failing, "private"),
        ("192.168.1.1", failing, "private"),
        ("172.31.0.1", failing, "private"),
        ("172.32.0.1", failing, "public"),
        ("100.64.0.1", failing, "private"),
        ("20.66.25.58", failing, "public"),
        ("fd00::1", failing, "private"),
        ("2603:1030::1", failing, "public"),
        ("127.0.0.1", failing, "unknown"),
        ("169.254.1.1", failing, "unknown"),
        ("db.example", resolving("10.0.0.1", "10.0.0.2"), "private"),
        ("db.example", resolving("20.0.0.1"), "public"),
        ("db.example", resolving("10.0.0.1", "20.0.0.1"), "unknown"),
        ("db.example", resolving("127.0.0.1"), "unknown"),
        ("db.example", failing, "unknown"),
        (None, failing, "unknown"),
        ("/run/postgresql", failing, "unknown"),
    ],
)
def test_where_a_host_is(host, resolve, expected):
    assert whereabouts(host, resolve).access == expected
