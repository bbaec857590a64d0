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

# The same for modules that may find the rest in a properties file of the Azure CLI.
REQUEST_OR_FILE = {
    **{
        word: {key: value for key, value in option.items() if key != "required" or word == "name"}
        for word, option in REQUEST.items()
    },
    "properties_file": {"type": "path"},
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

# The flexible server that is, or shall be, the runtime server of provider azure, in Azure's own words.
AZURE_SERVER = {
    "azure_server": {
        "type": "dict",
        "options": {
            "location": {"type": "str"},
            "sku": {"type": "str", "default": "auto"},
            "tier": {"type": "str", "choices": ["Burstable", "GeneralPurpose", "MemoryOptimized"]},
            "version": {"type": "str"},
            "storage_size_gb": {"type": "int"},
            "availability_zone": {"type": "str"},
            "authentication": {"type": "str", "choices": ["entra", "password"], "default": "password"},
            "delegated_subnet_id": {"type": "str"},
            "virtual_network_id": {"type": "str"},
            "subnet_address_prefix": {"type": "str"},
            "network_security_group_id": {"type": "str"},
            "route_table_id": {"type": "str"},
            "private_dns_zone_id": {"type": "str"},
            "source_virtual_network_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "adopt": {"type": "bool", "default": False},
            "price_per_hour": {"type": "float"},
        },
    }
}

# How the target of provider azure is made ready for the load, in Azure's own words; nothing that is not asked for.
AZURE_TARGET = {
    "azure_target": {
        "type": "dict",
        "options": {
            "parameters": {"type": "dict", "default": {}},
            "recommended_parameters": {"type": "bool", "default": False},
            "extensions": {"type": "list", "elements": "str", "default": []},
            "libraries": {"type": "list", "elements": "str", "default": []},
            "sku": {"type": "str"},
            "restart": {"type": "bool", "default": False},
        },
    }
}

# What Azure's migration service can be asked for, beyond what every provider is asked for.
SERVICE = {
    "batch_size": {"type": "int", "default": 8},
    "groups": {"type": "list", "elements": "list"},
    "overwrite_databases": {"type": "list", "elements": "str", "default": []},
    "on_busy": {"type": "str", "choices": ["fail", "wait"], "default": "wait"},
    "runtime_concurrency": {"type": "int", "default": 1},
    "azure_migration_name": {"type": "str"},
    "migration_window_start": {"type": "str"},
    "migrate_roles": {"type": "bool", "default": False},
    "setup_logical_replication": {"type": "bool", "default": False},
    "unsafe_skip_validation": {"type": "bool", "default": False},
    "without_runtime_server": {"type": "bool", "default": False},
    "source_server_fqdn": {"type": "str"},
    "target_server_fqdn": {"type": "str"},
}

# How the host provider follows changes and cuts over.
ONLINE = {
    "online": {
        "type": "dict",
        "options": {
            "without_identity": {"type": "str", "choices": ["fail", "full", "exclude"], "default": "fail"},
            "table_identity": {"type": "dict", "default": {}},
            "apply": {"type": "str", "choices": ["sets", "ordered"], "default": "sets"},
            "spool_bytes": {"type": "int"},
            "max_retained_bytes": {"type": "int"},
            "prove": {"type": "str", "choices": ["resting", "all", "none"], "default": "resting"},
            "fence": {"type": "bool", "default": True},
            "fence_methods": {
                "type": "list",
                "elements": "str",
                "choices": ["read_only", "connect", "terminate"],
                "default": ["read_only", "connect", "terminate"],
            },
            "grace_seconds": {"type": "int", "default": 30},
            "sequence_margin": {"type": "int", "default": 32},
        },
    }
}

# What lets the gate in front of deletion open.
GATE = {
    "evidence": {"type": "dict"},
    "accept_sample": {"type": "bool", "default": False},
    "accept_warnings": {"type": "list", "elements": "str", "default": []},
    "accept_overrides": {"type": "bool", "default": False},
    "signing_key": {"type": "str", "no_log": True},
    "allowed_signers": {"type": "path"},
    "signer": {"type": "str"},
    "force": {"type": "str"},
    "signed_off_by": {"type": "str"},
    "keep": {"type": "list", "elements": "str", "choices": ["reports", "journal"], "default": ["reports", "journal"]},
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
