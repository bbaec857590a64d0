# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has understood of an expression, without the ways in which it could have been written.

From 14 on a server remembers that somebody wrote C(now() AT TIME ZONE 'UTC') and prints it so, where it prints
C(timezone('UTC', now())) for a definition that came from a dump of an older one. Both call the same function. Where
printed texts differ, the stored trees of both objects, which lie on the same server, tell whether they mean the same.
"""

from __future__ import annotations

import re

# Fields that say how something was written, or where in a text, or whose rights count when a query runs.
WRITING = re.compile(
    r" :(?:funcformat|relabelformat|coerceformat|convertformat|row_format|location|stmt_location|stmt_len|checkAsUser"
    r"|list_start|list_end|rexpr_list_start|rexpr_list_end) -?\d+"
)

# Each gives the tree and the object identifier of the relation that it belongs to, which differs between twins.
VIEW = "SELECT r.ev_action::text, r.ev_class::int8 FROM pg_rewrite r WHERE r.ev_class = %s::regclass AND r.rulename = '_RETURN'"
DEFAULT = (
    "SELECT d.adbin::text, d.adrelid::int8 FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum "
    "WHERE d.adrelid = %s::regclass AND a.attname = %s"
)
CHECK = (
    "SELECT k.conbin::text, k.conrelid::int8 FROM pg_constraint k WHERE k.conrelid = %s::regclass AND k.conname = %s"
)
DOMAIN_CHECK = (
    "SELECT k.conbin::text, k.contypid::int8 FROM pg_constraint k WHERE k.contypid = %s::regtype AND k.conname = %s"
)
DOMAIN_DEFAULT = "SELECT t.typdefaultbin::text, t.oid::int8 FROM pg_type t WHERE t.oid = %s::regtype"
ARGUMENT_DEFAULTS = "SELECT p.proargdefaults::text, p.oid::int8 FROM pg_proc p WHERE p.oid = %s::regprocedure"
INDEX = (
    "SELECT concat_ws(' | ', i.indexprs::text, i.indpred::text, i.indclass, i.indcollation, i.indoption, i.indkey, "
    "i.indnkeyatts, i.indisunique, to_jsonb(i) ->> 'indnullsnotdistinct', c.relam, c.reloptions), i.indrelid::int8 "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indexrelid = %s::regclass"
)
TRIGGER = (
    "SELECT concat_ws(' | ', t.tgqual::text, t.tgfoid, t.tgtype, t.tgattr, encode(t.tgargs, 'hex'), t.tgdeferrable, "
    "t.tginitdeferred, t.tgconstrrelid, t.tgoldtable, t.tgnewtable), t.tgrelid::int8 FROM pg_trigger t "
    "WHERE t.tgrelid = %s::regclass AND t.tgname = %s"
)
RULE = (
    "SELECT concat_ws(' | ', r.ev_qual::text, r.ev_action::text, r.ev_type, r.is_instead), r.ev_class::int8 "
    "FROM pg_rewrite r WHERE r.ev_class = %s::regclass AND r.rulename = %s"
)
POLICY = "SELECT p.{column}::text, p.polrelid::int8 FROM pg_policy p WHERE p.polrelid = %s::regclass AND p.polname = %s"


def plain(tree: str, own: int) -> str:
    """Return a tree without what says how it was written; I(own) is the object that it belongs to."""
    return re.sub(rf"(:(?:relid|resorigtbl)) {own}(?= )", r"\1 own", WRITING.sub("", tree))


def mean_the_same(cursor, sql: str, mine: tuple, theirs: tuple) -> bool:
    """Return whether two objects of one server, named by the parameters of I(sql), mean the same."""
    found = []
    for parameters in (mine, theirs):
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
        if len(rows) != 1 or not rows[0][0]:
            return False
        found.append(plain(*rows[0]))
    return found[0] == found[1]
