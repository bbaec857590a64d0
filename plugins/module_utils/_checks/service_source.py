# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what Azure's service asks of the source's server, and what it refuses of a source database."""

from __future__ import annotations

import ipaddress

from .._core.units import count_of
from .._postgres.quoting import quote_identifier, quote_literal
from .catalogue import EXTENSIONS, USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .kinds import source_kind
from .rule import APPLICATION, AZURE, HOST_CAN, NAMED, OPERATOR, Rule, blind, fine, listed, violated
from .versions import READ_ONLY
from .way import host_of, mode_of, resolved

# Kinds whose address the service takes as a number only.
NUMBERED = ("GCP_CloudSQL", "GCP_AlloyDB")

# Rights that others than owner and public have on what only a superuser may look at.
CATALOG_GRANTS = """
SELECT n.nspname || '.' || c.relname AS relation, a.privilege_type::text AS privilege,
       pg_catalog.pg_get_userbyid(a.grantee)::text AS grantee
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, pg_catalog.aclexplode(c.relacl) a
WHERE n.nspname = 'pg_catalog' AND c.relname IN (
  'pg_authid', 'pg_largeobject', 'pg_statistic', 'pg_subscription', 'pg_user_mapping', 'pg_config', 'pg_file_settings',
  'pg_hba_file_rules', 'pg_replication_origin_status', 'pg_shadow', 'pg_pltemplate')
AND a.grantee <> c.relowner AND a.grantee <> 0 AND pg_catalog.pg_get_userbyid(a.grantee) !~ '^(pg_|azure_superuser|azuresu)'
ORDER BY 1, 3, 2
"""

USER_COLLATIONS = f"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.collname) AS name
FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
WHERE c.oid >= 16384 AND {USER_SCHEMA} AND {not_of_extension("pg_collation", "c.oid")} ORDER BY 1
"""

USER_CASTS = f"""
SELECT pg_catalog.format('(%s AS %s)', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)) AS name,
       c.castmethod = 'b' AS superuser
FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND {not_of_extension("pg_cast", "c.oid")} ORDER BY 1
"""


def languages_in_use(major: int) -> str:
    """Return the query for languages that flexible server lacks; I(major) is the source's.

    Aggregates count as functions of the language internal, whatever they are made of. Functions that make up a base type
    go with it, and that type has a rule of its own.
    """
    function = "p.prokind <> 'a'" if major >= 11 else "NOT p.proisagg"
    return f"""
SELECT l.lanname::text AS name, pg_catalog.count(p.oid) AS functions, l.oid < 16384 AS built_in
FROM pg_catalog.pg_language l
LEFT JOIN pg_catalog.pg_proc p ON p.prolang = l.oid AND p.oid >= 16384 AND {function} AND {not_of_extension("pg_proc", "p.oid")}
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type t
                   WHERE p.oid IN (t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze))
WHERE l.lanname NOT IN ('sql', 'plpgsql', 'plv8') AND {not_of_extension("pg_language", "l.oid")}
GROUP BY l.lanname, l.oid HAVING pg_catalog.count(p.oid) > 0 OR l.oid >= 16384 ORDER BY 1
"""


# Roles of Microsoft Entra ID: members of Single Server's groups, or labelled by flexible server's extension.
ENTRA_ROLES = """
SELECT r.rolname::text AS name FROM pg_catalog.pg_roles r
WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
               WHERE m.member = r.oid AND g.rolname IN ('azure_ad_user', 'azure_ad_admin', 'azure_ad_mfa'))
   OR EXISTS (SELECT 1 FROM pg_catalog.pg_shseclabel l
               WHERE l.objoid = r.oid AND l.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND l.provider = 'pgaadauth')
