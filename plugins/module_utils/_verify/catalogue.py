# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts that the catalogue queries of the inventory share.

Every query returns the columns C(schema) (or NULL), C(identity) and C(attributes) (jsonb). Identities and attributes
hold names, never object identifiers, which differ between any two servers. They run with an empty search path, so that
the server prints every name qualified and unqualified names here mean the system catalogue.
"""

from __future__ import annotations


def acl(column: str, kind: str, owner: str) -> str:
    """Return SQL for an access list as jsonb: C([[grantee, privilege, grantable], ...]).

    The owner is written as an empty name, so that lists of objects whose owner has another name compare; an absent
    list is filled in with the built-in default of objects of I(kind) (a letter of acldefault()).
    """
    items = f"coalesce({column}, acldefault('{kind}'::\"char\", {owner}))" if kind else column
    return (
        "(SELECT coalesce(jsonb_agg(jsonb_build_array(CASE WHEN granted.grantee = 0 THEN 'PUBLIC' "
        f"WHEN granted.grantee = {owner} THEN '' ELSE pg_get_userbyid(granted.grantee)::text END, granted.privilege_type, "
        f"granted.is_grantable)), '[]'::jsonb) FROM aclexplode({items}) granted)"
    )


def role(column: str) -> str:
    """Return SQL for the name of the role with the identifier I(column)."""
    return f"pg_get_userbyid({column})::text"


def not_of_extension(catalogue: str, identifier: str) -> str:
    """Return a condition that leaves out what belongs to an extension, which is compared as a whole."""
    return (
        f"NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalogue}'::regclass "
        f"AND e.objid = {identifier} AND e.deptype = 'e')"
    )


def user_schema(alias: str = "n") -> str:
    """Return a condition that leaves out the system's own schemas; C(pg_) is reserved for them."""
    return f"{alias}.nspname !~ '^pg_' AND {alias}.nspname <> 'information_schema'"


def query(schema: str, identity: str, attributes: dict, tables: str, condition: str) -> str:
    """Put an inventory query together; I(attributes) maps names to SQL expressions."""
    # jsonb_build_object takes at most 100 arguments; the longest list here has 30 attributes.
    pairs = ", ".join(f"'{name}', {expression}" for name, expression in attributes.items())
    return (
        f"SELECT {schema} AS schema, {identity} AS identity, jsonb_build_object({pairs}) AS attributes\n"
        f"FROM {tables}\nWHERE {condition}"
    )


def digest(column: str, version: int) -> str:
    """Return SQL for a digest of options, which may hold addresses or secrets that no report should show.

    Before 11 servers compute none that every server knows; the text comes over, and M(inventory.read_inventory) hashes it.
    """
    return f"encode(sha256(convert_to({column}::text, 'UTF8')), 'hex')" if version >= 110000 else f"{column}::text"
