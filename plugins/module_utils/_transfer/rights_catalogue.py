# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what in a database and who may do what with it, read alike from servers of any version."""

from __future__ import annotations

from dataclasses import dataclass

from .._postgres.connection import rows

# Kinds whose owner can be changed, and that may have privileges (then with acldefault's letter).
KINDS = (
    ("pg_namespace", "t.nspname !~ '^pg_' AND t.nspname <> 'information_schema'", "nspowner", "nspacl", "n"),
    ("pg_class", "t.relkind IN ('r', 'p', 'v', 'm', 'f')", "relowner", "relacl", "r"),
    ("pg_class", "t.relkind = 'S'", "relowner", "relacl", "s"),
    ("pg_proc", "true", "proowner", "proacl", "f"),
    (
        "pg_type",
        "t.typtype IN ('b', 'd', 'e', 'r', 'c') AND t.typcategory <> 'A' AND (t.typrelid = 0 OR EXISTS"
        " (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))",
        "typowner", "typacl", "T",
    ),
    ("pg_language", "t.lanispl", "lanowner", "lanacl", "l"),
    ("pg_foreign_data_wrapper", "true", "fdwowner", "fdwacl", "F"),
    ("pg_foreign_server", "true", "srvowner", "srvacl", "S"),
    ("pg_operator", "true", "oprowner", None, ""),
    ("pg_opclass", "true", "opcowner", None, ""),
    ("pg_opfamily", "true", "opfowner", None, ""),
    ("pg_conversion", "true", "conowner", None, ""),
    ("pg_collation", "true", "collowner", None, ""),
    ("pg_ts_dict", "true", "dictowner", None, ""),
    ("pg_ts_config", "true", "cfgowner", None, ""),
    ("pg_statistic_ext", "true", "stxowner", None, ""),
    ("pg_publication", "true", "pubowner", None, ""),
    ("pg_event_trigger", "true", "evtowner", None, ""),
)  # fmt: skip
SINCE = {"pg_statistic_ext": 100000, "pg_publication": 100000}
FIRST_USER_OID = 16384
OBJECTS = """
SELECT i.type, i.schema, i.identity, '' AS "column", pg_catalog.pg_get_userbyid(t.{owner}) AS owner, {acl} AS acl,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = '{catalogue}'::pg_catalog.regclass AND d.objid = t.oid
                  AND d.objsubid = 0 AND d.deptype = 'e') AS of_extension,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = '{catalogue}'::pg_catalog.regclass AND d.objid = t.oid
                  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
                  AND '{letter}' = 's') AS of_table
  FROM pg_catalog.{catalogue} t,
       LATERAL pg_catalog.pg_identify_object('{catalogue}'::pg_catalog.regclass, t.oid, 0) i
 WHERE (t.oid >= {first} OR i.identity = 'public') AND {condition}
   AND COALESCE(i.schema, '') !~ '^(pg_|information_schema$)'
"""
ACL = """
(SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
          CASE WHEN a.grantor = t.{owner} THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantor) END,
          CASE WHEN a.grantee = t.{owner} THEN '' WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
          a.privilege_type, a.is_grantable))
   FROM pg_catalog.aclexplode(COALESCE(t.{acl}, pg_catalog.acldefault('{letter}', t.{owner}))) a)
"""
COLUMNS = """
SELECT 'table column' AS type, n.nspname AS schema, i.identity, a.attname AS "column",
       pg_catalog.pg_get_userbyid(t.relowner) AS owner,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
          CASE WHEN x.grantor = t.relowner THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantor) END,
          CASE WHEN x.grantee = t.relowner THEN '' WHEN x.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(x.grantee) END,
          x.privilege_type, x.is_grantable)) FROM pg_catalog.aclexplode(a.attacl) x) AS acl,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid = t.oid AND d.objsubid = 0 AND d.deptype = 'e') AS of_extension, true AS of_table
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class t ON t.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace,
       LATERAL pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, t.oid, 0) i
 WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND t.oid >= 16384 AND n.nspname !~ '^(pg_|information_schema$)'
"""
LARGE_OBJECTS = """
SELECT 'large object' AS type, NULL AS schema, t.oid::text AS identity, '' AS "column",
       pg_catalog.pg_get_userbyid(t.lomowner) AS owner, {acl} AS acl, false AS of_extension, false AS of_table
  FROM pg_catalog.pg_largeobject_metadata t
"""
DATABASE = """
SELECT 'database' AS type, NULL AS schema, pg_catalog.quote_ident(t.datname) AS identity, '' AS "column",
       pg_catalog.pg_get_userbyid(t.datdba) AS owner, {acl} AS acl, false AS of_extension, false AS of_table
  FROM pg_catalog.pg_database t WHERE t.datname = pg_catalog.current_database()
"""
DEFAULTS = """
SELECT pg_catalog.pg_get_userbyid(t.defaclrole) AS role, n.nspname AS schema, t.defaclobjtype::text AS letter,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(NULL,
          CASE WHEN a.grantee = t.defaclrole THEN '' WHEN a.grantee = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END,
          a.privilege_type, a.is_grantable)) FROM pg_catalog.aclexplode(t.defaclacl) a) AS acl
  FROM pg_catalog.pg_default_acl t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.defaclnamespace
"""
SETTINGS = """
SELECT CASE WHEN s.setrole = 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(s.setrole) END AS role, s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
 WHERE s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
"""


