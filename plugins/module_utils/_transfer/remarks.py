# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the source holds and the migration does not bring, in sentences for people."""

from __future__ import annotations

from .._postgres.connection import rows

INVALID_INDEXES = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready) AND n.nspname !~ '^pg_' ORDER BY 1
"""
SUBSCRIPTIONS = """
SELECT pg_catalog.quote_ident(s.subname) AS name FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = pg_catalog.current_database() ORDER BY 1
"""
SECURITY_LABELS = """
SELECT pg_catalog.format('%s %s by %s', l.objtype, l.objname, l.provider) AS name FROM pg_catalog.pg_seclabels l
 WHERE l.objtype NOT IN ('role', 'tablespace', 'database')
    OR (l.objtype = 'database' AND l.objname = pg_catalog.quote_ident(pg_catalog.current_database())) ORDER BY 1
"""
FOREIGN_TABLES = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f' ORDER BY 1
"""
# Options of mappings of others are hidden; a mapping without options shows NULL too, which cannot be told apart.
USER_MAPPINGS = """
SELECT pg_catalog.format('%s on server %I', COALESCE(m.usename, 'PUBLIC'), m.srvname) AS name FROM pg_catalog.pg_user_mappings m
 WHERE m.umoptions IS NULL ORDER BY 1
"""
# A table that was made by itself and took a parent later gets its parents' columns first when it is made again.
COLUMN_ORDER = """
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND NOT c.relispartition AND n.nspname !~ '^pg_'
   AND array(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
    <> array(SELECT place.name FROM (
               SELECT o.attname::text AS name, pg_catalog.min(o.place) AS first FROM (
                 SELECT a.attname, pg_catalog.row_number() OVER (ORDER BY h.inhseqno NULLS LAST, a.attnum) AS place
                   FROM (SELECT inhparent, inhseqno FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid
                         UNION ALL SELECT c.oid, NULL) h(relation, inhseqno)
                   JOIN pg_catalog.pg_attribute a ON a.attrelid = h.relation AND a.attnum > 0 AND NOT a.attisdropped) o
                GROUP BY 1) place ORDER BY place.first)
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_inherits WHERE inhrelid = c.oid) ORDER BY 1
"""
REMARKS = (
    (COLUMN_ORDER, "Columns come in another order on the target: {}. A table that inherits gets its parents' columns first; "
     "name the columns where rows are inserted, and do not rely on SELECT *."),
    (INVALID_INDEXES, "Indexes that are invalid on the source were not created: {}. Each is left from a build that failed; "
     "build it anew on the target if it is wanted, or drop it on the source."),
    (SUBSCRIPTIONS, "Subscriptions were not created: {}. A second subscriber would take the first one's changes; create "
     "them on the target when the source's are gone."),
    (SECURITY_LABELS, "Security labels were not carried: {}. They need their provider on the target; set them there with "
     "SECURITY LABEL."),
    (FOREIGN_TABLES, "Rows of foreign tables stay where they are, only the definition was carried: {}."),
    (USER_MAPPINGS, "User mappings were created without options, since the source does not show them to the migration's "
     "user: {}. Set user and password with ALTER USER MAPPING on the target."),
)  # fmt: skip
NAMED = 20


def listed(names: list) -> str:
    """Return at most 20 names in one line."""
    shown = ", ".join(" ".join(name.split()) for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown


def read_remarks(source) -> list:
    """Return a sentence for each kind of thing that the source has and that is not carried."""
    found = []
    for query, sentence in REMARKS:
        names = [row["name"] for row in rows(source, query)]
        if names:
            found.append(sentence.format(listed(names)))
    return found


def left_out_for_roles(left_out: set) -> list:
    """Return a sentence for each role of the source that has no counterpart and was named in statements.

    :param left_out: C({(role, entry label)})
    """
    return [
        f"Role {role} has no counterpart on the target; owner or privileges of {len(labels)} objects that name it were left "
        f"out, for example {listed(sorted(labels)[:3])}. Name one with 'role_map', or grant them on the target."
        for role, labels in sorted(
            {role: {label for other, label in left_out if other == role} for role, _label in left_out}.items()
        )
    ]
