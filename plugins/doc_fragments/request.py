# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What every module needs to know of a migration."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the migration; 1 to 63 lower-case letters, digits, hyphens and underscores.
      - It stands for this source, this target and these databases for ever.
    type: str
    required: true
  provider:
    description:
      - Who plays the runtime server.
      - With V(host) it is the host that executes the task, a Linux machine that reaches both servers.
      - With V(azure) it is a flexible server in your virtual network, and Azure's own migration service moves the data.
    type: str
    choices: [azure, host]
    default: host
  mode:
    description:
      - With V(offline) the application is stopped, and one consistent copy is made.
      - With V(online) a base copy is made and changes follow until cutover; for now only with O(provider=azure).
    type: str
    choices: [offline, online]
    default: offline
  source:
    description:
      - How to connect to the server that the data leaves.
      - The words are libpq's own connection words.
    type: dict
    required: true
    suboptions:
      host:
        description: Name or address of the server, as the executing host sees it.
        type: str
      port:
        description: Port; libpq's default is 5432.
        type: int
      user:
        description: The user to log in as. An ordinary user will do; the checks say which rights it needs.
        type: str
      password:
        description: The password. It is handed on in memory only.
        type: str
      dbname:
        description: The database for questions about the server as a whole; C(postgres) if not set.
        type: str
      sslmode:
        description: How the connection is encrypted and the server's certificate is checked.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: File with the certificates that are trusted to sign the server's.
        type: path
      sslcert:
        description: File with the client's certificate.
        type: path
      sslkey:
        description: File with the client's private key.
        type: path
      passfile:
        description: File in libpq's password file format, instead of O(source.password).
        type: path
      service:
        description: Name of a service in libpq's service file.
        type: str
      options:
        description: Command-line options for the server, for example C(-c statement_timeout=0).
        type: str
      connect_timeout:
        description: Seconds to wait for a connection; 15 if not set.
        type: int
  target:
    description:
      - How to connect to the server that the data goes to.
      - The words are libpq's own connection words.
    type: dict
    required: true
    suboptions:
      host:
        description: Name or address of the server, as the executing host sees it.
        type: str
      port:
        description: Port; libpq's default is 5432.
        type: int
      user:
        description: The user to log in as. An ordinary user will do; the checks say which rights it needs.
        type: str
      password:
        description: The password. It is handed on in memory only.
        type: str
      dbname:
        description: The database for questions about the server as a whole; C(postgres) if not set.
        type: str
      sslmode:
        description: How the connection is encrypted and the server's certificate is checked.
        type: str
        choices: [disable, allow, prefer, require, verify-ca, verify-full]
      sslrootcert:
        description: File with the certificates that are trusted to sign the server's.
        type: path
      sslcert:
        description: File with the client's certificate.
        type: path
      sslkey:
        description: File with the client's private key.
        type: path
      passfile:
        description: File in libpq's password file format, instead of O(target.password).
        type: path
      service:
        description: Name of a service in libpq's service file.
        type: str
      options:
        description: Command-line options for the server, for example C(-c statement_timeout=0).
        type: str
      connect_timeout:
        description: Seconds to wait for a connection; 15 if not set.
        type: int
  databases:
    description: The databases to migrate, by name.
    type: list
    elements: str
    required: true
  role_map:
    description:
      - Roles of the source that have another name on the target, the source's name as key and the target's as value.
      - Objects of a superuser of the source that is not named here will belong to the migration's own user.
    type: dict
    default: {}
  source_type:
    description:
      - What the source is, in the migration service's words. It decides which parameters and roles the checks ask for.
      - Found out from the server itself where that is possible, V(OnPremises) otherwise, if not set.
    type: str
    choices: [
      ApsaraDB_RDS, AWS, AWS_AURORA, AWS_EC2, AWS_RDS, AzureVM, Crunchy_PostgreSQL, Digital_Ocean_Droplets,
      Digital_Ocean_PostgreSQL, EDB, EDB_Oracle_Server, EDB_PostgreSQL, GCP, GCP_AlloyDB, GCP_CloudSQL, GCP_Compute,
      Heroku_PostgreSQL, Huawei_Compute, Huawei_RDS, OnPremises, PostgreSQLCosmosDB, PostgreSQLFlexibleServer,
      PostgreSQLSingleServer, Supabase_PostgreSQL
    ]
  source_server_id:
    description: Resource id of the source, when it is an Azure Database for PostgreSQL Single Server.
    type: str
  target_server_id:
    description: Resource id of the target's flexible server. Required with O(provider=azure).
    type: str
  runtime_server_id:
    description:
      - Resource id of the flexible server that is the runtime server, or shall be. Only with O(provider=azure).
      - If not set, the runtime server lies in the target's resource group and its name is derived from O(name).
    type: str
    aliases: [migration_runtime_resource_id, migrationRuntimeResourceId]
  state_directory:
    description:
      - Directory on the executing host for what migrations need while they last; on a local disk.
      - C(/var/lib/azpg-migrate) for root, C(~/.local/state/azpg-migrate) for others if not set.
    type: path
  archive_directory:
    description:
      - Directory on the executing host for what stays of migrations, reports and final records.
      - C(archive) below O(state_directory) if not set.
    type: path
"""
