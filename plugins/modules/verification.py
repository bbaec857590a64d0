#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verification
short_description: Prove that the target holds what the source holds
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Compares every object and every row of source and target inside the two servers, without moving rows, and writes
    a report.
  - The report is what opens the gate of M(azpg.migrate.cleanup). What could not be compared makes the verdict
    V(INCOMPLETE), never V(MATCH).
  - It works on any two PostgreSQL servers, whoever moved the data.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
options:
  check:
    description:
      - V(full) compares objects, row counts, contents, sequences and large objects.
      - V(counts) leaves out the contents, V(schema) also the counts; neither opens the gate.
    type: str
    choices: [full, counts, schema]
    default: full
  jobs:
    description: Number of sessions per server.
    type: int
    default: 2
  ignore:
    description: Differences that are accepted; they are counted and printed in the report.
    type: list
    elements: dict
    default: []
  fail_on:
    description: With V(difference) the task fails unless everything is proven equal.
    type: str
    choices: [difference, never]
    default: difference
  report_directory:
    description:
      - Directory on the executing host for the report.
      - The migration's own directory if not set, which is where M(azpg.migrate.cleanup) looks.
    type: path
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.attributes
  - azpg.migrate.attributes.info_module
seealso:
  - module: azpg.migrate.verification_info
  - module: azpg.migrate.cleanup
"""

EXAMPLES = r"""
- name: Prove it
  azpg.migrate.verification:
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
    - V(verified), or V(decommissioned) when the migration is over and cleaned up and the final record was read
      instead.
  returned: success
  type: str
  sample: verified
verification:
  description: The report in short; the whole of it lies in the file RV(verification.report).
  returned: success
  type: dict
  contains:
    verdict:
      description: V(MATCH) and V(MATCH_WITH_WARNINGS) open the gate to cleanup.
      type: str
      returned: always
      sample: MATCH
    reason:
      description: One sentence that explains the verdict.
      type: str
      returned: always
    sha256:
      description: Digest of the report.
      type: str
      returned: always
    totals:
      description: Numbers of tables by verdict, and of rows.
      type: dict
      returned: always
    databases:
      description: Verdict, errors and differing tables of each database.
      type: list
      elements: dict
      returned: always
    report:
      description: Path of the JSON report on the executing host; an HTML page lies beside it.
      type: str
      returned: always
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import REQUEST, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import check

SPECIFICATION = merged(
    REQUEST,
    check={"type": "str", "choices": ["full", "counts", "schema"], "default": "full"},
    jobs={"type": "int", "default": 2},
    ignore={"type": "list", "elements": "dict", "default": []},
    fail_on={"type": "str", "choices": ["difference", "never"], "default": "difference"},
    report_directory={"type": "path"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, check)


if __name__ == "__main__":
    main()
