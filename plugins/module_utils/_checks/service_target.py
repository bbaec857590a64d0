# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what Azure's service asks of the target, its user and its settings, as SQL shows them."""

from __future__ import annotations

from .._core.units import count_of
from .._postgres.quoting import quote_identifier
from .catalogue import EXTENSIONS
from .context import SOURCE, TARGET, Context
from .rule import AZURE, ONLINE, Rule, fine, listed, violated

ADMINISTRATORS = "azure_pg_admin"
SEEING = ("pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")
# The target user's own memberships; from 16 on, who makes a role becomes a member that gains nothing by it.
MEMBERSHIPS = """
SELECT r.rolname::text AS name FROM pg_catalog.pg_auth_members m
JOIN pg_catalog.pg_roles r ON r.oid = m.roleid JOIN pg_catalog.pg_roles u ON u.oid = m.member
WHERE u.rolname = current_user {only} ORDER BY 1
"""
PUBLIC_SCHEMA = """
SELECT pg_catalog.pg_get_userbyid(n.nspowner)::text AS owner, pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS owned
FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'
"""
# Who owns a database has this role there.
OWNER_OF_DATABASE = "pg_database_owner"
SET_PARAMETER = "az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name {name} --value {value}"


def parameter(name: str, value) -> str:
    """Return the command that sets a parameter of the target."""
    return SET_PARAMETER.format(name=name, value=value)


def setting(context: Context, name: str) -> str | None:
    """Return a setting of the target, None when it does not know it (or the user may not see it)."""
    return context.cached(
        ("target setting", name),
        lambda: context.server(TARGET).value("SELECT pg_catalog.current_setting(%s, true)", (name,)),
    )


def administrator(context: Context):
    """The target's user is an administrator of the flexible server."""
    role = context.roles(TARGET).get(ADMINISTRATORS)
    user, address = context.user(TARGET), context.address(TARGET)
    if role is None:
        yield violated(
            address,
            f"the target has no role {ADMINISTRATORS}, so it is no flexible server",
            remedy="Name a flexible server in 'target'. Or migrate with 'provider: host', to any PostgreSQL.",
        )
    elif not role["member"]:
        yield violated(
            address,
            f"user {user} is no member of {ADMINISTRATORS}",
            remedy=f"On the target, as its administrator: GRANT {ADMINISTRATORS} TO {quote_identifier(user)};",
        )
    else:
        yield fine(address, f"user {user} is a member of {ADMINISTRATORS}")


def seeing(context: Context):
    """The target's user may see settings and sessions."""
    roles = context.roles(TARGET)
    lacking = [name for name in SEEING if name in roles and not roles[name]["member"]]
    if lacking and not context.is_superuser(TARGET):
        yield violated(
            context.address(TARGET),
            f"user {context.user(TARGET)} is no member of {listed(lacking)}",
            remedy=f"On the target: GRANT {', '.join(lacking)} TO {quote_identifier(context.user(TARGET))};",
        )


def memberships(context: Context):
    """The target's user has no memberships that the service would trip over when it tidies up."""
    only = "AND (m.inherit_option OR m.set_option)" if context.major(TARGET) >= 16 else ""
    names = [row["name"] for row in context.server(TARGET).rows(MEMBERSHIPS.format(only=only))]
    # Owners of what is moved or replaced, and what Azure or PostgreSQL itself brings.
    owners = {row["owner"] for row in context.databases(TARGET).values()}
    known = owners.union(context.roles(SOURCE), dict(context.request.role_map).values())
    more = [name for name in names if name not in known and not name.startswith(("pg_", "azure"))]
    if more:
        user = quote_identifier(context.user(TARGET))
        yield violated(
            context.address(TARGET),
            f"user {context.user(TARGET)} is a member of {listed(more)}, which the source does not know",
            remedy=f"On the target, for the time of the migration: REVOKE {', '.join(map(quote_identifier, more))} FROM {user};",
        )


def public_schema(context: Context, database: str):
    """The service can hand the schema public to the administrators, as flexible server wants it."""
    there = context.on_target(database) and database not in context.overwrite
    # A database that is yet to be made will be like the one where sessions begin.
    session = context.session(TARGET, database) if there else context.server(TARGET)
    rows = session.rows(PUBLIC_SCHEMA)
    if not rows:
        yield fine(database, "no schema public")
        return
    (row,) = rows
    where = f"in database {session.database} of the target, schema public belongs to {row['owner']}"
    if row["owner"] in (ADMINISTRATORS, *(() if there else (OWNER_OF_DATABASE,))) or row["owned"]:
        yield fine(database, where)
        return
    yield violated(
        database,
        f"{where}, and user {context.user(TARGET)} is no member of that role",
        remedy=f"On the target, in database {session.database}{'' if there else ' and in template1'}, as its owner: "
        f"ALTER SCHEMA public OWNER TO {ADMINISTRATORS};",
    )


