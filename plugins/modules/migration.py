#!/usr/bin/python
# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration
short_description: Move databases to the target
version_added: 0.1.0
author:
  - azpg.migrate developers (@azpg)
description:
  - Starts the transfer on the runtime server, attaches to it while it runs, resumes it when it died, and does
    nothing when it is done.
  - The transfer runs detached from the task, so that losing the controller, the session or the AWX pod does not end it.
  - Everything that would make it fail is checked before the target is touched. Nothing that the target already
    holds is overwritten, unless O(overwrite_databases) names it.
  - With O(provider=azure) the task talks to Azure Resource Manager only, and belongs on the controller. Migrations of the
    service are found again by their tags. What stopped is not resumed; a new run begins with the databases that have not
    arrived.
requirements:
  - Python 3.9 or newer on the executing host
  - psycopg2 2.9 or newer
  - azure-identity 1.19.0 and azure-mgmt-postgresqlflexibleservers 2.0.0 or newer, with O(provider=azure)
options:
  source:
    required: false
  target:
    required: false
  databases:
    required: false
  properties_file:
    description:
      - File on the executing host with the properties of a migration as the Azure CLI takes them; with O(provider=azure).
      - Its keys stand for options, their case does not matter, and an option that says otherwise is refused. What the
        CLI would drop without a word is reported. Its passwords are treated as those of O(source) and O(target).
    type: path
  state:
    description:
      - V(completed) brings the data and everything else of the databases to the target. With O(mode=online) databases cut
        over when all of them wait for it and the target is no more than O(max_lag) seconds behind; stop the application before.
      - V(replicating) with O(mode=online) goes as far as that and leaves the cutover to a later task.
      - V(validated) only makes sure that the migration could start, and estimates duration and disk (see RV(estimate)).
        With O(provider=azure) the service validates, once, and again after it has failed (see RV(findings)).
      - V(cancelled) stops a running transfer. With O(provider=host) what has arrived stays, and the transfer can be resumed.
        With O(provider=azure) the target may keep databases whole, in part or not at all (see RV(migration.left_on_target)).
    type: str
    choices: [completed, replicating, validated, cancelled]
    default: completed
  max_lag:
    description: Seconds that the target may be behind when databases cut over, with O(mode=online).
    type: int
    default: 10
  cutover_databases:
    description:
      - Only these databases cut over, with O(mode=online); all of them if not set.
      - The task ends when they are completed, and the others go on replicating.
    type: list
    elements: str
    default: []
  jobs:
    description:
      - Number of tables, indexes and keys that are worked on at the same time.
      - The number of the runtime host's processors, at least 2 and at most 16, if not set. More than that pays where the
        target has more processors than the runtime host, for building indexes.
      - This and the next four options are about the transfer of O(provider=host); Azure's service does as it likes.
    type: int
  foreign_keys:
    description:
      - With V(auto) a foreign key that the source has validated is taken over with the snapshot that vouches for it,
        created while its table is still empty, and its rows are loaded under C(session_replication_role = replica).
        This spares the target a look at every row. Where the target's user may not set that parameter, and for foreign
        keys within one table, in circles, and of or to partitioned tables, the target checks the rows.
      - With V(check) the target always checks the rows.
    type: str
    choices: [auto, check]
    default: auto
  toast_compression:
    description:
      - With V(lz4) values that are compressed out of line are written with lz4, which takes the target a fraction of the
        time, in columns for which the source names no method, on targets from PostgreSQL 14 on that are built with it.
      - With V(keep) the target's own default is used.
    type: str
    choices: [lz4, keep]
    default: lz4
  maintenance_work_mem:
    description:
      - PostgreSQL's parameter of this name for each session that builds indexes on the target.
      - If not set, all of them together get as much as the target's C(shared_buffers), which is about a quarter of a
        server's memory; each between the target's own setting and 1 GB.
    type: str
  max_bytes_per_second:
    description: Limit for the data stream of all jobs together, to spare a shared line.
    type: int
  wait:
    description:
      - Wait until the transfer has ended. The transfer itself runs detached from the task either way.
      - On a terminal and in AWX progress is shown while waiting, in short lines that become fewer with time.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at the most; the transfer goes on when they have passed.
    type: int
    default: 604800
  poll_interval:
    description:
      - Seconds between two looks at the transfer.
      - If not set, 5 with O(provider=host), and 30 or 60 with O(provider=azure), as the phase goes.
    type: int
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
  - azpg.migrate.service
  - azpg.migrate.online
  - azpg.migrate.programs
  - azpg.migrate.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: partial
    details: Shows which steps are taken. The data of a whole server has no useful diff; M(azpg.migrate.verification) compares it.
  idempotent:
    support: full
