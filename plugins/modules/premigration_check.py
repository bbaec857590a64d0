#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: premigration_check
short_description: Find every reason a migration could fail for
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Looks at source, target and runtime host and reports findings, each with the object, what was found, what was
    expected and the remedy.
  - With O(provider=azure), asks Azure Resource Manager as well, about both servers, the runtime server, and the networks and
    names between them; the ids of these checks begin with C(azure-).
  - Nothing is written anywhere but the report. A check that lacks a right says so and is never taken for passed.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
options:
  only:
    description: Run only the checks with these ids; patterns such as V(source-*) are allowed.
    type: list
    elements: str
    default: []
  exclude:
    description: Leave out the checks with these ids or patterns.
    type: list
    elements: str
    default: []
  severities:
    description:
      - Severity of a violation by id of the rule, V(failed) or V(warning), where it is to differ from the default.
    type: dict
    default: {}
  accept:
    description:
      - Findings that are known and accepted.
      - Each entry names the C(rule), the C(object) if it is for one object only, a C(reason) and C(until),
        the date up to which it holds.
    type: list
    elements: dict
    default: []
  ask_azure:
    description:
      - Whether the checks that ask Azure Resource Manager are made, with O(provider=azure); not on a host that has no login.
    type: bool
    default: true
  fail_on:
    description: The gravity of findings that lets the task fail.
    type: str
    choices: [failed, warning, never]
    default: failed
  report_directory:
    description: Directory on the executing host to write the findings to as JSON.
    type: path
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.azure_server
  - azpg.migrate.programs
  - azpg.migrate.attributes
  - azpg.migrate.attributes.info_module
seealso:
  - module: azpg.migrate.migration
"""

EXAMPLES = r"""
- name: See what stands in the way, days before
  azpg.migrate.premigration_check:
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
    fail_on: never
"""

RETURN = r"""
state:
  description: V(checked), or V(decommissioned) when the migration is over and cleaned up and nothing was looked at.
  returned: success
  type: str
  sample: checked
findings:
  description: One entry per rule and object.
  returned: success
  type: list
  elements: dict
  contains:
    rule:
      description: Stable id of the rule.
      type: str
      returned: always
    status:
      description: V(succeeded), V(warning), V(failed) or V(skipped).
      type: str
      returned: always
    object:
      description: What the finding is about.
      type: str
      returned: always
    found:
      description: What was found.
      type: str
      returned: always
    expected:
      description: What was expected.
      type: str
      returned: always
    remedy:
      description: The command or option that helps.
      type: str
      returned: always
    because:
      description: Id of the rule whose fault this skipped one is a consequence of.
      type: str
      returned: always
summary:
  description: Numbers of findings by status.
  returned: success
  type: dict
report:
  description: Path of the JSON report, if one was asked for.
  returned: success
  type: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    AZURE_SERVER,
    PROGRAMS,
    REQUEST,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.premigration_check import check

SPECIFICATION = merged(
    REQUEST,
    AZURE,
    AZURE_SERVER,
    PROGRAMS,
    only={"type": "list", "elements": "str", "default": []},
    exclude={"type": "list", "elements": "str", "default": []},
    severities={"type": "dict", "default": {}},
    accept={"type": "list", "elements": "dict", "default": []},
    ask_azure={"type": "bool", "default": True},
    fail_on={"type": "str", "choices": ["failed", "warning", "never"], "default": "failed"},
    report_directory={"type": "path"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, check)


if __name__ == "__main__":
    main()
