# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory queries for relations and what hangs on them."""

from __future__ import annotations

from .catalogue import acl, not_of_extension, query, role, user_schema

RELATION = "format('%I.%I', n.nspname, c.relname)"
TABLES = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
CLASS_IS_OURS = not_of_extension("pg_class", "c.oid")

RELATION_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}


def relations(version: int) -> dict:
    """Return C({kind: query}) for tables, partitioned tables, views, materialised views and foreign tables."""
    attributes = {
        "owner": role("c.relowner"),
        "acl": acl("c.relacl", "r", "c.relowner"),
        "persistence": "c.relpersistence::text",
        "options": "(SELECT coalesce(jsonb_agg(o ORDER BY o), '[]'::jsonb) FROM unnest(c.reloptions) o)",
        "definition": "CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END",
        "toast_options": "(SELECT jsonb_agg(o ORDER BY o) FROM pg_class oc CROSS JOIN LATERAL unnest(oc.reloptions) o "
        "WHERE oc.oid = c.reltoastrelid)",
        # Tables had them until 11, if asked for, and dumps leave them out.
        "row_identifiers": "c.relhasoids" if version < 120000 else "false",
        "populated": "CASE WHEN c.relkind = 'm' THEN c.relispopulated END",
        "row_security": "c.relrowsecurity",
        "force_row_security": "c.relforcerowsecurity",
        "replica_identity": "c.relreplident::text",
        "partition_key": "CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END",
        "partition_bound": "pg_get_expr(c.relpartbound, c.oid)",
        "parents": "(SELECT coalesce(jsonb_agg(format('%I.%I', pn.nspname, p.relname) ORDER BY h.inhseqno), "
        "'[]'::jsonb) FROM pg_inherits h JOIN pg_class p ON p.oid = h.inhparent "
        "JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = c.oid)",
        "of_type": "CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END",
        "tablespace": "(SELECT s.spcname FROM pg_tablespace s WHERE s.oid = c.reltablespace)",
        "server": "(SELECT s.srvname FROM pg_foreign_table f JOIN pg_foreign_server s ON s.oid = f.ftserver "
        "WHERE f.ftrelid = c.oid)",
        "foreign_options": "(SELECT to_jsonb(f.ftoptions) FROM pg_foreign_table f WHERE f.ftrelid = c.oid)",
    }
    if version < 100000:
        attributes.update(partition_key="NULL", partition_bound="NULL")
    if version >= 110000:
        # A load that switches triggers off can leave those off that check keys: of other tables see M(constraints).
        attributes["key_triggers"] = (
            "coalesce((SELECT string_agg(DISTINCT g.tgenabled::text, ',') FROM pg_trigger g JOIN pg_constraint k "
            "ON k.oid = g.tgconstraint AND k.contype IN ('f', 'p', 'u', 'x') WHERE g.tgrelid = c.oid "
            "AND c.relispartition AND c.relkind = 'r'), 'O')"
        )
    if version >= 120000:
        attributes["access_method"] = (
            "CASE WHEN c.relkind IN ('r', 'm') THEN (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam) END"
        )
    return {
        kind: query(
            "n.nspname", RELATION, attributes, TABLES, f"c.relkind = '{letter}' AND {user_schema()} AND {CLASS_IS_OURS}"
        )
        for letter, kind in RELATION_KINDS.items()
    }


def columns(version: int) -> str:
    """Return the query for columns of every relation that has them."""
    generated = "a.attgenerated::text" if version >= 120000 else "''::text"
    expression = (
        "(SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d WHERE d.adrelid = c.oid AND d.adnum = a.attnum)"
    )
    attributes = {
        "table": RELATION,
        "column": "a.attname",
        "type": "format_type(a.atttypid, a.atttypmod)",
        "not_null": "a.attnotnull",
        "default": expression,
        # From 17 on partitions show the identity of their root.
        "identity": "CASE WHEN c.relispartition THEN '' ELSE a.attidentity::text END" if version >= 100000 else "''",
        "generated": generated,
        "collation": "CASE WHEN a.attcollation <> t.typcollation THEN (SELECT format('%I.%I', cn.nspname, l.collname) "
        "FROM pg_collation l JOIN pg_namespace cn ON cn.oid = l.collnamespace WHERE l.oid = a.attcollation) END",
        "storage": "CASE WHEN c.relkind IN ('r', 'p', 'm') THEN a.attstorage::text END",
        "statistics_target": "CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN a.attstattarget END",
        # Those that begin with pg_ are the server's own, and different on each.
        "options": "(SELECT jsonb_agg(o ORDER BY o) FROM unnest(a.attoptions) o WHERE o !~ '^pg_')",
        "foreign_options": "to_jsonb(a.attfdwoptions)",
        "acl": acl("a.attacl", "c", "c.relowner"),
        "position": "row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)",
    }
    if version >= 140000:
        attributes["compression"] = "a.attcompression::text"
    return query(
        "n.nspname",
        f"{RELATION} || '.' || quote_ident(a.attname)",
        attributes,
        f"{TABLES} JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid",
        f"c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND {user_schema()} "
        f"AND {CLASS_IS_OURS}",
    )


