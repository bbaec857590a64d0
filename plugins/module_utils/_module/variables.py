# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the roles: which there are, and by which of them an option of a module is set.

Messages name options, and whoever runs a playbook of this collection sets variables.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from .arguments import AZURE, AZURE_SERVER, AZURE_TARGET, ONLINE, REQUEST

# What the specifications of the roles name, after the prefix.
NAMES = frozenset(
    """
    accept_overrides accept_sample accept_warnings allowed_signers archive_directory azure azure_migration_name
    azure_poll_interval azure_server azure_target azure_wait_timeout batch_size bin_directory checks_accept
    checks_exclude checks_fail_on checks_levels checks_only checks_probe checks_scratch checks_severities
    client_packages client_programs client_repository client_repository_key colocated confirm cutover_databases
    data_host databases drop_databases drop_roles fence fence_grace_seconds fence_methods force foreign_keys
    gate_evidence groups jobs keep maintenance_work_mem max_bytes_per_second max_lag max_migrations migrate_roles
    migration_window_start mode name on_busy online outcome overwrite_databases poll_interval properties_file
    provider report_directory role_map runtime_concurrency runtime_server_id setup_logical_replication signed_off_by
    signer signing_key signing_ssh_key source source_server_fqdn source_server_id source_type state_directory target
    target_server_fqdn target_server_id toast_compression unsafe_skip_validation verification_accept_sample
    verification_busy_percent verification_check verification_compare_as verification_exclude_schemas
    verification_ignore verification_jobs verification_keys verification_max_differences verification_method
    verification_owner_map verification_reveal_values verification_sample_fraction wait wait_timeout
    without_runtime_server
    """.split()
)
# Of the playbooks themselves.
PLAYBOOKS = frozenset(["hosts"])
PREFIX = "azpg_"
# An option that other modules have in another sense has the first of these that there is.
OWN = {
    "verification": "verification_",
    "premigration_check": "checks_",
    "runtime_server": "azure_",
    "cleanup": "azure_",
}
SHARED = ("", "verification_", "checks_")
# Options that are parts of one variable: how to log in to Azure, and suboptions.
PARTS = {
    **{part: word for word, option in {**AZURE_TARGET, **AZURE_SERVER, **ONLINE}.items() for part in option["options"]},
    **dict.fromkeys(AZURE, "azure"),
}
# 'option', 'option: value', 'option.suboption', but no value: 'mode' is 'online', provider 'azure'.
QUOTED = re.compile(r"(?<! is )(?<! be )(?<! not )(?<!rovider )'([a-z][a-z_]*)(?:\.[a-z_]+)*(?:: ?[^']*)?'")


def variable_of(option: str, module: str = "") -> str | None:
    """Return the variable that sets an option of a module, or None where a role has none for it."""
    own = "" if option in REQUEST else OWN.get(module, "")
    for prefix in (own, *SHARED):
        if prefix + option in NAMES:
            return PREFIX + prefix + option
    return PREFIX + PARTS[option] if option in PARTS else None


def in_playbooks(words: str, module: str = "") -> str:
    """Return I(words) with the variables behind the options that they name, unless they name none."""
    options = QUOTED.findall(words)
    if "full" in options:
        # What tables without identity may be, and an option of the checks too.
        options = [option for option in options if option != "exclude"]
    found = [variable_of(option, module) for option in options]
    names = [name for name in dict.fromkeys(found) if name and name not in words]
    if not names:
        return words
    return f"{words} (In this collection's playbooks: {', '.join(names)}.)"


def misspelled(names: Iterable) -> list:
    """Return a sentence for each of I(names) that looks like a variable of the roles and is none."""
    known = sorted(PREFIX + name for name in NAMES | PLAYBOOKS)
    sentences = []
    for name in sorted(name for name in names if str(name).startswith(PREFIX) and name not in known):
        near = difflib.get_close_matches(name, known, 1, 0.75)
        meant = f" Is {near[0]} meant?" if near else ""
        sentences.append(f"No role of azpg.migrate knows the variable {name}; it is ignored.{meant}")
    return sentences