ORDER BY 1
"""


def address(context: Context):
    """The service can be told the address, and it is one of IPv4."""
    host, name = host_of(context, SOURCE), context.address(SOURCE)
    if not host:
        yield blind(
            name, "which host is meant is not to be seen in 'source.host'", remedy="Write one host into 'source.host'."
        )
        return
    found = resolved(context, SOURCE)
    kind = source_kind(context)
    if all(ipaddress.ip_address(one.partition("%")[0]).version == 6 for one in found):
        yield violated(name, f"{host} has addresses of IPv6 only: {listed(found)}; the service knows IPv4 only")
    elif kind.value in NUMBERED and not is_number(host):
        yield violated(
            name,
            f"{host} is a name; of {kind.label} the service takes nothing but an IP address",
            remedy=f"Set 'source.host: {found[0]}'. {HOST_CAN}",
        )
    else:
        yield fine(name, listed(found))


def is_number(host: str) -> bool:
    """Tell whether the host is written as an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def private_to_public(context: Context):
    """The service does not go from a private source to a target with public access."""
    hosts = {side: host_of(context, side) for side in (SOURCE, TARGET)}
    if not all(hosts.values()):
        yield blind("source and target", "which hosts are meant is not to be seen in 'source.host' and 'target.host'")
        return
    found = {side: [ipaddress.ip_address(one.partition("%")[0]) for one in resolved(context, side)] for side in hosts}
    words = f"source {listed(map(str, found[SOURCE]))}, target {listed(map(str, found[TARGET]))}"
    if all(one.is_private for one in found[SOURCE]) and not any(one.is_private for one in found[TARGET]):
        yield violated(
            "source and target",
            f"a private source and a target that is reached by a public address: {words}; the service refuses this pair",
        )
    else:
        yield fine("source and target", words)


def encryption_mode(context: Context):
    """The service encrypts when it is told Require; it verifies no certificate."""
    mode = mode_of(context, SOURCE)
    name = context.address(SOURCE)
    if mode in ("disable", "allow"):
        yield violated(
            name, f"sslmode={mode}, which the service does not have: it prefers TLS (Prefer) or insists on it (Require)"
        )
    elif mode.startswith("verify"):
        yield fine(name, f"sslmode={mode} here; the service is told Require, and verifies no certificate")
    else:
        yield fine(name, f"sslmode={mode}; the service is told {mode.capitalize()}")


def read_only(context: Context):
    """No default keeps the migration user from writing to the source."""
    known = context.databases(SOURCE)
    existing = [name for name in context.request.databases if known.get(name, {}).get("can_connect")]
    for database in dict.fromkeys((context.server(SOURCE).database, *existing)):
        if context.rows(SOURCE, database, READ_ONLY)[0]["reset_val"] == "on":
            yield violated(database, f"default_transaction_read_only is on for user {context.user(SOURCE)}")


def catalog_grants(context: Context, database: str):
    """Nobody was given rights on what only superusers may see."""
    rows = context.rows(SOURCE, database, CATALOG_GRANTS)
    if rows:
        named = listed(f"{row['privilege']} on {row['relation']} for {row['grantee']}" for row in rows)
        revokes = " ".join(
            f"REVOKE {row['privilege']} ON {row['relation']} FROM {quote_identifier(row['grantee'])};"
            for row in rows[:NAMED]
        )
        yield violated(
            database,
            f"rights on system catalogs: {named}",
            remedy=f"As a superuser, in the source's database {database}: {revokes}",
        )


def owner(context: Context, database: str):
    """The migration user is the database's owner, or a member of the role that is."""
    row = context.databases(SOURCE)[database]
    if row["owned"]:
        yield fine(database, f"user {context.user(SOURCE)} has the rights of the owner {row['owner']}")
        return
    user = quote_identifier(context.user(SOURCE))
    yield violated(
        database,
        f"the database belongs to {row['owner']}, and user {context.user(SOURCE)} is no member of that role",
        remedy=f"On the source: GRANT {quote_identifier(row['owner'])} TO {user}; or ALTER DATABASE {quote_identifier(database)} OWNER "
        f"TO {user}; Or migrate with 'provider: host', to which reading is enough.",
    )


