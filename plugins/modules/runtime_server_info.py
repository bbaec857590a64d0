#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_server_info
short_description: Describe the runtime server of a migration
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - With O(provider=host), reports what the executing host offers as a runtime server, and how far it is from both servers.
  - With O(provider=azure), reports what the flexible server is, whose it is, and what it has cost so far.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19.0 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.azure_server
  - azpg.migrate.programs
  - azpg.migrate.attributes
  - azpg.migrate.attributes.info_module
seealso:
  - module: azpg.migrate.runtime_server
"""

EXAMPLES = r"""
- name: Look at the runtime host
  azpg.migrate.runtime_server_info:
    name: shop
    source:
      host: 10.20.0.4
      user: migrator
      password: "{{ source_password }}"
      sslmode: verify-full
      sslrootcert: /etc/ssl/source.pem
    target:
      host: shop.postgres.database.azure.com
      user: pgadmin
      password: "{{ target_password }}"
      sslmode: require
    databases: [shop, billing]
"""

RETURN = r"""
state:
  description: V(present), V(absent), Azure's word while the server changes, or V(decommissioned) when the migration is over and cleaned up.
  returned: success
  type: str
  sample: present
runtime_server:
  description: What the runtime server offers; empty when it is absent.
  returned: success
  type: dict
  contains:
    python:
      description: The interpreter that runs the engine.
      type: str
      returned: when present
    engine:
      description: Path of the installed engine.
      type: str
      returned: when installed
    bin_directory:
      description: Directory of the client programs.
      type: str
      returned: when present
    client_version:
      description: Version of the client programs.
      type: str
      returned: when present
    cores:
      description: Processors that the engine may use.
      type: int
      returned: when present
    recommended_jobs:
      description: >-
        With how many workers a migration through this host is well served, by its processors, the memory that is left, and
        what came through from the source in a second. An option O(azpg.migrate.migration#module:jobs).
      type: int
      returned: when present, with O(provider=host)
    recommended_because:
      description: What of them sets the bound.
      type: str
      returned: when present, with O(provider=host)
    source_bytes_per_second:
      description: What came through from the source with two sessions; 0 when it could not be measured.
      type: int
      returned: when present, with O(provider=host)
    memory_available_bytes:
      description: Memory that is left for programs.
      type: int
      returned: when present, with O(provider=host)
    state_free_bytes:
      description: Free room for the state directory.
      type: int
      returned: when present
    source:
      description: The source's version, and the time that a question to it takes from here.
      type: dict
      returned: when present
    target:
      description: The target's version, and the time that a question to it takes from here.
      type: dict
      returned: when present
    id:
      description: Resource id of the flexible server.
      type: str
      returned: with O(provider=azure)
    location:
      description: Its region.
      type: str
      returned: with O(provider=azure)
    sku:
      description: Its size.
      type: str
      returned: with O(provider=azure)
    tier:
      description: Its tier.
      type: str
      returned: with O(provider=azure)
    memory_mib:
      description: Its memory.
      type: int
      returned: with O(provider=azure)
    version:
      description: Its major version.
      type: str
      returned: with O(provider=azure)
    storage_size_gb:
      description: Its disk in GiB.
      type: int
      returned: with O(provider=azure)
    server_state:
      description: Azure's word for its state.
      type: str
      returned: with O(provider=azure)
    fully_qualified_domain_name:
      description: Its name.
      type: str
      returned: with O(provider=azure)
    delegated_subnet_id:
      description: The subnet that it is in.
      type: str
      returned: with O(provider=azure)
    private_dns_zone_id:
      description: The zone that its name is entered in.
      type: str
      returned: with O(provider=azure)
    owner:
      description: V(this migration), the name of another, or nothing for a server that this collection did not make.
      type: str
      returned: with O(provider=azure)
    adopted:
      description: Whether it was handed over.
      type: bool
      returned: with O(provider=azure)
    created:
      description: What was made for this migration, of C(server), C(subnet) and C(zone).
      type: list
      elements: str
      returned: with O(provider=azure)
    created_at:
      description: When.
      type: str
      returned: with O(provider=azure)
    hours:
      description: For how many hours it has been there.
      type: float
      returned: with O(provider=azure), when it was made for a migration
    cost:
      description: What that cost.
      type: float
      returned: with O(azure_server.price_per_hour)
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    AZURE_SERVER,
    PROGRAMS,
    REQUEST,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.runtime_server import inform

SPECIFICATION = merged(REQUEST, AZURE, AZURE_SERVER, PROGRAMS)


def main():
    """Run the module."""
    execute(SPECIFICATION, inform)


if __name__ == "__main__":
    main()
