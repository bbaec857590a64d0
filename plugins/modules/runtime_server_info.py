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
  - Reports what the executing host offers as a runtime server, and how far it is from both servers.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
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
  description: V(present), V(absent), or V(decommissioned) when the migration is over and cleaned up.
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
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import AZURE, PROGRAMS, REQUEST, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.runtime_server import inform

SPECIFICATION = merged(REQUEST, AZURE, PROGRAMS)


def main():
    """Run the module."""
    execute(SPECIFICATION, inform)


if __name__ == "__main__":
    main()
