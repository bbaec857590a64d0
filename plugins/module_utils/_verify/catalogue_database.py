# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory queries for the database itself, schemas, extensions, foreign data, replication and privileges."""

from __future__ import annotations

from .catalogue import acl, digest, not_of_extension, query, role, user_schema


def database() -> dict:
    """Return C({kind: query}) for the current database and the settings stored for it."""
    row = "to_jsonb(d)"
    itself = query(
        "NULL",
        "'database'",
        {
            "owner": role("d.datdba"),
            "acl": acl("d.datacl", "d", "d.datdba"),
            "encoding": "pg_encoding_to_char(d.encoding)::text",
            "collate": "d.datcollate",
            "character_type": "d.datctype",
            "provider": f"coalesce({row} ->> 'datlocprovider', 'c')",
            "locale": f"coalesce({row} ->> 'datlocale', {row} ->> 'daticulocale')",
            "rules": f"{row} ->> 'daticurules'",
            "connection_limit": "d.datconnlimit",
            "tablespace": "(SELECT s.spcname FROM pg_tablespace s WHERE s.oid = d.dattablespace)",
        },
        "pg_database d",
        "d.datname = current_database()",
    )
    settings = query(
        "NULL",
        "coalesce((SELECT 'role ' || pg_get_userbyid(s.setrole)::text || ', ' WHERE s.setrole <> 0), '') "
        "|| split_part(c, '=', 1)",
        {
            "setting": "substr(c, strpos(c, '=') + 1)",
            "role": "CASE WHEN s.setrole <> 0 THEN " + role("s.setrole") + " END",
        },
        "pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c",
        "s.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())",
    )
    return {"database": itself, "database setting": settings}


def schemas_and_extensions(version: int) -> dict:
    """Return C({kind: query}) for schemas, extensions, access methods, languages and default privileges."""
    methods = {}
    if version >= 90600:  # until then nobody could make one
        methods["access method"] = query(
            "NULL",
            "quote_ident(m.amname)",
            {"handler": "m.amhandler::regproc::text", "type": "m.amtype::text"},
            "pg_am m",
            f"m.oid >= 16384 AND {not_of_extension('pg_am', 'm.oid')}",
        )
    return {
        **methods,
        "schema": query(
            "n.nspname",
            "quote_ident(n.nspname)",
            {"owner": role("n.nspowner"), "acl": acl("n.nspacl", "n", "n.nspowner")},
            "pg_namespace n",
            f"{user_schema()} AND {not_of_extension('pg_namespace', 'n.oid')}",
        ),
        "extension": query(
            "NULL",
            "quote_ident(x.extname)",
            {"schema": "n.nspname", "version": "x.extversion", "owner": role("x.extowner")},
            "pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace",
            "true",
        ),
        "language": query(
            "NULL",
            "quote_ident(l.lanname)",
            {
                "owner": role("l.lanowner"),
                "acl": acl("l.lanacl", "l", "l.lanowner"),
                "trusted": "l.lanpltrusted",
                "handler": "l.lanplcallfoid::regproc::text",
            },
            "pg_language l",
            f"l.lanispl AND {not_of_extension('pg_language', 'l.oid')}",
        ),
        "default privileges": query(
            "n.nspname",
            "format('for role %s, %s, %s', pg_get_userbyid(a.defaclrole), "
            "coalesce('schema ' || quote_ident(n.nspname), 'every schema'), a.defaclobjtype)",
            {
                "role": role("a.defaclrole"),
                "where": "coalesce('schema ' || quote_ident(n.nspname), 'every schema') || ', ' || a.defaclobjtype::text",
                "acl": acl("a.defaclacl", "", "a.defaclrole"),
            },
            "pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace",
            "true",
        ),
    }


def foreign_data(version: int) -> dict:
    """Return C({kind: query}) for foreign-data wrappers, servers and user mappings; options as digests."""
    return {
        "foreign-data wrapper": query(
            "NULL",
            "quote_ident(w.fdwname)",
            {
                "owner": role("w.fdwowner"),
                "acl": acl("w.fdwacl", "F", "w.fdwowner"),
                "handler": "w.fdwhandler::regproc::text",
                "validator": "w.fdwvalidator::regproc::text",
                "options": digest("w.fdwoptions", version),
            },
            "pg_foreign_data_wrapper w",
            not_of_extension("pg_foreign_data_wrapper", "w.oid"),
        ),
        "foreign server": query(
            "NULL",
            "quote_ident(s.srvname)",
            {
                "owner": role("s.srvowner"),
                "acl": acl("s.srvacl", "S", "s.srvowner"),
                "wrapper": "(SELECT w.fdwname FROM pg_foreign_data_wrapper w WHERE w.oid = s.srvfdw)",
                "type": "s.srvtype",
                "version": "s.srvversion",
                "options": digest("s.srvoptions", version),
            },
            "pg_foreign_server s",
            not_of_extension("pg_foreign_server", "s.oid"),
        ),
        # The view, since the table behind it is for superusers; it hides the options of mappings of others.
        "user mapping": query(
            "NULL",
            "format('%s for %s', m.srvname, m.usename)",
            {"server": "m.srvname", "role": "m.usename", "options": digest("m.umoptions", version)},
            "pg_user_mappings m",
            "true",
        ),
    }


