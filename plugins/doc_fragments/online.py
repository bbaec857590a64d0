# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How the host provider follows the changes of the source and cuts over."""

    DOCUMENTATION = r"""
options:
  online:
    description:
      - How changes are followed and what happens at the cutover, with O(provider=host) and O(mode=online).
      - The base copy sees the snapshot of a replication slot, one for each database. Slot and publication are removed at the
        cutover, or by M(azpg.migrate.cleanup) when the migration is given up.
    type: dict
    suboptions:
      without_identity:
        description:
          - What happens to tables whose changed rows cannot be found again, since they have no primary key and no other
            replica identity. In a publication they would make the application's C(UPDATE) and C(DELETE) fail.
          - V(fail) stops before anything is done and names them. V(full) sets C(REPLICA IDENTITY FULL) on the source for the
            time of the migration. V(exclude) does not follow them; they are compared at the cutover and copied again
            where they differ, which lengthens the time in which nobody may write.
        type: str
        choices: [fail, full, exclude]
        default: fail
      table_identity:
        description:
          - The same for single tables, V(full) or V(exclude) by C(schema.table), or by C(database/schema.table) where the
            migration has several databases. V(exclude) may name any table.
        type: dict
        default: {}
      apply:
        description:
          - With V(sets) what many changes of a row come to is written once, in statements for many rows; every batch ends on a
            commit of the source. Changes that make sense in their own order only are replayed one by one.
          - With V(ordered) every change is replayed in the order in which the source made it, which takes longer.
        type: str
        choices: [sets, ordered]
        default: sets
      spool_bytes:
        description:
          - Room in the state directory for transactions in progress that the source sends before they have committed, from
            PostgreSQL 14 on. 20 GiB if not set. When it does not do, the source keeps them until they commit.
        type: int
      max_retained_bytes:
        description:
          - When a slot holds back more of the source's log than this, it is dropped and the migration stops, so that the
            source's disk does not run full. There is no limit if not set; a warning comes at 10 GiB, or half of the limit.
          - Running the migration again makes a new slot, and copies again only what differs.
        type: int
      prove:
        description:
          - What the cutover proves about rows. It is refused when a table differs.
          - With V(resting) all tables are compared before the fence, while the application goes on writing; what was found
            equal and is not touched from then on is proven, which costs no time in which nobody may write. With V(all) the
            tables that have moved since are compared after the last change, before the application may go on. With V(none)
            nothing is compared.
          - M(azpg.migrate.verification) proves all of it afterwards, as long as nobody writes to either side.
        type: str
        choices: [resting, all, none]
        default: resting
      fence:
        description:
          - Whether the cutover keeps everybody but the migration from writing to the source's databases, as far as the rights
            of its user go, and measures that. It is refused when somebody could still write.
          - Without it the application has to be stopped before.
          - O(azpg.migrate.verification#module:fence=down) takes it down again.
        type: bool
        default: true
      fence_methods:
        description: What the fence is made of, in this order; see O(azpg.migrate.verification#module:fence_methods).
        type: list
        elements: str
        choices: [read_only, connect, terminate]
        default: [read_only, connect, terminate]
      grace_seconds:
        description: How long sessions that are there may take to leave by themselves before the fence ends them.
        type: int
        default: 30
      sequence_margin:
        description:
          - By how many steps sequences that are in use are set beyond where the source's stand, if they have so many left.
          - A source that crashes later begins up to 32 steps further than it had come.
        type: int
        default: 32
"""