def constraints(version: int) -> str:
    """Return the query for constraints of tables and domains.

    NOT NULL has rows of its own from 18 on and is compared as a property of the column instead; constraint triggers
    are compared as triggers; what a foreign key makes on partitions gets generated names and follows from its parent.
    """
    # A load that switches triggers off can leave those of a foreign key off, which no longer checks anything then. Nor
    # does a unique constraint that may be deferred.
    enabled = (
        "(SELECT string_agg(DISTINCT g.tgenabled::text, ',') FROM pg_trigger g WHERE g.tgconstraint = k.oid "
        "AND k.contype IN ('f', 'p', 'u', 'x') AND c.relkind = 'r')"  # those of a partitioned table are on its partitions until 14
    )
    attributes = {
        "table": f"CASE WHEN c.oid IS NOT NULL THEN {RELATION} END",
        "domain": "CASE WHEN k.contypid <> 0 THEN format_type(k.contypid, NULL) END",
        "domain_base": "CASE WHEN k.contypid <> 0 THEN format_type(y.typbasetype, y.typtypmod) END",
        "name": "k.conname",
        "type": "k.contype::text",
        "definition": "pg_get_constraintdef(k.oid)",
        "validated": "k.convalidated",
        "deferrable": "k.condeferrable",
        "deferred": "k.condeferred",
        **({"enforced": "k.conenforced"} if version >= 180000 else {}),
        "no_inherit": "k.contype = 'c' AND k.connoinherit",
        "triggers_enabled": enabled,
    }
    return query(
        "coalesce(n.nspname, yn.nspname)",
        f"CASE WHEN c.oid IS NOT NULL THEN {RELATION} ELSE 'domain ' || format_type(k.contypid, NULL) END "
        "|| '.' || quote_ident(k.conname)",
        attributes,
        "pg_constraint k LEFT JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_type y ON y.oid = k.contypid LEFT JOIN pg_namespace yn ON yn.oid = y.typnamespace",
        "k.contype IN ('c', 'p', 'u', 'f', 'x') AND (c.oid IS NOT NULL OR y.oid IS NOT NULL) "
        f"AND NOT (k.contype = 'f' AND {'k.conparentid <> 0' if version >= 110000 else 'false'}) "
        f"AND (c.oid IS NULL OR ({user_schema()} AND {CLASS_IS_OURS})) "
        f"AND (y.oid IS NULL OR ({user_schema('yn')} AND {not_of_extension('pg_type', 'y.oid')}))",
    )


def not_null_constraints() -> str:
    """Return the query for NOT NULL constraints, which have names and may be unvalidated from 18 on."""
    return query(
        "n.nspname",
        f"{RELATION} || '.' || quote_ident(k.conname)",
        {
            "table": RELATION,
            "name": "k.conname",
            "column": "(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = k.conkey[1])",
            "validated": "k.convalidated",
            "no_inherit": "k.connoinherit",
        },
        f"pg_constraint k JOIN ({TABLES}) ON c.oid = k.conrelid",
        f"k.contype = 'n' AND {user_schema()} AND {CLASS_IS_OURS}",
    )


def indexes(version: int) -> str:
    """Return the query for indexes."""
    attributes = {
        "table": RELATION,
        "name": "ic.relname",
        "definition": "pg_get_indexdef(i.indexrelid)",
        "valid": "i.indisvalid",
        "ready": "i.indisready",
        "unique": "i.indisunique",
        "primary": "i.indisprimary",
        "exclusion": "i.indisexclusion",
        "immediate": "i.indimmediate",
        "replica_identity": "i.indisreplident",
        "clustered": "i.indisclustered",
        "statistics_target": "(SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum) "
        "FROM pg_attribute a WHERE a.attrelid = ic.oid AND a.attstattarget >= 0)",
        "parent": "(SELECT format('%I.%I', pn.nspname, p.relname) FROM pg_inherits h JOIN pg_class p "
        "ON p.oid = h.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE h.inhrelid = i.indexrelid)",
        "tablespace": "(SELECT s.spcname FROM pg_tablespace s WHERE s.oid = ic.reltablespace)",
    }
    return query(
        "n.nspname",
        "format('%I.%I', n.nspname, ic.relname)",
        attributes,
        f"pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN ({TABLES}) ON c.oid = i.indrelid",
        f"{user_schema()} AND {CLASS_IS_OURS} AND c.relkind IN ('r', 'p', 'm')",
    )


