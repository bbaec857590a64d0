# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many migrations at one glance, for the role azpg.migrate.fleet and for plays of one's own."""

from __future__ import annotations

from datetime import datetime, timezone

from ansible.errors import AnsibleFilterError
from ansible_collections.azpg.migrate.plugins.module_utils._core.fleet import line_of, row_of, summary_line
from ansible_collections.azpg.migrate.plugins.module_utils._core.fleet_page import render


def rows_of(entries) -> list:
    """Return the rows of what the role has gathered."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise AnsibleFilterError(
            f"Expected a list of dictionaries, one for each migration, found {type(entries).__name__}."
        )
    return [row_of(entry) for entry in entries]


def fleet_page(entries) -> str:
    """Return the page."""
    return render(rows_of(entries), datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"))


def fleet_lines(entries) -> list:
    """Return one line for each migration."""
    return [line_of(row) for row in rows_of(entries)]


def fleet_summary(entries) -> str:
    """Return one line for all of them."""
    return summary_line(rows_of(entries))


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict:
        """Return the filters by name."""
        return {"fleet_page": fleet_page, "fleet_lines": fleet_lines, "fleet_summary": fleet_summary}