def system_schema_extensions(context: Context, database: str):
    """No extension lives in a system schema."""
    rows = [
        row
        for row in context.cached_rows(SOURCE, database, EXTENSIONS)
        if row["schema"] in ("pg_catalog", "information_schema")
    ]
    if rows:
        names = listed(f"{row['name']} in {row['schema']}" for row in rows)
        again = " ".join(
            f"DROP EXTENSION {quote_identifier(row['name'])}; CREATE EXTENSION {quote_identifier(row['name'])} SCHEMA public;"
            for row in rows
        )
        yield violated(
            database, f"extensions in a system schema: {names}", remedy=f"In the source's database {database}: {again}"
        )


def user_collations(context: Context, database: str):
    """No collation was made by a user."""
    names = [row["name"] for row in context.rows(SOURCE, database, USER_COLLATIONS)]
    if names:
        drops = " ".join(f"DROP COLLATION {name};" for name in names[:NAMED])
        yield violated(
            database,
            f"{count_of(len(names), 'user-defined collation')}: {listed(names)}",
            remedy=f"In the source's database {database}, once nothing uses them: {drops} {HOST_CAN}",
        )


def user_casts(context: Context, database: str):
    """No cast was made by a user."""
    rows = context.rows(SOURCE, database, USER_CASTS)
    if rows:
        drops = " ".join(f"DROP CAST {row['name']};" for row in rows[:NAMED])
        more = "" if any(row["superuser"] for row in rows) else f" {HOST_CAN}"
        yield violated(
            database,
            f"{count_of(len(rows), 'user-defined cast')}: {listed(row['name'] for row in rows)}",
            remedy=f"In the source's database {database}: {drops} Create them on the target afterwards.{more}",
        )


def languages(context: Context, database: str):
    """No function is written in a language that flexible server does not have."""
    rows = context.rows(SOURCE, database, languages_in_use(context.major(SOURCE)))
    if rows:
        names = listed(f"{row['name']} ({count_of(row['functions'], 'function')})" for row in rows)
        drops = " ".join(
            f"DROP LANGUAGE {quote_identifier(row['name'])} CASCADE;" for row in rows if not row["built_in"]
        )
        yield violated(
            database,
            f"languages that flexible server does not have: {names}",
            remedy=f"Write the functions anew in sql, plpgsql or plv8, then in the source's database {database}: "
            f"{drops or 'DROP FUNCTION what is not needed.'}",
        )


def entra_roles(context: Context):
    """Roles of Microsoft Entra ID exist on the target already."""
    names = [row["name"] for row in context.server(SOURCE).rows(ENTRA_ROLES)]
    known = context.roles(TARGET)
    mapped = dict(context.request.role_map)
    missing = [name for name in names if mapped.get(name, name) not in known]
    if missing:
        creates = " ".join(
            f"SELECT * FROM pgaadauth_create_principal({quote_literal(name)}, false, false);"
            for name in missing[:NAMED]
        )
        yield violated(
            context.address(TARGET),
            f"{count_of(len(missing), 'role')} of Microsoft Entra ID missing on the target: {listed(missing)}",
            severity="failed" if context.by_service else "warning",
            remedy=f"As a Microsoft Entra administrator of the target, in its database postgres: {creates}",
        )


SERVICE = "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/"
CODES = f"{SERVICE}troubleshoot-error-codes"


def server_rule(**words) -> Rule:
    """Return a rule of the service about the source's server."""
    return Rule(**{"level": "server", "side": SOURCE, "providers": AZURE, "needs": ("source-reachable",), **words})


def database_rule(**words) -> Rule:
    """Return a rule of the service about a source database."""
    return Rule(
        **{
            "level": "database",
            "side": SOURCE,
            "providers": AZURE,
            "needs": ("source-database-reachable",),
            "each_database": True,
            "documentation": CODES,
            **words,
        }
    )