seealso:
  - module: azpg.migrate.migration_info
  - module: azpg.migrate.verification
"""

EXAMPLES = r"""
- name: Move two databases
  azpg.migrate.migration:
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

- name: Start the transfer and go on
  azpg.migrate.migration:
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
    wait: false

- name: Let Azure's service carry the databases online, up to the cutover
  azpg.migrate.migration:
    provider: azure
    name: shop
    mode: online
    state: replicating
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
    runtime_server_id: /subscriptions/{{ subscription }}/resourceGroups/shop/providers/Microsoft.DBforPostgreSQL/flexibleServers/runtime
  delegate_to: localhost
"""

RETURN = r"""
state:
  description:
    - V(running), V(queued), V(waiting), V(replicating), V(completed), V(failed), V(interrupted), V(cancelled), V(absent),
      or V(decommissioned) when the migration is over and cleaned up.
    - V(queued) means that the next batch has not begun, and V(waiting) that Azure's service waits for an answer.
  returned: success
  type: str
  sample: completed
migration:
  description:
    - Progress of the migration; C(error) is set when it failed.
    - Sizes are in bytes, times in seconds. Azure's service counts tables and changes only; what it does not know is none.
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
    rows_done:
      description: Rows of the tables that have arrived.
      type: int
      returned: when a transfer has begun
    rows_total:
      description: Rows of all tables, as the source's statistics estimate them.
      type: int
      returned: when a transfer has begun
    tables_done:
      description: Number of tables that are done.
      type: int
      returned: when a transfer has begun
    tables_total:
      description: Number of all tables.
      type: int
      returned: when a transfer has begun
    indexes_done:
      description: Number of indexes that are done.
      type: int
      returned: when a transfer has begun
    indexes_total:
      description: Number of all indexes.
      type: int
      returned: when a transfer has begun
    keys_done:
      description: Number of primary keys, unique and exclusion constraints that are done.
      type: int
      returned: when a transfer has begun
    keys_total:
      description: Number of all primary keys, unique and exclusion constraints.
      type: int
      returned: when a transfer has begun
    foreign_keys_done:
      description: Number of foreign keys that are done.
      type: int
      returned: when a transfer has begun
    foreign_keys_total:
      description: Number of all foreign keys.
      type: int
      returned: when a transfer has begun
    units_done:
      description: Number of pieces of work that are done.
      type: int
      returned: when a transfer has begun
    units_total:
      description: Number of all pieces of work of the databases that have been begun.
      type: int
      returned: when a transfer has begun
    bytes_per_second:
      description: Average rate of all copying so far.
      type: int
      returned: when a transfer has begun
    recent_bytes_per_second:
      description: Rate at which rows flowed in the last 30 seconds; none once the transfer has ended.
      type: int
      returned: when a transfer has begun
    seconds_left:
      description:
        - Estimated time until everything is done, with indexes, keys, foreign keys and statistics; none once the
          transfer has ended.
      type: int
      returned: when a transfer has begun
    jobs:
      description: Number of workers.
      type: int
      returned: when a transfer has begun
    databases:
      description: Progress of each database.
      type: list
      elements: dict
      returned: when a transfer has begun
      contains:
        name:
          description: Name of the database.
          type: str
          returned: always
        state:
          description: V(pending), V(running), V(replicating), V(drained) or V(done), with O(provider=host).
          type: str
          returned: always
        stream:
          description:
            - How far its changes have been followed, with O(provider=host) and O(mode=online). Positions are those of the
              source's log - C(received), C(applied) and what the source has C(written).
            - C(lag_bytes) and C(lag_seconds) are how far the target is behind, C(lag_trend_bytes_per_second) by how much
              that grows, negative when it shrinks, and C(seconds_to_catch_up) when it will be gone; none when it grows.
            - C(applied_changes) are what has been applied since the engine began to follow, C(rates) the same per second of
              late, both with C(inserts), C(updates), C(deletes), C(truncates) and C(transactions).
            - C(spooled_bytes) and C(largest_transaction_bytes) are about transactions in progress that wait on this host for
              their commit, C(replayed_batches) counts batches that were replayed change by change, C(retained_bytes) is the
              log that the slot holds back on the source, and C(slot) is V(kept), V(lost) or V(gone).
          type: dict
          returned: while changes are followed
    current:
      description: What each worker is doing, largest first.
      type: list
      elements: dict
      returned: when a transfer has begun
      contains:
        worker:
          description: Number of the worker, from 1; 0 is the engine's own session.
          type: int
          returned: always
        database:
          description: Database that it works in.
          type: str
          returned: always
        kind:
          description:
            - V(table), V(key), V(foreign_key), V(large_objects), V(materialized_view), V(statistics), V(prove) or
              V(step).
          type: str
          returned: always
        label:
          description: The object, as people name it.
          type: str
          returned: always
        bytes_done:
          description: Bytes that have been carried; 0 where none are counted.
          type: int
          returned: always
        bytes_total:
          description: Size on the source; 0 for what carries no rows.
          type: int
          returned: always
        since:
          description: When it began, in UTC.
          type: str
          returned: always
        seconds:
          description: How long ago that was.
          type: int
          returned: always
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
    phase:
      description: What goes on, or what is waited for, in words; none when there is nothing to say.
      type: str
      returned: with O(provider=azure), and when a transfer has begun
    lag_seconds:
      description: How many seconds the target is behind the source, with O(mode=online); that of the slowest database.
      type: float
      returned: with O(mode=online), when a transfer has begun
    lag_bytes:
      description: How many bytes of the source's log the target is behind, all databases together.
      type: int
      returned: with O(provider=host) and O(mode=online), when changes are followed
    cutover:
      description:
        - The cutover that goes on or is done, with O(provider=host) and O(mode=online). C(steps) are a list of C(name) and
          C(at); C(closed_at) and C(ready_at), in seconds since 1970, bound the time in which nobody could write,
          C(write_downtime_seconds). None before.
      type: dict
      returned: when a transfer has begun
    cutover_refused:
      description: Why the last cutover was refused, so that changes flow on; none when none was.
      type: dict
      returned: when a transfer has begun
    deadlines:
      description:
        - When the service gives up. C(ends_by) is seven days after the beginning; C(cut_over_by) is three days after the
          wait for the cutover began.
      type: dict
      returned: with O(provider=azure), when a transfer has begun
    records:
      description: The service's own migrations that belong to this one, with name, id, option, databases and state.
      type: list
      elements: dict
      returned: with O(provider=azure)
    left_on_target:
      description: Those of the databases that exist on the target after a cancellation; none where Azure does not say.
      type: list
      elements: str
      returned: with O(provider=azure), after O(state=cancelled)
