# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime host over SSH, by a user who becomes root: ready, used, and left as it was.

`make leftovers` has the same by an ordinary user, and with client programs that are installed and removed.
"""

from __future__ import annotations

from support.remote import whole_way

from tools.lab.host import ADMINISTRATOR


def test_the_whole_way_over_ssh_leaves_the_archive_and_nothing_else(migration, host):
    whole_way(migration("over-ssh"), host, ADMINISTRATOR, "/var/lib/azpg-migrate", "root", ansible_become=True)
