#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_server
short_description: Make a runtime server ready, or take it away
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - With O(provider=host), makes the executing host the runtime server of a migration, with a private state directory, the
    transfer engine of this collection, and the certainty that Python, psycopg2, the client programs and both servers are
    as they have to be.
  - With O(provider=azure), makes a flexible server the runtime server, which is integrated into a virtual network, has no
    high availability and is not smaller than the target. One that is there already is checked, and not changed unless it
    is handed over.
  - With O(state=absent) it is taken away again, through the same gate as M(azpg.migrate.cleanup), and with the same final record.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19.0 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
options:
  state:
    description: Whether the runtime server is to be there.
    type: str
    choices: [present, absent]
    default: present
  wait:
    description:
      - Whether to wait for what Azure takes minutes for. Without, RV(state) says what is still on its way, and a run with
        RV(operation) as O(operation) goes on from there.
      - While it waits, the task displays the state from time to time.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds each of Azure's operations may take.
    type: int
    default: 3600
  poll_interval:
    description: Seconds between two looks at the state while the task waits.
    type: int
    default: 15
  azure_target:
    description:
      - How the target is made ready for the load; used with O(provider=azure) only. Nothing is changed that is not asked for.
      - What was is kept as tags of the target that begin with C(azpg-was-), before anything is changed. M(azpg.migrate.cleanup)
        and O(state=absent) restore it.
    type: dict
    suboptions:
      parameters:
        description: Server parameters for the time of the load, for example V(max_wal_size).
        type: dict
        default: {}
      recommended_parameters:
        description:
          - Whether to set what Microsoft recommends for a load as well, by the target's size. Named O(azure_target.parameters)
            go before it.
          - Autovacuum is off until it is restored.
        type: bool
        default: false
      extensions:
        description: Extensions that are added to C(azure.extensions); what is there stays, and what is added is not taken back.
        type: list
        elements: str
        default: []
      libraries:
        description: The same for C(shared_preload_libraries).
        type: list
        elements: str
        default: []
      sku:
        description: Size of the target for the time of the load; scaling restarts it, here and when it is restored.
        type: str
      restart:
        description:
          - Whether the target may be restarted, once, for parameters that need it. Without, such parameters are refused.
          - Restoring them restarts it again.
        type: bool
        default: false
  colocated:
    description:
      - Whether the executing host may be the source or the target itself, with O(provider=host). Without, such a host is
        refused, since it would take processors, memory and disk from a server that people work with.
      - A server counts as being on the host when its address is one of the host's, so one behind a tunnel does too.
    type: bool
    default: false
  max_migrations:
    description: How many migrations the executing host may serve at the same time, with O(provider=host).
    type: int
    default: 16
  operation:
    description: What RV(operation) returned, so that its failure is told.
    type: str
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.azure_server
  - azpg.migrate.gate
  - azpg.migrate.programs
  - azpg.migrate.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: azpg.migrate.cleanup
  - module: azpg.migrate.runtime_server_info
"""

EXAMPLES = r"""
- name: Make the runtime host ready
  azpg.migrate.runtime_server:
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

- name: Make a flexible server the runtime server
  azpg.migrate.runtime_server:
    provider: azure
    name: shop
    source:
      host: 10.20.0.4
      user: migrator
      password: "{{ source_password }}"
      sslmode: require
    target:
      host: shop.postgres.database.azure.com
      user: pgadmin
      password: "{{ target_password }}"
      sslmode: require
    databases: [shop, billing]
    target_server_id: "{{ target_server_id }}"
    azure_server:
      delegated_subnet_id: "{{ network_id }}/subnets/runtime"
      source_virtual_network_id: "{{ network_id }}"
      tags: {cost-center: "4711"}

- name: Take it away once the data is proven to be there
  azpg.migrate.runtime_server:
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
    state: absent
"""

RETURN = r"""
state:
  description:
    - V(present), V(absent), V(decommissioned) when the migration is over and cleaned up, or V(refused) in check mode when the
      gate is shut.
    - Without O(wait), V(creating), V(updating), V(deleting) and the like while Azure is at it.
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
refusals:
  description: In check mode, every reason for which the gate is shut, see M(azpg.migrate.cleanup).
  returned: success
  type: list
  elements: dict
findings:
  description: What the checks of networks and names around the runtime server found, except what is well; see M(azpg.migrate.premigration_check).
  returned: success
  type: list
  elements: dict
operation:
  description: Where to look for the end of what Azure is still at, when there was no waiting.
  returned: success
  type: str
changes:
  description: What was made or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    AZURE_SERVER,
    AZURE_TARGET,
    GATE,
    PROGRAMS,
    REQUEST,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.runtime_server import ensure

SPECIFICATION = merged(
    REQUEST,
    AZURE,
    AZURE_SERVER,
    AZURE_TARGET,
    PROGRAMS,
    GATE,
    state={"type": "str", "choices": ["present", "absent"], "default": "present"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "int", "default": 3600},
    poll_interval={"type": "int", "default": 15},
    colocated={"type": "bool", "default": False},
    max_migrations={"type": "int", "default": 16},
    operation={"type": "str"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, ensure)


if __name__ == "__main__":
    main()
