#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cleanup
short_description: Take away what a migration needed
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - With O(provider=host), removes the helper schema and the borrowed memberships from the target, and the migration from
    the runtime server, after archiving report and journal.
  - With O(provider=azure), restores the target's parameters that were changed for the load, and deletes the runtime server
    with the subnet, the zone and the links that were made for it. What this migration did not make and was not handed over
    is kept, and said.
  - Nothing is removed unless the verification report passes, belongs to exactly this migration and is not stale.
    The data on source and target is never touched.
  - Writes the final record, which tells every later run that the migration is over.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19.0 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
options:
  outcome:
    description:
      - V(completed) is for a migration that is completed and verified.
      - V(abandoned) gives up a failed or cancelled one, or a completed one whose newest verification report does not find
        source and target equal. The target is left as it is.
      - V(rolled_back) undoes a failed or cancelled one as far as it got. The fence around the source is taken down, helper
        objects and borrowed memberships go, and of what it made on the target what O(drop_databases) and O(drop_roles) name.
    type: str
    choices: [completed, abandoned, rolled_back]
    default: completed
  confirm:
    description: The migration's name, typed by whoever gives it up; needed with O(outcome=abandoned) and O(outcome=rolled_back).
    type: str
  drop_databases:
    description:
      - Databases of the target to drop with O(outcome=rolled_back). Only those that this migration has made and marked are
        dropped, and only while nobody is connected; with O(provider=azure) none.
    type: list
    elements: str
    default: []
  drop_roles:
    description:
      - Roles of the target to drop with O(outcome=rolled_back). Only those that this migration has made and that own nothing
        are dropped; with O(provider=azure) none.
    type: list
    elements: str
    default: []
  wait_timeout:
    description: How many seconds each of Azure's operations may take, with O(provider=azure).
    type: int
    default: 3600
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.azure_server
  - azpg.migrate.gate
  - azpg.migrate.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
seealso:
  - module: azpg.migrate.verification
  - module: azpg.migrate.runtime_server
"""

EXAMPLES = r"""
- name: Clean up
  azpg.migrate.cleanup:
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

- name: Undo a migration that was cancelled, and drop the database that it had made
  azpg.migrate.cleanup:
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
    outcome: rolled_back
    confirm: shop
    drop_databases: [billing]
"""

RETURN = r"""
state:
  description:
    - V(decommissioned), or V(absent) when there was never such a migration here.
    - In check mode V(refused) when the gate is shut.
  returned: success
  type: str
  sample: decommissioned
removed:
  description: What was removed, or would be in check mode.
  returned: success
  type: list
  elements: str
kept:
  description: What stays, archived files included.
  returned: success
  type: list
  elements: str
remaining:
  description:
    - What of the migration could not be taken away and is still there, each with the reason; looked for after the removal.
    - What stays on purpose, such as the moved data, is in RV(kept), and so is everything on the target that is left as it is
      when a migration is abandoned.
  returned: success
  type: list
  elements: str
  sample:
    - "source: the privileges of database shop, those by default, stand in its catalogue now, where nothing stood; ..."
refusals:
  description: In check mode, every reason for which the gate is shut, each with RV(refusals[].code), what it says and what helps.
  returned: success
  type: list
  elements: dict
  contains:
    code:
      description: Stable code of the reason.
      type: str
      returned: always
    msg:
      description: What stands in the way.
      type: str
      returned: always
    hint:
      description: What to do about it.
      type: str
      returned: always
final_record:
  description: The final record.
  returned: success
  type: dict
summary:
  description: The migration in a few lines for people.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    AZURE_SERVER,
    GATE,
    REQUEST,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.cleanup import ensure
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute

SPECIFICATION = merged(
    REQUEST,
    AZURE,
    AZURE_SERVER,
    GATE,
    outcome={"type": "str", "choices": ["completed", "abandoned", "rolled_back"], "default": "completed"},
    drop_databases={"type": "list", "elements": "str", "default": []},
    drop_roles={"type": "list", "elements": "str", "default": []},
    confirm={"type": "str"},
    wait_timeout={"type": "int", "default": 3600},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, ensure)


if __name__ == "__main__":
    main()
