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
  azure_migration_name:
    description: Name of a migration of Azure's service that does not carry this one's tags, with O(provider=azure).
    type: str
extends_documentation_fragment:
  - azpg.migrate.request
  - azpg.migrate.azure
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
    - V(absent), V(running), V(queued), V(waiting), V(replicating), V(completed), V(failed), V(interrupted), V(cancelled),
      or V(decommissioned) when the migration is over and cleaned up.
    - V(queued) means that the next batch has not begun, and V(waiting) that Azure's service waits for an answer.
  returned: success
  type: str
  sample: running
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
timeline:
  description:
    - Path of a page, on the executing host, that shows which worker did what and when, the largest and the slowest
      objects, and what held the transfer up. It is written when a transfer ends, however it ends. None with
      O(provider=azure).
  returned: success
  type: str
  sample: /var/lib/azpg-migrate/migrations/shop/timeline.html
missing:
  description: What has to be there before the migration can begin, and is not, in sentences; the runtime server, for example.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import AZURE, REQUEST_OR_FILE, merged
from ansible_collections.azpg.migrate.plugins.module_utils._module.edge import execute
from ansible_collections.azpg.migrate.plugins.module_utils._module.migration import inform

SPECIFICATION = merged(REQUEST_OR_FILE, AZURE, azure_migration_name={"type": "str"})


def main():
    """Run the module."""
    execute(SPECIFICATION, inform)


if __name__ == "__main__":
    main()
