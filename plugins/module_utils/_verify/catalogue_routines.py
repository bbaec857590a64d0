# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory queries for routines, operators, types, collations and text search."""

from __future__ import annotations

from .catalogue import acl, digest, not_of_extension, query, role, user_schema

ROUTINE_KINDS = {"f": "function", "p": "procedure", "a": "aggregate", "w": "window function"}


def named(prefix: str, catalogue: str, identifier: str) -> str:
    """Return SQL for the qualified name of the object I(identifier) of a catalogue with a namespace, or NULL."""
    return (
        f"(SELECT format('%I.%I', xn.nspname, x.{prefix}name) FROM {catalogue} x JOIN pg_namespace xn "
        f"ON xn.oid = x.{prefix}namespace WHERE x.oid = {identifier})"
    )


def _kind_is(letter: str, version: int) -> str:
    """Return a condition for routines of one of ROUTINE_KINDS; before 11 there were no procedures."""
    if version >= 110000:
        return f"p.prokind = '{letter}'"
    return {"a": "p.proisagg", "w": "p.proiswindow", "f": "NOT p.proisagg AND NOT p.proiswindow", "p": "false"}[letter]


def _aggregate(version: int) -> str:
    """Return the properties of an aggregate; those of partial aggregation came with 9.6."""
    partial = "".join(
        f"'{name}', a.{column}::regproc::text, "
        for name, column in (
            ("combine", "aggcombinefn"),
            ("serialize", "aggserialfn"),
            ("deserialize", "aggdeserialfn"),
        )
    )
    if version < 90600:
        partial = "'combine', '-', 'serialize', '-', 'deserialize', '-', "
    return (
        "(SELECT jsonb_build_object('kind', a.aggkind::text, 'direct', a.aggnumdirectargs, "
        "'transition', a.aggtransfn::regprocedure::text, 'final', a.aggfinalfn::regproc::text, "
        f"{partial}'moving', a.aggmtransfn::regproc::text, "
        "'operator', a.aggsortop::regoperator::text, 'state', format_type(a.aggtranstype, NULL), "
        "'initial', a.agginitval) FROM pg_aggregate a WHERE a.aggfnoid = p.oid)"
    )


def routines(version: int) -> dict:
    """Return C({kind: query}) for functions, procedures, aggregates and window functions."""
    attributes = {
        "owner": role("p.proowner"),
        "acl": acl("p.proacl", "f", "p.proowner"),
        "result": "pg_get_function_result(p.oid)",  # NULL for procedures
        "argument_names": "to_jsonb(p.proargnames)",
        "argument_modes": "to_jsonb(p.proargmodes::text[])",
        "argument_types": "(SELECT jsonb_agg(format_type(o, NULL) ORDER BY i) "
        "FROM unnest(p.proallargtypes) WITH ORDINALITY u(o, i))",
        "argument_defaults": "pg_get_expr(p.proargdefaults, 0)",
        "arguments": "CASE WHEN p.proargdefaults IS NOT NULL THEN pg_get_function_arguments(p.oid) END",
        "language": "l.lanname",
        "volatility": "p.provolatile::text",
        "strict": "p.proisstrict",
        "leakproof": "p.proleakproof",
        "security_definer": "p.prosecdef",
        "parallel": "p.proparallel::text" if version >= 90600 else "'u'",
        "cost": "p.procost::text",
        "rows": "p.prorows::text",
        "config": "(SELECT coalesce(jsonb_agg(o ORDER BY o), '[]'::jsonb) FROM unnest(p.proconfig) o)",
        "body": digest("p.prosrc", version),
        "library": "p.probin::text",
        "aggregate": _aggregate(version),
    }
    if version >= 120000:
        attributes["support"] = "p.prosupport::regproc::text"
    if version >= 140000:
        attributes["sql_body"] = "pg_get_function_sqlbody(p.oid)"
        attributes["sql_definition"] = "CASE WHEN p.prosqlbody IS NOT NULL THEN pg_get_functiondef(p.oid) END"
    return {
        kind: query(
            "n.nspname",
            "format('%I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes))",
            {key: text for key, text in attributes.items() if kind == "aggregate" or key != "aggregate"},
            "pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang",
            f"{_kind_is(letter, version)} AND {user_schema()} AND {not_of_extension('pg_proc', 'p.oid')} "
            # What a range type makes for itself depends on the type alone.
            "AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid "
            "AND i.deptype = 'i')",
        )
        for letter, kind in ROUTINE_KINDS.items()
    }


