#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verification_info
short_description: Read back the newest verification report
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Reads the report that M(azpg.migrate.verification) wrote last, after checking its digest.
  - While a verification runs on the same host, tells how far it is and how much time is left.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
options:
  evidence:
    description:
      - Also look at both servers now, as the gate in front of deletion does, and return what it has to know.
      - M(azpg.migrate.cleanup) and M(azpg.migrate.runtime_server) take it with their option O(ignore:evidence), on a host
        that cannot reach the servers itself.
      - Where rows of the source may have changed since the report, they are read again for it, which can take long.
    type: bool
    default: false
  report_directory:
    description: Directory on the executing host that holds the report; the migration's own directory if not set.
    type: path
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.attributes
  - azpg.migrate.attributes.info_module
seealso:
  - module: azpg.migrate.verification
"""

EXAMPLES = r"""
- name: What was proven?
  azpg.migrate.verification_info:
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

- name: Look at report and servers from a host that reaches them
  azpg.migrate.verification_info:
    name: shop
    evidence: true
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
  delegate_to: data_host
  register: proof

- name: Clean up from here
  azpg.migrate.cleanup:
    name: shop
    evidence: "{{ proof.evidence }}"
    source:
      host: 10.20.0.4
      user: migrator
    target:
      host: shop.postgres.database.azure.com
      user: pgadmin
    databases: [shop, billing]
"""

RETURN = r"""
state:
  description:
    - V(verified), V(running) while a verification runs, or V(decommissioned) when the migration is over and cleaned up.
    - V(unverified) where there is no report because the only verification was interrupted or failed, which RV(progress)
      tells; with O(evidence=true) also where there is no report of this migration that could be believed.
  returned: success
  type: str
  sample: verified
progress:
  description:
    - How far the verification that runs, or ran last, has come; empty without one.
    - Its C(state) is V(running), V(finished), V(failed) with the reason in C(error), or V(interrupted) when its process
      is gone, killed or with the host.
    - C(events) are the newest things worth telling, such as tables that differ, C({id, level, message}).
  returned: success
  type: dict
  sample: {state: running, share: 0.42, seconds_left: 310.5, tables_done: 17, tables_total: 64, database: shop}
evidence:
  description:
    - What the gate has to know of the report and of both servers, with the moment at which it was collected, bound
      together by a digest. It holds the whole report.
    - Empty without O(evidence), while a verification runs, and when the migration is over.
  returned: success
  type: dict
  sample: {format: azpg.migrate/evidence/1, collected_at: "2026-05-01T12:00:00Z"}
verification:
  description: The report in short; the whole of it lies in the file RV(verification.report). Empty while a verification runs.
  returned: success
  type: dict
  contains:
    verdict:
      description:
        - V(MATCH), V(MATCH_WITH_OVERRIDES), V(INCOMPLETE), V(MISMATCH) or V(ERROR).
        - Only V(MATCH) opens the gate to cleanup; V(MATCH_WITH_OVERRIDES) where it is told to.
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
    mode:
      description: What was compared, as in O(azpg.migrate.verification#module:check).
      type: str
      returned: always
      sample: full
    totals:
      description: Numbers of tables by verdict, of rows, and of rows that differ.
      type: dict
      returned: always
    databases:
      description: >-
        Verdict, errors and differing tables of each database, with the first rows that differ and the SQL that shows them.
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
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import inform

SPECIFICATION = merged(REQUEST, evidence={"type": "bool", "default": False}, report_directory={"type": "path"})


def main():
    """Run the module."""
    execute(SPECIFICATION, inform)


if __name__ == "__main__":
    main()
