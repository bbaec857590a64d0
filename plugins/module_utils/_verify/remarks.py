# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the same on both ends and worth knowing all the same: nothing here is a difference, nothing changes the verdict."""

from __future__ import annotations

from .._postgres.connection import rows
from .inventory import Inventory

# Kind, attribute that is false on both ends, what that means, what helps.
UNFINISHED = (
    (
        "index",
        "valid",
        "is invalid on both ends: queries do not use it.",
        "REINDEX INDEX it, or drop it.",
    ),
    (
        "constraint",
        "validated",
        "is NOT VALID on both ends: rows from before it may break it.",
        "ALTER TABLE ... VALIDATE CONSTRAINT, on the target, when its rows fit.",
    ),
    (
        "not-null constraint",
        "validated",
        "is NOT VALID on both ends: rows from before it may hold NULL.",
        "ALTER TABLE ... VALIDATE CONSTRAINT, on the target, when its rows fit.",
    ),
)
SLOTS = (
    "SELECT slot_name::text AS name FROM pg_replication_slots WHERE database = current_database() "
    "AND slot_name ~ '^(azpg_migrate|pgcopydb)' AND NOT active ORDER BY 1"
)


def unfinished(source: Inventory, target: Inventory) -> list:
    """Return C([{kind, object, msg, remedy}]) for what is unfinished on both ends alike."""
    return [
        {"kind": kind, "object": name, "msg": f"The {kind} {said}", "remedy": remedy}
        for kind, attribute, said, remedy in UNFINISHED
        for name, item in sorted(source.objects.get(kind, {}).items())
        if item[attribute] is False and target.objects.get(kind, {}).get(name, {}).get(attribute) is False
    ]


def leftovers(connection, side: str) -> list:
    """Return the same for replication slots that a migration has left on one end, where they hold back its log."""
    return [
        {
            "kind": "replication slot",
            "object": row["name"],
            "msg": f"The replication slot is on the {side} and nobody reads from it: the server keeps its log for it.",
            "remedy": f"When the migration is over, on the {side}: SELECT pg_drop_replication_slot('{row['name']}').",
        }
        for row in rows(connection, SLOTS)
    ]
