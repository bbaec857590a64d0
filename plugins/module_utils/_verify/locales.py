# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether texts sort on the target as they do on the source.

Equal data may come back in another order: the C library or ICU below the two servers may be of other versions. Nothing
is lost by that, but what an application shows may move, and a row may belong in another range partition by text.
"""

from __future__ import annotations

from .._postgres.driver import psycopg2
from .._postgres.fingerprint import guarded
from .findings import WARNING, finding

MOST_NAMED = 10

DATABASE = """
SELECT coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', d.datcollate) AS locale,
       {actual} AS version
FROM pg_database d WHERE d.datname = current_database()
"""
# Collations that columns name, other than that of the database and those that follow the bytes.
COLUMNS = """
SELECT format('%I.%I', n.nspname, l.collname) AS name, {actual} AS version,
       coalesce((to_jsonb(l) ->> 'collisdeterministic')::boolean, true) AS deterministic
FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
WHERE l.collname NOT IN ('default', 'C', 'POSIX', 'ucs_basic') AND EXISTS (
    SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
    WHERE a.attcollation = l.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm')
      AND cn.nspname !~ '^pg_' AND cn.nspname <> 'information_schema')
ORDER BY 1
"""
PARTITIONED = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.partstrat = 'r' AND EXISTS (SELECT FROM pg_collation l WHERE l.oid = ANY (p.partcollation::oid[])
                                    AND l.collname NOT IN ('C', 'POSIX', 'ucs_basic'))
ORDER BY 1
"""


def read_locales(connection) -> dict:
    """Return C({provider, locale, version, columns: {name: version}, nondeterministic, partitioned}) of a database.

    A version is None where the server does not tell it, as before 13 for the C library's.
    """
    server = connection.server_version
    actual = "NULL::text"
    if server >= 150000:
        actual = "pg_database_collation_actual_version(d.oid)"
    elif server >= 130000:
        actual = (
            "(SELECT pg_collation_actual_version(l.oid) FROM pg_collation l WHERE l.collprovider = 'c' "
            "AND l.collcollate = d.datcollate ORDER BY l.oid LIMIT 1)"
        )
    found = (
        _try(connection, DATABASE.format(actual=actual)) or _try(connection, DATABASE.format(actual="NULL::text"))
    )[0]
    columns = _try(
        connection, COLUMNS.format(actual="pg_collation_actual_version(l.oid)" if server >= 100000 else "NULL::text")
    )
    partitioned = _try(connection, PARTITIONED) if server >= 100000 else []
    return {
        **found,
        "columns": {row["name"]: row["version"] for row in columns},
        "nondeterministic": [row["name"] for row in columns if not row["deterministic"]],
        "partitioned": [row["name"] for row in partitioned],
    }


def _try(connection, sql: str) -> list:
    """Return the rows, none where a server cannot say, as for an ICU collation without ICU."""
    try:
        return guarded(connection, sql, "the catalogue", named=True)
    except psycopg2.Error:
        return []


def compare_locales(source: dict, target: dict) -> list:
    """Return a warning when texts may sort differently, naming what depends on their order."""
    doubts = []
    if not _alike(source, target):
        doubts.append(f"the database sorts by {_said(source)} on the source and by {_said(target)} on the target")
    for name, version in sorted(source["columns"].items()):
        if name in target["columns"] and version != target["columns"][name]:
            versions = (version or "an unknown version", target["columns"][name] or "an unknown version")
            doubts.append(f"collation {name} is of {versions[0]} on the source and of {versions[1]} on the target")
    if not doubts:
        return []
    touched = [
        f"{words}: {', '.join(names[:MOST_NAMED])}{' ...' if len(names) > MOST_NAMED else ''}"
        for words, names in (
            ("range partitions by text, in which rows may lie in another partition", source["partitioned"]),
            ("collations under which different texts may be equal", source["nondeterministic"]),
        )
        if names
    ]
    said = "; ".join(doubts[:MOST_NAMED])
    return [
        finding(
            WARNING,
            "collation-order",
            "database",
            "order of texts",
            f"Texts may sort differently: {said}." + (f" It concerns {'; '.join(touched)}." if touched else ""),
            source=_said(source),
            target=_said(target),
            remedy="Look at what the application shows in order of texts. The rows themselves were compared without regard "
            "to it.",
        )
    ]


def _alike(source: dict, target: dict) -> bool:
    if _by_bytes(source) and _by_bytes(target):
        return True
    same = source["provider"] == target["provider"] and _plain(source["locale"]) == _plain(target["locale"])
    return same and source["version"] is not None and source["version"] == target["version"]


def _by_bytes(end: dict) -> bool:
    """Return whether a database sorts by code points, which no version changes."""
    name = _plain(end["locale"])
    return end["provider"] != "i" and (
        name in ("c", "posix") or name.startswith(("c.", "pg_c_")) or name == "pg_unicode_fast"
    )


def _plain(locale: str | None) -> str:
    """Return a locale's name without the differences between systems: C(en_US.UTF-8) is C(en_US.utf8)."""
    return (locale or "").lower().replace("-", "")


def _said(end: dict) -> str:
    provider = {"c": "the C library's", "i": "ICU's", "b": "the server's own"}.get(end["provider"], end["provider"])
    return f"{provider} {end['locale']} ({'version ' + end['version'] if end['version'] else 'of unknown version'})"
