# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory queries for the system's own objects and those that extensions brought, as far as people changed them.

Such objects are compared as a whole, by the version of server or extension. But people grant rights on them, on the
schema of a scheduler or on a function that reads statistics, and a dump carries what differs from the rights that the
object came with. And some put functions of their own into the system's schema, which no dump carries.
"""

from __future__ import annotations

from .catalogue import digest, not_of_extension, query, user_schema

PRIVILEGE, FUNCTION = "system privilege", "function among the system's"

ROUTINE = "format('%I.%I(%s)', n.nspname, o.proname, oidvectortypes(o.proargtypes))"

#: Catalogue: prefix of its columns, letter of acldefault(), type and name of the object for the reader, which of them
#: people made, if they belong to no extension.
IN_SCHEMAS = {
    "pg_class": (
        "rel",
        "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END",
        "relation",
        "format('%I.%I', n.nspname, o.relname)",
    ),
    "pg_proc": ("pro", "'f'", "function", ROUTINE),
    "pg_type": ("typ", "'T'", "type", "format('%I.%I', n.nspname, o.typname)"),
}
WITHOUT_SCHEMAS = {
    "pg_namespace": ("nsp", "'n'", "schema", "quote_ident(o.nspname)", user_schema("o")),
    "pg_language": ("lan", "'l'", "language", "quote_ident(o.lanname)", "o.lanispl"),
    "pg_foreign_data_wrapper": ("fdw", "'F'", "foreign-data wrapper", "quote_ident(o.fdwname)", "true"),
}


def _only(left: str, right: str, word: str, owner: str) -> str:
    """Return SQL for the rights that are in one list and not in the other, as C(catalogue.acl) writes them."""
    grantee = "CASE WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(granted.grantee)::text END"
    columns = "SELECT grantee, privilege_type, is_grantable FROM aclexplode"
    return (
        f"(SELECT coalesce(jsonb_agg(jsonb_build_array({grantee}, granted.privilege_type || '{word}', granted.is_grantable)), "
        f"'[]'::jsonb) FROM ({columns}({left}) EXCEPT {columns}({right})) granted WHERE granted.grantee <> {owner})"
    )


def _privileges(catalogue: str, prefix: str, letter: str, what: str, name: str, made: str, schema: str = "") -> str:
    """Return the query for one catalogue; the arguments are those of the tables above."""
    owner = f"o.{prefix}owner"
    default = f'acldefault({letter}::"char", {owner})'
    came_with, now = f"coalesce(i.initprivs, {default})", f"coalesce(o.{prefix}acl, {default})"
    changed = f"{_only(now, came_with, '', owner)} || {_only(came_with, now, ' taken away', owner)}"
    return (
        f"SELECT NULL AS schema, '{what} ' || {name} AS identity, jsonb_build_object('acl', d.acl) AS attributes\n"
        f"FROM {catalogue} o {schema} LEFT JOIN pg_init_privs i ON i.classoid = '{catalogue}'::regclass "
        f"AND i.objoid = o.oid AND i.objsubid = 0 CROSS JOIN LATERAL (SELECT {changed} AS acl) d\n"
        f"WHERE (o.{prefix}acl IS NOT NULL OR i.initprivs IS NOT NULL) "
        f"AND NOT ({made} AND {not_of_extension(catalogue, 'o.oid')}) AND jsonb_array_length(d.acl) > 0"
    )


def queries(version: int) -> dict:
    """Return C({kind: query}) for a server of I(version) (as in server_version_num); 9.6 began to keep what it came with."""
    function = query(
        "NULL",
        ROUTINE,
        {"result": "pg_get_function_result(o.oid)", "body": digest("o.prosrc", version)},
        "pg_proc o JOIN pg_namespace n ON n.oid = o.pronamespace",
        f"n.nspname = 'pg_catalog' AND o.oid >= 16384 AND {not_of_extension('pg_proc', 'o.oid')}",
    )
    if version < 90600:
        return {FUNCTION: function}
    # Nobody grants rights on what is temporary, or lies outside tables.
    made = f"({user_schema()} OR n.nspname ~ '^pg_(toast|temp)')"
    parts = [_privileges(catalogue, *words) for catalogue, words in WITHOUT_SCHEMAS.items()]
    for catalogue, words in IN_SCHEMAS.items():
        schema = f"JOIN pg_namespace n ON n.oid = o.{words[0]}namespace"
        parts.append(_privileges(catalogue, *words, made, schema))
    return {FUNCTION: function, PRIVILEGE: "\nUNION ALL\n".join(parts)}