def sequences(version: int) -> str:
    """Return the query for the parameters of sequences; their values are compared apart."""
    attributes = {
        "owner": role("c.relowner"),
        "acl": acl("c.relacl", "s", "c.relowner"),
        "type": "format_type(s.seqtypid, NULL)",
        "start": "s.seqstart",
        "increment": "s.seqincrement",
        "minimum": "s.seqmin",
        "maximum": "s.seqmax",
        "cache": "s.seqcache",
        "cycle": "s.seqcycle",
        "owned_by": "(SELECT format('%I.%I.%I', tn.nspname, tc.relname, ta.attname) FROM pg_depend d "
        "JOIN pg_class tc ON tc.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = tc.relnamespace "
        "JOIN pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum = d.refobjsubid "
        "WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass "
        "AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0 LIMIT 1)",
    }
    if version >= 150000:
        attributes["persistence"] = "c.relpersistence::text"
    joined = "JOIN pg_sequence s ON s.seqrelid = c.oid"
    if version < 100000:  # the sequences themselves hold their parameters
        joined = "CROSS JOIN LATERAL pg_sequence_parameters(c.oid) s"
        attributes.update(
            start="s.start_value", increment="s.increment", minimum="s.minimum_value",
            maximum="s.maximum_value", cycle="s.cycle_option",
        )  # fmt: skip
        for name in ("type", "cache"):  # there was one type only, and what is cached cannot be asked
            attributes.pop(name)
    return query(
        "n.nspname",
        RELATION,
        attributes,
        f"{TABLES} {joined}",
        f"c.relkind = 'S' AND c.relpersistence <> 't' AND {user_schema()} AND {CLASS_IS_OURS}",
    )


def triggers(version: int) -> str:
    """Return the query for triggers, also those that a partitioned table's trigger makes on its partitions.

    The latter count as internal until 14. Triggers that enforce keys are compared with their constraints.
    """
    users = (
        "(NOT t.tgisinternal OR t.tgconstraint = 0 OR EXISTS (SELECT FROM pg_constraint k WHERE k.oid = t.tgconstraint "
        "AND k.contype = 't'))"
    )
    attributes = {
        "table": RELATION,
        "name": "t.tgname",
        # "EXECUTE PROCEDURE" until 11, "EXECUTE FUNCTION" from 12 on, for the same thing.
        "definition": r"regexp_replace(pg_get_triggerdef(t.oid), ' EXECUTE PROCEDURE ([^ ]+\(.*\))$', ' EXECUTE FUNCTION \1')",
        "enabled": "t.tgenabled::text",
    }
    return query(
        "n.nspname",
        f"{RELATION} || '.' || quote_ident(t.tgname)",
        attributes,
        f"pg_trigger t JOIN ({TABLES}) ON c.oid = t.tgrelid",
        f"{users} AND {user_schema()} AND {CLASS_IS_OURS}",
    )


def rules(version: int) -> str:
    """Return the query for rules other than the one that makes a view a view."""
    attributes = {
        "table": RELATION,
        "name": "r.rulename",
        "definition": "pg_get_ruledef(r.oid)",
        "enabled": "r.ev_enabled::text",
    }
    return query(
        "n.nspname",
        f"{RELATION} || '.' || quote_ident(r.rulename)",
        attributes,
        f"pg_rewrite r JOIN ({TABLES}) ON c.oid = r.ev_class",
        f"r.rulename <> '_RETURN' AND {user_schema()} AND {CLASS_IS_OURS}",
    )


def policies(version: int) -> str:
    """Return the query for row security policies."""
    attributes = {
        "table": RELATION,
        "name": "p.polname",
        "command": "p.polcmd::text",
        "permissive": "p.polpermissive" if version >= 100000 else "true",
        "roles": "(SELECT coalesce(jsonb_agg(CASE WHEN o = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(o)::text END), "
        "'[]'::jsonb) FROM unnest(p.polroles) o)",
        "using": "pg_get_expr(p.polqual, p.polrelid)",
        "check": "pg_get_expr(p.polwithcheck, p.polrelid)",
    }
    return query(
        "n.nspname",
        f"{RELATION} || '.' || quote_ident(p.polname)",
        attributes,
        f"pg_policy p JOIN ({TABLES}) ON c.oid = p.polrelid",
        f"{user_schema()} AND {CLASS_IS_OURS}",
    )


def statistics(version: int) -> str:
    """Return the query for extended statistics."""
    # Until 11 these two kinds were all, and are not printed; from 12 on there is a third.
    printed = "regexp_replace(pg_get_statisticsobjdef(s.oid), ' \\(ndistinct, dependencies\\) ON ', ' ON ')"
    attributes = {"owner": role("s.stxowner"), "definition": printed}
    if version >= 120000:
        attributes["kinds"] = "to_jsonb(s.stxkind::text[])"
    if version >= 130000:
        attributes["statistics_target"] = "nullif(s.stxstattarget, -1)"
    return query(
        "n.nspname",
        "format('%I.%I', n.nspname, s.stxname)",
        attributes,
        "pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace",
        f"{user_schema()} AND {not_of_extension('pg_statistic_ext', 's.oid')}",
    )


def queries(version: int) -> dict:
    """Return C({kind: query}) for a server of I(version) (as in server_version_num)."""
    return {
        **relations(version),
        "column": columns(version),
        "constraint": constraints(version),
        **({"not-null constraint": not_null_constraints()} if version >= 180000 else {}),
        "index": indexes(version),
        "sequence": sequences(version),
        "trigger": triggers(version),
        "rule": rules(version),
        "policy": policies(version),
        **({"extended statistics": statistics(version)} if version >= 100000 else {}),
    }
