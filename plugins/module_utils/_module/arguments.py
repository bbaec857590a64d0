# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications that several modules share; the documentation fragments say the same in words."""

from __future__ import annotations

ENDPOINT = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "dbname": {"type": "str"},
    "sslmode": {"type": "str", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]},
    "sslrootcert": {"type": "path"},
    "sslcert": {"type": "path"},
    "sslkey": {"type": "path", "no_log": False},
    "passfile": {"type": "path", "no_log": False},
    "service": {"type": "str"},
    "options": {"type": "str"},
    "connect_timeout": {"type": "int"},
}

# The migration service's own words, see the enumeration SourceType of its API.
SOURCE_TYPES = [
    "ApsaraDB_RDS", "AWS", "AWS_AURORA", "AWS_EC2", "AWS_RDS", "AzureVM", "Crunchy_PostgreSQL",
    "Digital_Ocean_Droplets", "Digital_Ocean_PostgreSQL", "EDB", "EDB_Oracle_Server", "EDB_PostgreSQL", "GCP",
    "GCP_AlloyDB", "GCP_CloudSQL", "GCP_Compute", "Heroku_PostgreSQL", "Huawei_Compute", "Huawei_RDS", "OnPremises",
    "PostgreSQLCosmosDB", "PostgreSQLFlexibleServer", "PostgreSQLSingleServer", "Supabase_PostgreSQL",
]  # fmt: skip

REQUEST = {
    "name": {"type": "str", "required": True},
    "provider": {"type": "str", "choices": ["azure", "host"], "default": "host"},
    "mode": {"type": "str", "choices": ["offline", "online"], "default": "offline"},
    "source": {"type": "dict", "required": True, "options": ENDPOINT},
    "target": {"type": "dict", "required": True, "options": ENDPOINT},
    "databases": {"type": "list", "elements": "str", "required": True},
    "role_map": {"type": "dict", "default": {}},
    "source_type": {"type": "str", "choices": SOURCE_TYPES},
    "source_server_id": {"type": "str"},
    "target_server_id": {"type": "str"},
    "runtime_server_id": {"type": "str", "aliases": ["migration_runtime_resource_id", "migrationRuntimeResourceId"]},
    "state_directory": {"type": "path"},
    "archive_directory": {"type": "path"},
}

# How to log in to Azure Resource Manager, in the words of azure.azcollection. Only modules that talk to it take them.
AZURE = {
    "auth_source": {"type": "str", "choices": ["auto", "cli", "credential_file", "env", "msi"], "default": "auto"},
    "profile": {"type": "str"},
    "subscription_id": {"type": "str"},
    "client_id": {"type": "str"},
    "secret": {"type": "str", "no_log": True},
    "tenant": {"type": "str"},
    "x509_certificate_path": {"type": "path"},
    "oidc_token": {"type": "str", "no_log": True},
    "oidc_token_file_path": {"type": "path", "no_log": False},
    "cloud_environment": {"type": "str", "default": "AzureCloud"},
    "disable_instance_discovery": {"type": "bool", "default": False},
    "ca_certificates": {"type": "path"},
}

# What lets the gate in front of deletion open.
GATE = {
    "evidence": {"type": "dict"},
    "accept_sample": {"type": "bool", "default": False},
    "accept_warnings": {"type": "list", "elements": "str", "default": []},
    "signing_key": {"type": "str", "no_log": True},
    "allowed_signers": {"type": "path"},
    "signer": {"type": "str"},
}

PROGRAMS = {"bin_directory": {"type": "path"}}


def merged(*specifications: dict, **own) -> dict:
    """Return one argument specification from several; an option named twice is a mistake of the programmer."""
    result: dict = {}
    for specification in (*specifications, own):
        twice = set(result) & set(specification)
        if twice:
            raise ValueError(f"Option {', '.join(sorted(twice))} is specified twice.")
        result.update(specification)
    return result