RULES = (
    server_rule(
        id="service-source-address",
        title="The service can be told the source's address",
        level="network",
        look=address,
        expected="one host with an address of IPv4; of Cloud SQL and AlloyDB an IP address",
        remedy=f"Give the source an address of IPv4. {HOST_CAN}",
        documentation=f"{SERVICE}concepts-known-issues-migration-service",
        code="603000",
    ),
    server_rule(
        id="service-private-to-public",
        title="The pair of networks is one that the service goes between",
        level="network",
        side="both",
        look=private_to_public,
        expected="a public source, or a target in a virtual network or behind a private endpoint",
        remedy="Give the target a private endpoint (and the migration a runtime server), or use a target in a virtual network. "
        f"{HOST_CAN}",
        documentation=f"{SERVICE}how-to-network-setup-migration-service",
        severity="warning",
        needs=("source-reachable", "target-reachable"),
    ),
    server_rule(
        id="service-ssl-mode",
        who=OPERATOR,
        title="The service knows the source's sslmode",
        level="network",
        look=encryption_mode,
        expected="prefer or require; what the service verifies less than libpq is said",
        remedy="Set 'source.sslmode: prefer' or 'require'.",
        documentation=CODES,
        severity="warning",
    ),
    server_rule(
        id="source-read-only",
        title="The source takes writes of the migration user",
        look=read_only,
        expected="default_transaction_read_only = off for the migration user",
        remedy="On the source: ALTER SYSTEM SET default_transaction_read_only = off; SELECT pg_reload_conf(); or reset it where it "
        "was set: ALTER DATABASE ... RESET default_transaction_read_only; ALTER ROLE ... RESET the same. Stop the application by "
        "taking its CONNECT away instead. Or migrate with 'provider: host', to which reading is enough.",
        documentation=CODES,
        clean="default_transaction_read_only is off",
        code="603112",
        needs=("source-reachable", "source-database-reachable"),
    ),
    server_rule(
        id="entra-roles",
        title="Roles of Microsoft Entra ID exist on the target",
        side=TARGET,
        look=entra_roles,
        expected="every Microsoft Entra role of the source on the target, made beforehand",
        remedy="SELECT * FROM pgaadauth_create_principal(...) on the target.",
        documentation=f"{SERVICE}concepts-user-roles-migration-service",
        clean="no Microsoft Entra role is missing on the target",
        code="603103",
        providers=("azure", "host"),
        needs=("source-reachable", "target-reachable"),
    ),
    database_rule(
        id="service-database-owner",
        title="The migration user has the rights of the database's owner",
        look=owner,
        expected="the owner of the database, or a member of it",
        remedy="GRANT the owner TO the migration user.",
        code="603110",
    ),
    database_rule(
        id="service-catalog-grants",
        title="Nobody has rights on protected system catalogs",
        look=catalog_grants,
        expected="no rights on pg_authid, pg_shadow and their like",
        remedy="REVOKE them in every database.",
        documentation=f"{SERVICE}concepts-user-roles-migration-service",
        clean="no rights on protected system catalogs",
        code="603410",
    ),
    database_rule(
        id="service-system-schema-extensions",
        title="No extension lives in a system schema",
        look=system_schema_extensions,
        expected="extensions in schemas of users",
        remedy="Drop the extension and create it in another schema.",
        clean="no extension in a system schema",
        code="603407",
    ),
    database_rule(
        id="service-user-collations",
        who=APPLICATION,
        title="No user-defined collation",
        look=user_collations,
        expected="collations that come with the server",
        remedy=f"DROP COLLATION on the source. {HOST_CAN}",
        clean="no user-defined collation",
        code="603403",
    ),
    database_rule(
        id="service-user-casts",
        who=APPLICATION,
        title="No user-defined cast",
        look=user_casts,
        expected="casts that come with the server or with extensions",
        remedy=f"DROP CAST on the source. {HOST_CAN}",
        clean="no user-defined cast",
        code="603409",
    ),
    database_rule(
        id="service-languages",
        who=APPLICATION,
        title="No function in a language that flexible server lacks",
        look=languages,
        expected="functions in sql, plpgsql and plv8",
        remedy="DROP LANGUAGE ... CASCADE on the source.",
        clean="every function is in sql, plpgsql or plv8",
        code="603413",
    ),
)
