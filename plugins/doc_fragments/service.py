# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What Azure's migration service can be asked for."""

    DOCUMENTATION = r"""
options:
  batch_size:
    description:
      - Number of databases that one migration of the service carries, with O(provider=azure). The service takes up to 50, and
        8 is what its guides speak of.
      - More databases than that are carried in batches, one after the other. With O(mode=online) they are refused unless
        O(groups) names which of them cut over together.
    type: int
    default: 8
  groups:
    description:
      - Databases that are carried and cut over together, as lists of names; with O(provider=azure).
      - One group is carried after the other, since a target takes one migration at a time.
    type: list
    elements: list
  overwrite_databases:
    description:
      - Databases that are replaced when they exist on the target, with O(provider=azure). The service drops them there first.
      - A database that exists on the target and is not named here stops the migration.
    type: list
    elements: str
    default: []
  on_busy:
    description:
      - What to do while the target or the runtime server are busy with another migration, with O(provider=azure).
      - With V(wait) this one begins when they are free. With V(fail) the task fails and names the other one.
    type: str
    choices: [fail, wait]
    default: wait
  runtime_concurrency:
    description:
      - How many migrations may go through one runtime server at the same time, with O(provider=azure). V(0) sets no limit.
      - The flexible servers in the subscriptions of target and runtime server are asked for theirs, as far as they may be seen.
    type: int
    default: 1
  azure_migration_name:
    description:
      - Name of a migration of the service that exists on the target, made by the Azure CLI, for example; with O(provider=azure).
      - It is taken over when it is the one that is asked for, and found by its tags from then on.
    type: str
  migration_window_start:
    description:
      - Moment in UTC before which the service moves no data, for example V(2026-10-31T22:00:00Z); with O(provider=azure).
    type: str
  migrate_roles:
    description: Let the service carry the roles of a Single Server, with O(provider=azure). It cannot for other sources.
    type: bool
    default: false
  setup_logical_replication:
    description:
      - Let the service set up logical replication on a Single Server, which restarts it; with O(provider=azure) and
        O(mode=online).
    type: bool
    default: false
  unsafe_skip_validation:
    description:
      - Begin without the service's own validation, with O(provider=azure). What it would have found comes to light half-way
        through the copy.
    type: bool
    default: false
  without_runtime_server:
    description:
      - Let the target itself read from the source, with O(provider=azure); where networks allow that, no runtime server is
        needed.
    type: bool
    default: false
  source_server_fqdn:
    description: Name or address of the source as the service is to use it, instead of O(source.host); with O(provider=azure).
    type: str
  target_server_fqdn:
    description: Name or address of the target as the service is to use it, with O(provider=azure); for DNS of one's own.
    type: str
"""
