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
    a report. It names the rows and columns that differ, with the SQL that shows them.
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
      - V(recheck) reads again only the tables that were written to since the newest report in O(report_directory), or
        that differed then, and rests on that report for the others. It is as good as V(full).
      - V(sample) counts all rows and compares the contents of a part of them, the same on both servers. It opens the gate
        only where both O(accept_sample) and the gate say so.
      - V(counts) leaves out the contents, V(schema) also the counts; neither opens the gate.
    type: str
    choices: [full, counts, schema, sample, recheck]
    default: full
  keys:
    description:
      - How the report names rows that differ.
      - With V(show) by the values of their keys, with V(hash) by a hash of them, with V(hide) not at all, which leaves the
        place where the row lies.
    type: str
    choices: [show, hash, hide]
    default: show
  reveal_values:
    description:
      - Whether the report holds what both servers have in the columns that differ, cut to 200 characters.
      - Without it no value of a column other than the key leaves the servers.
    type: bool
    default: false
  max_differences:
    description: How many differing rows of a table the report lists; beyond that their number is estimated.
    type: int
    default: 1000
  sample_fraction:
    description:
      - The part of the keys that O(check=sample) compares, rounded up to a half, a quarter, an eighth and so on.
      - The newest 10,000 keys that count up, tables below 1 MiB, and tables without a key are compared as a whole.
    type: float
    default: 0.01
  accept_sample:
    description: Write into the report of O(check=sample) that it may open a gate that accepts samples.
    type: bool
    default: false
  method:
    description:
      - Where rows are hashed.
      - With V(server) inside the servers, so that only sums travel. With V(client) every row is read and hashed by this
        task, for servers of version 10 and older and for machines whose hash functions give other values.
      - V(auto) uses the servers, and reads what they cannot hash.
    type: str
    choices: [auto, server, client]
    default: auto
  jobs:
    description:
      - Number of sessions per server that read rows. One more per server reads what belongs to the whole server, and one
        more on the target works out how expressions print there.
      - Where a server refuses some of them for want of free connections, the others do all the work.
    type: int
    default: 2
  busy_percent:
    description:
      - Part of the time, in percent, in which each session works. After each piece of a table (64 MiB, or a whole table
        where a server older than 14 cannot read a part of it at no cost) it rests for the remainder.
      - It spares processors and disks of a server that others use too; the comparison takes longer by as much.
    type: int
    default: 100
  fence:
    description:
      - A fence keeps everybody but the migration user from writing to the databases on the source.
      - With V(up) it is put up before the rows are read, and measured then and when all is read. If it does not keep
        everybody out, or that cannot be measured, the task fails. It stays up.
      - With V(down) what it changed on the source is taken back, and nothing is compared. That works after cleanup too.
      - With V(keep) nothing is changed; a fence that stands is measured.
    type: str
    choices: [keep, up, down]
    default: keep
  fence_methods:
    description:
      - What the fence is made of.
      - V(read_only) makes new sessions begin read only, V(connect) revokes CONNECT from everybody but the migration user,
        V(terminate) ends the sessions that are there.
    type: list
    elements: str
    choices: [read_only, connect, terminate]
    default: [read_only, connect, terminate]
  fence_grace_seconds:
    description: How long other sessions may take to leave by themselves before the fence ends them.
    type: int
    default: 30
  signing_key:
    description: Shared key of at least 16 characters with which the report is signed (HMAC with SHA-256).
    type: str
  signing_ssh_key:
    description:
      - Path on the executing host of a private SSH key without passphrase, or of a public one whose private key an agent
        holds, with which C(ssh-keygen) signs the report.
    type: path
  owner_map:
    description:
      - Owners that have another name on the target, such as V({"postgres":"pgadmin"}).
      - Unlike O(role_map) it concerns who owns objects, not who was granted what, and it wins over it.
    type: dict
    default: {}
  exclude_schemas:
    description:
      - Schemas that are no part of the migration; the report names them.
      - The schemas that this collection (C(azpg_migrate)) and pgcopydb keep for themselves are always left out.
    type: list
    elements: str
    default: []
  compare_as:
    description:
      - Columns that are not meant to be the same on both ends, and the SQL that is compared in their place.
      - The verdict is V(MATCH_WITH_OVERRIDES) then at best, which opens the gate only where O(ignore:accept_overrides) says so.
    type: list
    elements: dict
    default: []
    suboptions:
      database:
        description: Name of the database.
        type: str
        required: true
      table:
        description: Schema and name of the table, such as V(public.orders), without quotes; of a partitioned table its own.
        type: str
        required: true
      column:
        description: Name of the column, without quotes.
        type: str
        required: true
      expression:
        description:
          - SQL over the columns of the table, such as V(amount::numeric(12,2\)), whose text is compared.
          - It runs on both ends with an empty search path. V(NULL) leaves the column out of the comparison.
        type: str
        required: true
  ignore:
    description:
      - Differences of definitions that are accepted; the report counts and prints them.
      - Of each entry all that is given has to fit, with shell wildcards.
    type: list
    elements: dict
    default: []
    suboptions:
      rule:
        description: Rule of the difference, as the report prints it.
        type: str
      kind:
        description: Kind of object, such as V(index).
        type: str
      object:
        description: Name of the object, as the report prints it.
        type: str
      attribute:
        description: Property that differs.
        type: str
      reason:
        description: Why it is accepted; the report prints it.
        type: str
  fail_on:
    description: With V(difference) the task fails unless everything is proven equal.
    type: str
    choices: [difference, never]
    default: difference
  wait:
    description:
      - Wait until the verification has ended. It runs as a process of its own either way, which outlives this task, its
        connection and the controller.
      - On a terminal and in AWX progress is shown while waiting, and tables that differ as they are found, in short lines
        that become fewer with time.
      - Without it the task returns after a few seconds with RV(state=running) unless the verification is over by then;
        O(run_id) fetches its result later.
      - Where a verification with the same options runs already, the task attaches to it.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at the most; the verification goes on when they have passed.
    type: int
    default: 604800
  poll_interval:
    description: Seconds between two looks at the verification.
    type: int
    default: 5
  run_id:
    description:
      - Start nothing, but fetch the result of the verification that an earlier task started and returned as RV(run_id).
      - All other options have to be those of that task.
    type: str
  report_directory:
    description:
      - Directory on the executing host for the report.
      - The migration's own directory if not set, which is where M(azpg.migrate.cleanup) looks.
    type: path
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.attributes
attributes:
  check_mode:
    support: full
    details:
      - Compares within the task, without a line in between, and writes no report. A fence is planned and not put up.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - Only a fence changes anything.
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

