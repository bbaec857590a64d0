# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an online migration is going to do, in sentences, for who asks before it is done."""

from __future__ import annotations

from . import slot

METHODS = {
    "read_only": "new sessions begin read only",
    "connect": "CONNECT is revoked from others",
    "terminate": "sessions that are there are ended",
}


def following(request) -> list:
    """Return the steps from the base copy to the stream, beside the copy itself."""
    return [
        f"create publication and replication slot {slot.name_of(request.name, request.hash, database)} in the source's "
        f"database {database} and follow its changes"
        for database in request.databases
    ]


def cutover(request, options: dict) -> list:
    """Return the steps of the cutover."""
    databases = options.get("cutover_databases") or list(request.databases)
    names = ", ".join(databases)
    fence = "take it that nobody writes to the source any more"
    if options.get("fence"):
        methods = options.get("fence_methods") or METHODS
        words = "; ".join(METHODS[method] for method in methods)
        fence = f"put up a fence around {names} on the source ({words}) and measure it"
    margin = options.get("sequence_margin")
    return [
        f"compare the definitions of {names} with those of the base copy",
        f"wait until the target is no more than {options.get('max_lag', 10)} seconds behind",
        *([] if options.get("prove") == "none" else ["compare all tables while the application goes on writing"]),
        fence,
        "write a message into the source's log and apply everything before it",
        *(["compare the tables that have moved since"] if options.get("prove") == "all" else []),
        "compare large objects and tables that were not followed, and copy those again that differ",
        "set sequences to where the source's stand" + (f", and {margin} steps further" if margin else ""),
        "create foreign keys, checks, triggers, rules, policies and privileges on the target",
        "let the application write to the target",
        "validate constraints and refresh materialized views on the target",
        *(
            f"remove publication and replication slot {slot.name_of(request.name, request.hash, database)} from the source"
            for database in databases
        ),
    ]