def overwritten(context: Context, database: str) -> dict | None:
    """Return the target's database that the service is told to replace, or None."""
    return context.databases(TARGET).get(database) if database in context.overwrite else None


def droppable(context: Context, database: str):
    """A database that is to be replaced can be dropped by the user."""
    row = overwritten(context, database)
    if row is None:
        yield fine(database, "nothing is to be replaced")
    elif row["owned"] or context.is_superuser(TARGET):
        yield fine(database, f"user {context.user(TARGET)} may drop it")
    else:
        yield violated(
            database,
            f"the database on the target belongs to {row['owner']}, so user {context.user(TARGET)} cannot drop it",
            remedy=f"On the target: GRANT {quote_identifier(row['owner'])} TO {quote_identifier(context.user(TARGET))}; or drop it by "
            f"hand: DROP DATABASE {quote_identifier(database)};",
        )


def sessions_end(context: Context, database: str):
    """Sessions in a database that is to be replaced can be ended by the user."""
    if overwritten(context, database) is None:
        yield fine(database, "nothing is to be replaced")
        return
    others = context.server(TARGET).rows(
        "SELECT a.usename::text AS name, pg_catalog.count(*) AS number FROM pg_catalog.pg_stat_activity a"
        " WHERE a.datname = %s AND a.application_name !~ '^azpg.migrate ' GROUP BY 1 ORDER BY 1",
        (database,),
    )
    may = context.is_superuser(TARGET) or context.roles(TARGET).get("pg_signal_backend", {}).get("member")
    number = sum(row["number"] for row in others)
    if number and not may:
        user = quote_identifier(context.user(TARGET))
        yield violated(
            database,
            f"{count_of(number, 'session')} of {listed(row['name'] for row in others)} on the target's database, and user "
            f"{context.user(TARGET)} may not end them",
            remedy=f"End them, or on the target: GRANT pg_signal_backend TO {user};",
        )
    else:
        yield fine(database, f"{count_of(number, 'session')} to end" if number else "nobody is connected to it")


def migration_parameters(context: Context, database: str):
    """No setting of the service leaves out what the database holds."""
    session = context.session(SOURCE, database)
    if setting(context, "azure.migration_skip_large_objects") == "on":
        number = session.value("SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata")
        if number:
            yield violated(
                database,
                f"azure.migration_skip_large_objects is on, and the database holds {count_of(number, 'large object')}",
                remedy=f"{parameter('azure.migration_skip_large_objects', 'off')} (with a runtime server, set it there too)",
            )
    if setting(context, "azure.migration_skip_extensions") == "on":
        names = [row["name"] for row in context.cached_rows(SOURCE, database, EXTENSIONS)]
        if names:
            yield violated(
                database,
                f"azure.migration_skip_extensions is on, and the database uses {listed(names)}",
                remedy=f"{parameter('azure.migration_skip_extensions', 'off')}; or create the extensions on the target by hand",
            )
    if setting(context, "azure.migration_copy_with_binary") == "on" and context.major(SOURCE) != context.major(TARGET):
        yield violated(
            database,
            f"azure.migration_copy_with_binary is on between PostgreSQL {context.version(SOURCE)} and {context.version(TARGET)}; binary "
            "values need equal versions",
            remedy=parameter("azure.migration_copy_with_binary", "off"),
        )


def origins(context: Context):
    """The target has a place for the position of every database."""
    name = "max_active_replication_origins" if context.major(TARGET) >= 18 else "max_replication_slots"
    limit = int(setting(context, name) or 0)
    used = context.server(TARGET).value("SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_origin")
    if name == "max_replication_slots":
        used += context.server(TARGET).value("SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots")
    needed = len(context.request.databases) + 1
    found = f"{name} = {limit}, {used} in use"
    expected = f"{needed} free, one per database and one to spare"
    if limit - used < needed:
        yield violated(
            context.address(TARGET),
            found,
            expected=expected,
            remedy=f"{parameter(name, used + needed)} and restart the target (high availability takes four more)",
        )
    else:
        yield fine(context.address(TARGET), found, expected=expected)