findings:
  description:
    - What the checks, or the service's validation, found, with O(state=validated); in the shape of
      RV(azpg.migrate.premigration_check#module:findings).
  returned: success
  type: list
  elements: dict
timeline:
  description:
    - Path of a page, on the executing host, that shows which worker did what and when, the largest and the slowest
      objects, and what held the transfer up. It is written when a transfer ends, however it ends. None with
      O(provider=azure).
  returned: success
  type: str
  sample: /var/lib/azpg-migrate/migrations/shop/timeline.html
estimate:
  description:
    - How long the transfer will take and what room it needs; empty once it has begun. With O(state=validated), unless
      in check mode, it rests on a sample of a few seconds. For the target that is a temporary table in its maintenance
      database, in a transaction that is rolled back. Otherwise it rests on the catalogue and on usual rates.
  returned: success
  type: dict
  contains:
    seconds:
      description: Expected duration.
      type: int
      returned: before the first start
      sample: 3600
    seconds_low:
      description: Lower end of the range that the duration is expected in.
      type: int
      returned: before the first start
    seconds_high:
      description: Upper end of that range.
      type: int
      returned: before the first start
    bytes:
      description: Size of tables, indexes and large objects on the source.
      type: int
      returned: before the first start
    target_disk_bytes:
      description: Disk that the target should have free, 1.25 times the size of the data.
      type: int
      returned: before the first start
    runtime_disk_bytes:
      description: Disk that the runtime host needs. No rows are written there.
      type: int
      returned: before the first start
    basis:
      description: What the estimate rests on, as sentences.
      type: list
      elements: str
      returned: before the first start
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import (
    AZURE,
    ONLINE,
    PROGRAMS,
    REQUEST_OR_FILE,
    SERVICE,
    merged,
)
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.migration import ensure

SPECIFICATION = merged(
    REQUEST_OR_FILE,
    AZURE,
    ONLINE,
    PROGRAMS,
    SERVICE,
    state={"type": "str", "choices": ["completed", "replicating", "validated", "cancelled"], "default": "completed"},
    max_lag={"type": "int", "default": 10},
    cutover_databases={"type": "list", "elements": "str", "default": []},
    jobs={"type": "int"},
    foreign_keys={"type": "str", "choices": ["auto", "check"], "default": "auto"},
    toast_compression={"type": "str", "choices": ["lz4", "keep"], "default": "lz4"},
    maintenance_work_mem={"type": "str"},
    max_bytes_per_second={"type": "int"},
    wait={"type": "bool", "default": True},
    wait_timeout={"type": "int", "default": 604800},
    poll_interval={"type": "int"},
)


def main():
    """Run the module."""
    execute(SPECIFICATION, ensure)


if __name__ == "__main__":
    main()
