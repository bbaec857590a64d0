# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What checks say, as lines for people who run playbooks."""

from __future__ import annotations

from ansible_collections.azpg.migrate.plugins.module_utils._core.findings import sentence
from ansible_collections.azpg.migrate.plugins.module_utils._core.progress_lines import estimate_line, shortened
from ansible_collections.azpg.migrate.plugins.module_utils._module.variables import in_playbooks


def finding_line(finding, module="premigration_check", length=None) -> str:
    """Return how it ought to be, how it is, and what helps; I(finding) is one of the findings that I(module) returns."""
    words = sentence(finding)
    return in_playbooks(words if length is None else shortened(words, int(length)), module)


def estimate_words(estimate) -> str:
    """Return what a migration will take of time and disk, and what that is worked out from."""
    return f"{estimate_line(estimate)}. From: {'; '.join(estimate['basis'])}."


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict:
        """Return the filters by name."""
        return {"finding_line": finding_line, "estimate_words": estimate_words}