def temporary_tablespaces(context: Context):
    """Temporary files do not lie on the machine's own disk while changes are applied."""
    if setting(context, "azure.enable_temp_tablespaces_on_local_ssd") == "on":
        yield violated(context.address(TARGET), "azure.enable_temp_tablespaces_on_local_ssd = on")


SERVICE = "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/"
PERMISSIONS = f"{SERVICE}concepts-required-user-permissions"
ERRORS = f"{SERVICE}troubleshoot-error-codes"
PARAMETERS = f"{SERVICE}concepts-migration-server-parameters"


def server_rule(**words) -> Rule:
    """Return a rule of the service about the target's server."""
    return Rule(**{"level": "server", "side": TARGET, "providers": AZURE, "needs": ("target-reachable",), **words})


def database_rule(**words) -> Rule:
    """Return a rule of the service about a database on the target."""
    return Rule(
        **{
            "level": "database",
            "side": TARGET,
            "providers": AZURE,
            "needs": ("target-reachable",),
            "each_database": True,
            **words,
        }
    )


RULES = (
    server_rule(
        id="service-target-admin",
        title="The target's user is an administrator of the flexible server",
        look=administrator,
        expected=f"membership in {ADMINISTRATORS}",
        remedy=f"GRANT {ADMINISTRATORS} TO the target's user.",
        documentation=PERMISSIONS,
        code="603115",
    ),
    server_rule(
        id="service-target-visibility",
        title="The target's user may see settings and sessions",
        look=seeing,
        expected=f"membership in {listed(SEEING)}",
        remedy="GRANT them TO the target's user.",
        documentation=PERMISSIONS,
        clean="the user may see settings and sessions",
        severity="warning",
    ),
    server_rule(
        id="service-target-memberships",
        title="The target's user has no memberships beyond those it needs",
        look=memberships,
        expected=f"membership in {ADMINISTRATORS}, in predefined roles, and in owners of what is moved",
        remedy="REVOKE the others FROM the target's user while the migration lasts.",
        documentation=ERRORS,
        clean="no superfluous membership",
        severity="warning",
        code="603706",
        needs=("source-reachable", "target-reachable"),
    ),
    database_rule(
        id="service-public-schema",
        title="The schema public can be handed to the administrators",
        look=public_schema,
        expected=f"a schema public that belongs to {ADMINISTRATORS}, or to a role that the user is a member of",
        remedy=f"ALTER SCHEMA public OWNER TO {ADMINISTRATORS}; in every database of the target.",
        documentation=ERRORS,
        code="603708",
        needs=("target-database-reachable",),
    ),
    database_rule(
        id="service-overwrite-drop",
        title="A database that is replaced can be dropped",
        look=droppable,
        expected="membership in the owner of every database that is to be replaced",
        remedy="DROP DATABASE on the target by hand.",
        documentation=PERMISSIONS,
        code="603117",
    ),
    database_rule(
        id="service-overwrite-sessions",
        title="Sessions in a database that is replaced can be ended",
        look=sessions_end,
        expected="nobody connected, or pg_signal_backend",
        remedy="GRANT pg_signal_backend TO the target's user.",
        documentation=PERMISSIONS,
        code="603111",
    ),
    database_rule(
        id="service-migration-parameters",
        title="No setting of the service leaves anything out",
        look=migration_parameters,
        expected="azure.migration_skip_large_objects, azure.migration_skip_extensions and azure.migration_copy_with_binary off",
        remedy="Set the azure.migration_ parameters of the target to off.",
        documentation=PARAMETERS,
        clean="nothing is left out",
        severity="warning",
        needs=("source-database-reachable", "target-reachable"),
    ),
    server_rule(
        id="service-replication-origins",
        title="The target has room for the positions of all databases",
        look=origins,
        expected="one free origin per database and one to spare",
        remedy="Raise max_replication_slots on the target and restart it.",
        documentation=PARAMETERS,
        modes=ONLINE,
    ),
    server_rule(
        id="service-temporary-tablespaces",
        title="Temporary files do not lie on the target's local disk",
        look=temporary_tablespaces,
        expected="azure.enable_temp_tablespaces_on_local_ssd = off while the migration lasts",
        remedy=f"{parameter('azure.enable_temp_tablespaces_on_local_ssd', 'off')} and set it back afterwards",
        documentation=PARAMETERS,
        clean="off",
        severity="warning",
        modes=ONLINE,
    ),
)