def operators() -> dict:
    """Return C({kind: query}) for operators, operator classes and families, casts and conversions."""
    operator = query(
        "n.nspname",
        "o.oid::regoperator::text",
        {
            "owner": role("o.oprowner"),
            "function": "o.oprcode::regprocedure::text",
            "result": "format_type(o.oprresult, NULL)",
            "commutator": "o.oprcom::regoperator::text",
            "negator": "o.oprnegate::regoperator::text",
            "restriction": "o.oprrest::regproc::text",
            "join": "o.oprjoin::regproc::text",
            "hashes": "o.oprcanhash",
            "merges": "o.oprcanmerge",
        },
        "pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace",
        f"{user_schema()} AND o.oprcode <> 0 AND {not_of_extension('pg_operator', 'o.oid')}",
    )
    operator_class = query(
        "n.nspname",
        "format('%I.%I USING %s', n.nspname, c.opcname, m.amname)",
        {
            "owner": role("c.opcowner"),
            "type": "format_type(c.opcintype, NULL)",
            "key_type": "CASE WHEN c.opckeytype <> 0 THEN format_type(c.opckeytype, NULL) END",
            "default": "c.opcdefault",
            "family": named("opf", "pg_opfamily", "c.opcfamily"),
        },
        "pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace JOIN pg_am m ON m.oid = c.opcmethod",
        f"{user_schema()} AND {not_of_extension('pg_opclass', 'c.oid')}",
    )
    family = query(
        "n.nspname",
        "format('%I.%I USING %s', n.nspname, f.opfname, m.amname)",
        {
            "owner": role("f.opfowner"),
            "operators": "(SELECT jsonb_agg(format('%s %s %s', a.amopstrategy, a.amopopr::regoperator, a.amoppurpose) "
            "ORDER BY a.amopstrategy, a.amopopr::regoperator::text) FROM pg_amop a WHERE a.amopfamily = f.oid)",
            "functions": "(SELECT jsonb_agg(format('%s %s', a.amprocnum, a.amproc::regprocedure) "
            "ORDER BY a.amprocnum, a.amproc::regprocedure::text) FROM pg_amproc a WHERE a.amprocfamily = f.oid)",
        },
        "pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am m ON m.oid = f.opfmethod",
        f"{user_schema()} AND {not_of_extension('pg_opfamily', 'f.oid')}",
    )
    cast = query(
        "NULL",
        "format('%s AS %s', format_type(c.castsource, NULL), format_type(c.casttarget, NULL))",
        {
            "function": "c.castfunc::regprocedure::text",
            "context": "c.castcontext::text",
            "method": "c.castmethod::text",
        },
        "pg_cast c",
        # A range type of one's own brings a cast to its multirange, which follows from the type.
        f"c.oid >= 16384 AND {not_of_extension('pg_cast', 'c.oid')} AND NOT EXISTS (SELECT FROM pg_depend i "
        "WHERE i.classid = 'pg_cast'::regclass AND i.objid = c.oid AND i.deptype = 'i')",
    )
    conversion = query(
        "n.nspname",
        "format('%I.%I', n.nspname, c.conname)",
        {
            "owner": role("c.conowner"),
            "from": "pg_encoding_to_char(c.conforencoding)::text",
            "to": "pg_encoding_to_char(c.contoencoding)::text",
            "function": "c.conproc::regproc::text",
            "default": "c.condefault",
        },
        "pg_conversion c JOIN pg_namespace n ON n.oid = c.connamespace",
        f"{user_schema()} AND {not_of_extension('pg_conversion', 'c.oid')}",
    )
    transform = query(
        "NULL",
        "format('%s for %s', format_type(x.trftype, NULL), l.lanname)",
        {"from_sql": "x.trffromsql::regprocedure::text", "to_sql": "x.trftosql::regprocedure::text"},
        "pg_transform x JOIN pg_language l ON l.oid = x.trflang",
        not_of_extension("pg_transform", "x.oid"),
    )
    return {
        "transform": transform,
        "operator": operator,
        "operator class": operator_class,
        "operator family": family,
        "cast": cast,
        "conversion": conversion,
    }