- name: Prove it again after the tables that differed were copied anew, without a trace of personal data
  azpg.migrate.verification:
    name: shop
    check: recheck
    keys: hash
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
    - V(unfenced) after O(fence=down).
    - V(running) while the verification runs and the task was not to wait for it.
    - In check mode V(pending) while the target does not have the databases yet.
  returned: success
  type: str
  sample: verified
run_id:
  description: Which run it was; empty in check mode, and where nothing ran.
  returned: success
  type: str
  sample: 0d3c2a1e-5b7f-4a55-9e7d-0c2f3a8b9d10
fence:
  description:
    - What the fence around the source was found to be worth; empty without one.
    - After O(fence=down) what was C(restored), what somebody else has changed since and was C(left), and in C(written) the
      databases whose privileges were those by default, which the server now has in writing and which allow the same.
  returned: success
  type: dict
  sample: {verdict: fenced, open: [], unknown: []}
verification:
  description: The report in short; the whole of it lies in the file RV(verification.report).
  returned: success
  type: dict
  contains:
    verdict:
      description:
        - V(MATCH), V(MATCH_WITH_OVERRIDES), V(INCOMPLETE), V(MISMATCH) or V(ERROR).
        - Only V(MATCH) opens the gate to cleanup; V(MATCH_WITH_OVERRIDES), see O(compare_as), where it is told to.
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
    seconds:
      description: >-
        Seconds by database and part, such as C(definitions), C(rows), and C(differences), the search for rows that differ.
      type: dict
      returned: when something was compared
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
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import check

SPECIFICATION = merged(
    REQUEST,
    check={"type": "str", "choices": ["full", "counts", "schema", "sample", "recheck"], "default": "full"},
    keys={"type": "str", "choices": ["show", "hash", "hide"], "default": "show", "no_log": False},
    reveal_values={"type": "bool", "default": False},
    max_differences={"type": "int", "default": 1000},
    sample_fraction={"type": "float", "default": 0.01},
    accept_sample={"type": "bool", "default": False},
    method={"type": "str", "choices": ["auto", "server", "client"], "default": "auto"},
    jobs={"type": "int", "default": 2},
    busy_percent={"type": "int", "default": 100},
    fence={"type": "str", "choices": ["keep", "up", "down"], "default": "keep"},
    fence_methods={
        "type": "list",
        "elements": "str",
        "choices": ["read_only", "connect", "terminate"],
        "default": ["read_only", "connect", "terminate"],
    },
    fence_grace_seconds={"type": "int", "default": 30},
    signing_key={"type": "str", "no_log": True},
    signing_ssh_key={"type": "path", "no_log": False},
    owner_map={"type": "dict", "default": {}},
    exclude_schemas={"type": "list", "elements": "str", "default": []},
    compare_as={
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {word: {"type": "str", "required": True} for word in ("database", "table", "column", "expression")},
    },
    ignore={
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {word: {"type": "str"} for word in ("rule", "kind", "object", "attribute", "reason")},
    },
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "int", "default": 604800},
    poll_interval={"type": "int", "default": 5},
    run_id={"type": "str"},
    fail_on={"type": "str", "choices": ["difference", "never"], "default": "difference"},
    report_directory={"type": "path"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, check, mutually_exclusive=[("signing_key", "signing_ssh_key")])


if __name__ == "__main__":
    main()
