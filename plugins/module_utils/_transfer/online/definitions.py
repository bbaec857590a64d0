# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Noticing that definitions have changed on the source since the base copy: the stream carries rows only.

A digest of every entry of pg_dump's archive stands on the target from the base copy on. Before the cutover the source is
dumped again; what differs has to be on the target by then, put there by hand, which a dump of the target shows.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field

from ..._core.errors import PreconditionFailed
from ..._postgres.connection import rows, transaction
from ..._postgres.environment import client_environment
from .. import marker
from ..archive import SECTIONS, read_section
from ..client_program import run_program
from ..schema import is_about_database
from ..statements import target_text

TABLE = f"{marker.SCHEMA}.definition"
CREATE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (migration text NOT NULL, unit text NOT NULL, digest text NOT NULL, PRIMARY KEY (migration, unit))
"""
OWNER_LINE = re.compile(r"^ALTER [^\n]* OWNER TO [^\n]*;\n?", re.MULTILINE)
PSQL_LINE = re.compile(r"^\\[^\n]*\n?", re.MULTILINE)
SESSION_LINE = re.compile(r"^SET default_[a-z_]+ = [^\n]*;\n?", re.MULTILINE)
NAMED = 10


@dataclass
class Difference:
    """Entries that are not what they were; I(gone) are names of units."""

    changed: list = field(default_factory=list)
    added: list = field(default_factory=list)
    gone: list = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed or self.added or self.gone)


def digest_of(entry) -> str:
    """Return the digest of an entry's text, which names roles as the source does.

    psql's own commands change every time, and settings for the next entry stand at the end of whichever comes before it.
    """
    return hashlib.sha256(SESSION_LINE.sub("", PSQL_LINE.sub("", entry.text)).strip().encode()).hexdigest()


def compared(entries):
    """Yield the entries that are compared: what describes the database itself is changed by the fence, too."""
    return (entry for entry in entries if not is_about_database(entry))


def digests(entries) -> dict:
    """Return C({unit: digest}) of what is compared."""
    return {entry.unit: digest_of(entry) for entry in compared(entries)}


def remember(target, migration: str, found: dict) -> None:
    """Write digests down on the target, C({unit: digest}); those that are there already are what the target was made of."""
    with transaction(target) as cursor:
        cursor.execute(CREATE)
        cursor.execute(
            f"INSERT INTO {TABLE} SELECT %s, u.unit, u.digest FROM unnest(%s::text[], %s::text[]) AS u(unit, digest)"
            " ON CONFLICT DO NOTHING",
            (migration, list(found), list(found.values())),
        )


def insert(cursor, migration: str, found: dict) -> None:
    """Write digests, C({unit: digest}), within the caller's transaction."""
    cursor.execute(
        f"INSERT INTO {TABLE} SELECT %s, u.unit, u.digest FROM unnest(%s::text[], %s::text[]) AS u(unit, digest)"
        " ON CONFLICT (migration, unit) DO UPDATE SET digest = excluded.digest",
        (migration, list(found), list(found.values())),
    )


def difference(target, migration: str, entries) -> Difference:
    """Return what has changed on the source since its digests were written down."""
    found = rows(target, f"SELECT unit, digest FROM {TABLE} WHERE migration = %s", (migration,))
    known = {row["unit"]: row["digest"] for row in found}
    result = Difference()
    for entry in compared(entries):
        before = known.pop(entry.unit, None)
        if before is None:
            result.added.append(entry)
        elif before != digest_of(entry):
            result.changed.append(entry)
    result.gone = sorted(known)
    return result


def comparable(text: str) -> str:
    """Return a text without owners and blanks that mean nothing."""
    return " ".join(SESSION_LINE.sub("", OWNER_LINE.sub("", PSQL_LINE.sub("", text))).split())


def name_of(entry) -> tuple:
    """Return what an entry is called on any server."""
    return entry.type, entry.schema, entry.name


def read_target(run) -> dict:
    """Return C({(type, schema, name): text}) of everything that the target has, as its own dump says."""
    context = run.context
    path = f"{run.archive_file}.target"
    command = [
        context.programs.path("pg_dump"), "--format=custom", "--schema-only", "--no-subscriptions", "--no-tablespaces",
        "--no-security-labels", f"--exclude-schema={marker.SCHEMA}", "--lock-wait-timeout=60s", f"--file={path}",
    ]  # fmt: skip
    try:
        label = context.sessions.label("target", "dump")
        with client_environment(run.request.target, run.database, label) as (environment, pass_fds):
            run_program(command, environment, pass_fds, [run.request.target.password], context)
        sections = [read_section(context, path, section) for section in SECTIONS]
    finally:
        if os.path.exists(path):
            os.unlink(path)
    found = {name_of(entry): comparable(entry.text) for section in sections for entry in section}
    for section in sections:
        section.close()
    return found


def settle(run, entries, late) -> list:
    """Compare what has changed with the target; return sentences about what still differs.

    What is found to be on the target already is taken for done from now on.

    :param run: the database's run
    :param entries: those of the newest dump of the source
    :param late: C(entry) -> whether it is created at cutover anyway, from the newest dump
    """
    found = difference(run.target, run.request.name, entries)
    if not found:
        return []
    there = read_target(run)
    open_entries, accepted = [], {}
    for verb, some in (("changed", found.changed), ("new", found.added)):
        for entry in some:
            if late(entry) and entry.unit not in run.done:
                continue
            if there.get(name_of(entry)) == comparable(target_text(entry, run.roles)):
                accepted[entry.unit] = digest_of(entry)
            else:
                open_entries.append(f"{entry.label} is {verb} on the source")
    gone = {unit: tuple(unit.split(":")[:3]) for unit in found.gone}
    open_entries += [
        f"{kind.lower()} {schema}.{name} was dropped on the source"
        for kind, schema, name in gone.values()
        if (kind, schema, name) in there
    ]
    forgotten = [unit for unit, name in gone.items() if name not in there]
    if accepted or forgotten:
        with transaction(run.target) as cursor:
            insert(cursor, run.request.name, accepted)
            marker.set_markers(cursor, run.request.name, dict.fromkeys(accepted))
            cursor.execute(
                f"DELETE FROM {TABLE} WHERE migration = %s AND unit = ANY (%s)", (run.request.name, forgotten)
            )
        run.done.update(dict.fromkeys(accepted))
    return open_entries


def refusal(database: str, sentences: list) -> PreconditionFailed:
    """Return the error for definitions that differ."""
    shown = "; ".join(sentences[:NAMED]) + (f" and {len(sentences) - NAMED} more" if len(sentences) > NAMED else "")
    return PreconditionFailed(
        f"Database {database} cannot cut over, since definitions on the source have changed while changes were flowing: "
        f"{shown}.",
        "Make the same changes on the target (or take them back on the source), then repeat the cutover.",
        {"database": database, "differences": sentences},
    )
