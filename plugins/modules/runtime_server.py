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
  - Makes the executing host the runtime server of a migration, with a private state directory, the transfer engine of
    this collection, and the certainty that Python, psycopg2, the client programs and both servers are as they have
    to be.
  - With O(state=absent) it is taken away again, through the same gate as M(azpg.migrate.cleanup), and with the same final record.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
options:
  state:
    description: Whether the runtime server is to be there.
    type: str
    choices: [present, absent]
    default: present
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
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
  description: V(present), V(absent), V(decommissioned) when the migration is over and cleaned up, or V(refused) in check mode when the gate is shut.
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
refusals:
  description: In check mode, every reason for which the gate is shut, see M(azpg.migrate.cleanup).
  returned: success
  type: list
  elements: dict
changes:
  description: What was made or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    GATE,
    PROGRAMS,
    REQUEST,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.runtime_server import ensure

SPECIFICATION = merged(
    REQUEST, AZURE, PROGRAMS, GATE, state={"type": "str", "choices": ["present", "absent"], "default": "present"}
)


def main():
    """Run the module."""
    execute(SPECIFICATION, ensure)


if __name__ == "__main__":
    main()