@dataclass(frozen=True)
class Item:
    """An object, or a column of one: C((type, identity, column)) is the same on every server.

    I(acl) is C({(grantor, grantee, privilege, grantable)}); grantor None and grantee '' are the owner, grantee None is
    everybody. I(of_table) says that its owner follows that of a table, I(of_extension) that an extension brought it.
    """

    type: str
    schema: str | None
    identity: str
    column: str
    owner: str
    acl: frozenset
    of_extension: bool
    of_table: bool

    @property
    def key(self) -> tuple:
        """What it is called on every server."""
        return (self.type, self.identity, self.column)


def read_rights(session) -> dict:
    """Return the items of the current database as C({key: Item}).

    The session's search path has to be empty, so that names come out in full.
    """
    found: dict = {}
    for catalogue, condition, owner, acl, letter in KINDS:
        if session.server_version < SINCE.get(catalogue, 0):
            continue
        words = {
            "catalogue": catalogue,
            "condition": condition,
            "owner": owner,
            "letter": letter,
            "first": FIRST_USER_OID,
        }
        words["acl"] = ACL.format(owner=owner, acl=acl, letter=letter) if acl else "NULL::pg_catalog.json"
        add(found, rows(session, OBJECTS.format(**words)))
    add(found, rows(session, COLUMNS))
    add(found, rows(session, LARGE_OBJECTS.format(acl=ACL.format(owner="lomowner", acl="lomacl", letter="L"))))
    add(found, rows(session, DATABASE.format(acl=ACL.format(owner="datdba", acl="datacl", letter="d"))))
    return found


def add(found: dict, read: list) -> None:
    """Add rows as items."""
    for row in read:
        item = Item(**{**row, "acl": frozenset(tuple(entry) for entry in row["acl"] or ())})
        found[item.key] = item


def read_defaults(session) -> dict:
    """Return the default privileges of the current database as C({(role, schema or None, letter): acl})."""
    return {
        (row["role"], row["schema"], row["letter"]): frozenset(tuple(entry) for entry in row["acl"] or ())
        for row in rows(session, DEFAULTS)
    }


def read_settings(session) -> dict:
    """Return the settings of the current database as C({role or None: {parameter: value}})."""
    return {
        row["role"]: dict(setting.partition("=")[::2] for setting in row["settings"] or ())
        for row in rows(session, SETTINGS)
    }
