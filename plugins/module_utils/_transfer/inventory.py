# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second copy, on the target itself, of what the migration has created or lent on either side.

The journal may be lost with its host. What has to be taken back at the end, a lent privilege or a membership, must not
be forgotten with it; so it stands among the markers of the database that is being worked in.
"""

from __future__ import annotations

import json

from . import marker

PREFIX = "created:"
WORDS = ("side", "database", "kind", "name")


def unit_of(thing: dict) -> str:
    """Return the marker's name for a created thing."""
    return PREFIX + json.dumps([thing[word] for word in WORDS])


def thing_of(unit: str) -> dict | None:
    """Return the created thing that a marker's name speaks of, C({side, database, kind, name}); None for any other."""
    return dict(zip(WORDS, json.loads(unit[len(PREFIX) :]))) if unit.startswith(PREFIX) else None


def restore(done: dict, journal) -> None:
    """Enter in the journal what the markers I(done) know as created and a lost journal does not."""
    known = {unit_of(thing) for thing in journal.creations()}
    for unit in done:
        if unit.startswith(PREFIX) and unit not in known:
            thing = json.loads(unit[len(PREFIX) :])
            journal.creating(*thing)
            journal.created(*thing)


def keep(cursor, migration: str, done: dict, journal) -> None:
    """Bring the markers in line with what the journal knows as created and not taken back."""
    things = journal.creations()
    there = {unit_of(thing): None for thing in things if thing["state"] != "removed"}
    new = {unit: None for unit in there if unit not in done}
    gone = [unit_of(thing) for thing in things if unit_of(thing) in done and unit_of(thing) not in there]
    if new:
        marker.set_markers(cursor, migration, new)
    if gone:
        marker.remove_markers(cursor, migration, gone)
    done.update(new)
    for unit in gone:
        del done[unit]
