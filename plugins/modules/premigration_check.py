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
  - Looks at source, target, the network between and the executing host, and reports findings, each with the object, what
    was found, what was expected and the remedy. The guide C(docs/checks.md) lists every check.
  - Nothing is written anywhere but the report, unless O(probe) or O(scratch) ask for it. A check that lacks a right says so
    and is never taken for passed.
  - With O(provider=azure) the checks are those of Azure's migration service and many that it does not make; its error code
    is in RV(findings[].code). Azure Resource Manager is asked as well, about both servers, the runtime server, and the
    networks and names between them; the ids of those checks begin with C(azure-).
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19.0 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
options:
  only:
    description: Report only the checks with these ids; patterns such as V(source-*) are allowed.
    type: list
    elements: str
    default: []
  levels:
    description: Report only the checks of these levels.
    type: list
    elements: str
    choices: [azure, database, network, runtime, server, table]
    default: []
  exclude:
    description: Leave out the checks with these ids or patterns.
    type: list
    elements: str
    default: []
  severities:
    description:
      - Severity of a violation by id or pattern of the rule, V(failed) or V(warning), where it is to differ from the
        default.
    type: dict
    default: {}
  accept:
    description: Findings that are known and accepted; they become V(skipped), with the reason in their text.
    type: list
    elements: dict
    default: []
    suboptions:
      rule:
        description: Id or pattern of the rule.
        type: str
        required: true
      object:
        description: The object of the finding, or a pattern; every object if not set.
        type: str
      reason:
        description: Why it is accepted.
        type: str
        required: true
      until:
        description: The last day on which it is, as C(YYYY-MM-DD).
        type: str
        required: true
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
  probe:
    description:
      - What may be tried out. Never done in check mode; what was done is in RV(probed).
      - V(create_database) makes an empty database on the target with each encoding and locale that the source has, and
        drops it.
      - V(create_slot) makes a temporary logical replication slot on the source, with O(mode=online), and drops it.
    type: list
    elements: str
    choices: [create_database, create_slot]
    default: []
  scratch:
    description:
      - Measure the speed of both servers for the estimate, for which temporary tables are filled on the target and rolled
        back. Never done in check mode; used with O(provider=host) only.
    type: bool
    default: false
  overwrite_databases:
    description:
      - Databases on the target that Azure's migration service is told to replace, so that they may exist; with
        O(provider=azure) only.
    type: list
    elements: str
    default: []
  begun:
    description:
      - Databases that this migration has begun to carry, and which therefore exist on the target; found out where the
        executing host can. RV(begun) of a task that asks Azure tells them to one on a host that does not.
    type: list
    elements: str
    default: []
  jobs:
    description:
      - How many tables, indexes and keys the transfer will work on at the same time, for the estimate and for the
        connections that both servers must have free; between 2 and 8 by the processors of the executing host if not set.
    type: int
  max_bytes_per_second:
    description: Limit for the data stream of all jobs together, for the estimate.
    type: int
  report_directory:
    description:
      - Directory on the executing host to write the findings to, as C(premigration.json) and as a page for people,
        C(premigration.html).
    type: path
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.azure_server
  - azpg.migrate.online
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
    report_directory: /tmp/shop

- name: The network only, with one finding that is known
  azpg.migrate.premigration_check:
    name: shop
    source: {host: 10.20.0.4, user: migrator, password: "{{ source_password }}"}
    target: {host: shop.postgres.database.azure.com, user: pgadmin, password: "{{ target_password }}"}
    databases: [shop]
    levels: [network]
    accept:
      - rule: source-encrypted
        reason: The tunnel between the sites encrypts.
        until: "2027-06-30"
"""

RETURN = r"""
state:
  description: V(checked), or V(decommissioned) when the migration is over and cleaned up and nothing was looked at.
  returned: success
  type: str
  sample: checked
findings:
  description:
    - One entry per rule and object, those that succeeded left out when the task fails.
    - Where they would make more than 500 kB together, those that succeeded are left out, then the skipped ones, then warnings;
      RV(summary) counts them, and the report that O(report_directory) asks for has them all.
  returned: success
  type: list
  elements: dict
  contains:
    rule:
      description: Stable id of the rule.
      type: str
      returned: always
    title:
      description: How it ought to be.
      type: str
      returned: always
    status:
      description: V(succeeded), V(warning), V(failed) or V(skipped).
      type: str
      returned: always
    level:
      description: What the rule is about, one of the values of O(levels).
      type: str
      returned: always
    side:
      description: V(source), V(target), V(runtime) or V(both).
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
    code:
      description: Error code of Azure's migration service for this, such as V(603107), where it has one.
      type: str
      returned: always
    because:
      description: Id of the rule whose fault this skipped one is a consequence of; V(accepted) for what was accepted.
      type: str
      returned: always
    who:
      description: Who has to put it right, for example V(database administrator), V(network) or V(application).
      type: str
      returned: always
    documentation:
      description: Address of a page to read.
      type: str
      returned: always
summary:
  description: Numbers of findings by status.
  returned: success
  type: dict
estimate:
  description:
    - What the transfer is expected to take, with C(seconds), C(seconds_low), C(seconds_high), C(bytes),
      C(target_disk_bytes), C(runtime_disk_bytes) and C(basis); empty when it is not known.
  returned: success
  type: dict
begun:
  description: Databases that this migration has begun to carry.
  returned: success
  type: list
  elements: str
probed:
  description: What was tried out and taken back, in words.
  returned: success
  type: list
  elements: str
report:
  description: Path of the report as JSON, if one was asked for.
  returned: success
  type: str
page:
  description: Path of the report as a page, if one was asked for.
  returned: success
  type: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    AZURE_SERVER,
    ONLINE,
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
    ONLINE,
    PROGRAMS,
    only={"type": "list", "elements": "str", "default": []},
    levels={
        "type": "list",
        "elements": "str",
        "choices": ["azure", "database", "network", "runtime", "server", "table"],
        "default": [],
    },
    exclude={"type": "list", "elements": "str", "default": []},
    severities={"type": "dict", "default": {}},
    ask_azure={"type": "bool", "default": True},
    accept={
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "rule": {"type": "str", "required": True},
            "object": {"type": "str"},
            "reason": {"type": "str", "required": True},
            "until": {"type": "str", "required": True},
        },
    },
    fail_on={"type": "str", "choices": ["failed", "warning", "never"], "default": "failed"},
    probe={"type": "list", "elements": "str", "choices": ["create_database", "create_slot"], "default": []},
    scratch={"type": "bool", "default": False},
    overwrite_databases={"type": "list", "elements": "str", "default": []},
    begun={"type": "list", "elements": "str", "default": []},
    jobs={"type": "int"},
    max_bytes_per_second={"type": "int"},
    report_directory={"type": "path"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, check)


if __name__ == "__main__":
    main()
