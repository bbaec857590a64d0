#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: database_roles
short_description: Bring roles, owners and privileges to the target
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Azure's migration service carries no roles, except from a Single Server. What belongs to a role that the target lacks
    ends up with the migration's own user, and privileges of such roles are lost.
  - Before the migration this module creates the roles that the databases need, with memberships and settings. After it, it
    compares owners, privileges, default privileges and settings of every object, and changes what differs.
  - With O(provider=host) the transfer does all of this by itself.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
options:
  state:
    description:
      - With V(present) the target has the roles that the databases need. Roles that are there keep what they have.
      - With V(restored) owners, privileges and settings are those of the source as well; the databases have to be there.
        The migration's own user becomes a member of the owners for that, and stays one, so that verification may read.
      - With V(returned) it is a member of them no more.
    type: str
    choices: [present, restored, returned]
    default: present
  final_record:
    description:
      - What M(azpg.migrate.cleanup) returned as C(final_record) on another host, with O(state=returned). It is kept in the
        archive directory of this host as well, so that later runs know that the migration is over.
    type: dict
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: azpg.migrate.migration
  - module: azpg.migrate.verification
"""

EXAMPLES = r"""
- name: Create the roles before Azure's service carries the databases
  azpg.migrate.database_roles:
    provider: azure
    name: shop
    state: present
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
    target_server_id: /subscriptions/{{ subscription }}/resourceGroups/shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/shop
"""

RETURN = r"""
state:
  description: V(present), V(restored), V(returned), V(pending) in check mode while databases are missing, or V(decommissioned).
  returned: success
  type: str
  sample: restored
steps:
  description: What was done, or would be, as sentences and SQL statements; values of settings are left out.
  returned: success
  type: list
  elements: str
remarks:
  description: What the target refused or has no role for, and which roles need a password.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import REQUEST, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.database_roles import ensure
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute

SPECIFICATION = merged(
    REQUEST,
    state={"type": "str", "choices": ["present", "restored", "returned"], "default": "present"},
    final_record={"type": "dict"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, ensure)


if __name__ == "__main__":
    main()
