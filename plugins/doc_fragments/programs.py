# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Where client programs are."""

    DOCUMENTATION = r"""
options:
  bin_directory:
    description:
      - Directory on the executing host that holds C(pg_dump) and C(pg_restore).
      - Without it they are looked for on E(PATH) and where distributions put them; those of the target's major
        version are taken first.
    type: path
"""