def replication_and_events(version: int) -> dict:
    """Return C({kind: query}) for publications, subscriptions and event triggers."""
    row = "to_jsonb(p)"
    flags = {
        name: f"coalesce(({row} ->> '{name}')::boolean, false)"
        for name in ("puballtables", "pubinsert", "pubupdate", "pubdelete", "pubtruncate", "pubviaroot")
    }
    # Column numbers may differ where columns were dropped, so the lists are compared by name.
    columns = (
        "(SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass::text, (SELECT jsonb_agg(a.attname ORDER BY a.attname) "
        "FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[]))) "
        "ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prattrs IS NOT NULL)"
    )
    filters = (
        "(SELECT jsonb_agg(jsonb_build_array(r.prrelid::regclass::text, pg_get_expr(r.prqual, r.prrelid)) "
        "ORDER BY r.prrelid::regclass::text) FROM pg_publication_rel r WHERE r.prpubid = p.oid AND r.prqual IS NOT NULL)"
    )
    parts = {"columns": columns, "filters": filters} if version >= 150000 else {}
    if version >= 180000:
        parts["generated_columns"] = "p.pubgencols::text"
    tables = (
        "(SELECT coalesce(jsonb_agg(r.prrelid::regclass::text ORDER BY r.prrelid::regclass::text), '[]'::jsonb) "
        "FROM pg_publication_rel r WHERE r.prpubid = p.oid)"
    )
    schemas = (
        "(SELECT coalesce(jsonb_agg(r.pnnspid::regnamespace::text ORDER BY 1), '[]'::jsonb) "
        "FROM pg_publication_namespace r WHERE r.pnpubid = p.oid)".replace(
            "ORDER BY 1", "ORDER BY r.pnnspid::regnamespace::text"
        )
        if version >= 150000
        else "'[]'::jsonb"
    )
    replication = {
        "publication": query(
            "NULL",
            "quote_ident(p.pubname)",
            {"owner": role("p.pubowner"), **flags, "tables": tables, "schemas": schemas, **parts},
            "pg_publication p",
            "p.pubname !~ '^azpg_migrate'",
        ),
        "subscription": query(
            "NULL",
            "quote_ident(s.subname)",
            {"owner": role("s.subowner"), "enabled": "s.subenabled", "publications": "to_jsonb(s.subpublications)"},
            "pg_subscription s JOIN pg_database d ON d.oid = s.subdbid",
            "d.datname = current_database() AND s.subname !~ '^azpg_migrate'",
        ),
    }
    return {
        **(replication if version >= 100000 else {}),
        "event trigger": query(
            "NULL",
            "quote_ident(t.evtname)",
            {
                "owner": role("t.evtowner"),
                "event": "t.evtevent",
                "function": "t.evtfoid::regproc::text",
                "enabled": "t.evtenabled::text",
                "tags": "to_jsonb(t.evttags)",
            },
            "pg_event_trigger t",
            not_of_extension("pg_event_trigger", "t.oid"),
        ),
    }


def comments_and_labels() -> dict:
    """Return C({kind: query}) for comments and security labels on every kind of object, the database included."""

    def told(catalogue: str, text: str, extra: str = "") -> str:
        # 16384: what initdb made has comments of its own, but people do comment on the schema public (2200).
        return query(
            "o.schema",
            f"o.type || ' ' || o.identity {extra}",
            {"text": text},
            f"{catalogue} d CROSS JOIN LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) o",
            "(d.objoid >= 16384 OR (d.objoid = 2200 AND d.classoid = 'pg_namespace'::regclass)) "
            "AND o.type IS NOT NULL AND coalesce(o.schema, '') !~ '^pg_' "
            "AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid "
            "AND e.deptype = 'e') AND o.type <> 'extension'",
        )

    return {
        "comment": told("pg_description", "d.description")
        + "\nUNION ALL SELECT NULL, 'database', jsonb_build_object('text', d.description) FROM pg_shdescription d "
        "WHERE d.classoid = 'pg_database'::regclass "
        "AND d.objoid = (SELECT b.oid FROM pg_database b WHERE b.datname = current_database())",
        "security label": told("pg_seclabel", "d.label", "|| ' by ' || d.provider"),
    }


def queries(version: int) -> dict:
    """Return C({kind: query}) for a server of I(version) (as in server_version_num)."""
    return {
        **database(),
        **schemas_and_extensions(version),
        **foreign_data(version),
        **replication_and_events(version),
        **comments_and_labels(),
    }
