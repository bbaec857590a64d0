# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people have written for Azure's CLI, for plays with this collection."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import MigrationError
from ansible_collections.azpg.migrate.plugins.module_utils._module.cli_properties import options_of

display = Display()


def cli_properties(content, target_host=None) -> dict:
    """Return the content of a properties file in this collection's words."""
    try:
        options, warnings = options_of(content, target_host)
    except MigrationError as error:
        raise AnsibleFilterError(f"{error.msg} {error.hint}") from error
    for warning in warnings:
        display.warning(warning)
    return options


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict:
        """Return the filter by name."""
        return {"cli_properties": cli_properties}