def types(version: int) -> str:
    """Return the query for enums, domains, composite types, ranges and base types."""
    attributes = {
        "kind": "t.typtype::text",
        "owner": role("t.typowner"),
        "acl": acl("t.typacl", "T", "t.typowner"),
        "labels": "(SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid)",
        "fields": "(SELECT jsonb_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) "
        "ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 "
        "AND NOT a.attisdropped AND t.typtype = 'c')",
        "base": "CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END",
        "not_null": "t.typnotnull",
        "default": "CASE WHEN t.typtype = 'd' THEN coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault) "
        "ELSE t.typdefault END",
        "collation": "CASE WHEN t.typtype = 'd' THEN " + named("coll", "pg_collation", "t.typcollation") + " END",
        "range": "(SELECT jsonb_build_object('subtype', format_type(r.rngsubtype, NULL), 'collation', "
        + named("coll", "pg_collation", "r.rngcollation")
        + ", 'class', "
        + named("opc", "pg_opclass", "r.rngsubopc")
        + ", 'canonical', r.rngcanonical::regproc::text, 'difference', r.rngsubdiff::regproc::text) "
        "FROM pg_range r WHERE r.rngtypid = t.oid)",
        "functions": "CASE WHEN t.typtype = 'b' THEN jsonb_build_array(t.typinput::regproc::text, "
        "t.typoutput::regproc::text, t.typreceive::regproc::text, t.typsend::regproc::text) END",
    }
    return query(
        "n.nspname",
        "format('%I.%I', n.nspname, t.typname)",
        attributes,
        "pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid",
        "t.typtype IN ('b', 'c', 'd', 'e', 'r') AND (t.typrelid = 0 OR c.relkind = 'c') AND t.typisdefined "
        "AND NOT EXISTS (SELECT FROM pg_type el WHERE el.typarray = t.oid) "
        f"AND {user_schema()} AND {not_of_extension('pg_type', 't.oid')}",
    )


def collations(version: int) -> str:
    """Return the query for collations; the columns for the locale were renamed in 15 and 17."""
    row = "to_jsonb(l)"
    attributes = {
        "owner": role("l.collowner"),
        "provider": "l.collprovider::text" if version >= 100000 else "'c'",
        "locale": f"coalesce({row} ->> 'colllocale', {row} ->> 'colliculocale', {row} ->> 'collcollate')",
        "character_type": (
            f"CASE WHEN l.collprovider = 'c' THEN {row} ->> 'collctype' END"
            if version >= 100000
            else "l.collctype::text"
        ),
        "deterministic": f"coalesce(({row} ->> 'collisdeterministic')::boolean, true)",
        "rules": f"{row} ->> 'collicurules'",
        "version": f"{row} ->> 'collversion'",
    }
    return query(
        "n.nspname",
        "format('%I.%I', n.nspname, l.collname)",
        attributes,
        "pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace",
        f"{user_schema()} AND {not_of_extension('pg_collation', 'l.oid')}",
    )


def text_search() -> dict:
    """Return C({kind: query}) for text search configurations, dictionaries, parsers and templates."""
    parts = {
        "text search configuration": (
            "cfg",
            "pg_ts_config",
            {
                "owner": role("t.cfgowner"),
                "parser": named("prs", "pg_ts_parser", "t.cfgparser"),
                "mappings": "(SELECT jsonb_agg(format('%s %s %s', m.maptokentype, m.mapseqno, "
                "m.mapdict::regdictionary) ORDER BY m.maptokentype, m.mapseqno) FROM pg_ts_config_map m "
                "WHERE m.mapcfg = t.oid)",
            },
        ),
        "text search dictionary": (
            "dict",
            "pg_ts_dict",
            {
                "owner": role("t.dictowner"),
                "template": named("tmpl", "pg_ts_template", "t.dicttemplate"),
                "options": "t.dictinitoption",
            },
        ),
        "text search parser": (
            "prs",
            "pg_ts_parser",
            {"functions": "jsonb_build_array(t.prsstart::text, t.prstoken::text, t.prsend::text, t.prslextype::text)"},
        ),
        "text search template": (
            "tmpl",
            "pg_ts_template",
            {"functions": "jsonb_build_array(t.tmplinit::text, t.tmpllexize::text)"},
        ),
    }
    return {
        kind: query(
            "n.nspname",
            f"format('%I.%I', n.nspname, t.{prefix}name)",
            attributes,
            f"{catalogue} t JOIN pg_namespace n ON n.oid = t.{prefix}namespace",
            f"{user_schema()} AND {not_of_extension(catalogue, 't.oid')}",
        )
        for kind, (prefix, catalogue, attributes) in parts.items()
    }


def queries(version: int) -> dict:
    """Return C({kind: query}) for a server of I(version) (as in server_version_num)."""
    return {
        **routines(version),
        **operators(),
        "type": types(version),
        "collation": collations(version),
        **text_search(),
    }
