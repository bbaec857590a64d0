#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_info
short_description: Report the progress of a migration
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Reads state, progress, rates and events of a migration from the runtime server.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.attributes
  - azpg.migrate.attributes.info_module
seealso:
  - module: azpg.migrate.migration
"""

EXAMPLES = r"""
- name: How far is it?
  azpg.migrate.migration_info:
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
  description:
    - V(absent), V(running), V(completed), V(failed), V(interrupted), V(cancelled), or V(decommissioned) when the
      migration is over and cleaned up.
  returned: success
  type: str
  sample: running
migration:
  description:
    - Progress of the migration; C(error) is set when it failed.
    - Sizes are in bytes, times in seconds.
  returned: success
  type: dict
  contains:
    state:
      description: State of the transfer.
      type: str
      returned: always
      sample: running
    bytes_done:
      description: Size of the tables that have arrived.
      type: int
      returned: when a transfer has begun
    bytes_total:
      description: Size of all tables.
      type: int
      returned: when a transfer has begun
    seconds_left:
      description: Estimated time until all tables have arrived.
      type: int
      returned: when a transfer has begun
    databases:
      description: Progress of each database.
      type: list
      elements: dict
      returned: when a transfer has begun
    current:
      description: What is being worked on, largest first.
      type: list
      elements: dict
      returned: when a transfer has begun
    events:
      description: The newest entries of the journal.
      type: list
      elements: dict
      returned: when a transfer has begun
    warnings:
      description: What a person should look at, for example roles that need a password.
      type: list
      elements: str
      returned: when a transfer has begun
    error:
      description: Why the transfer failed.
      type: dict
      returned: when a transfer has begun
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import REQUEST, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.migration import inform

SPECIFICATION = merged(REQUEST)


def main():
    """Run the module."""
    execute(SPECIFICATION, inform)


if __name__ == "__main__":
    main()
