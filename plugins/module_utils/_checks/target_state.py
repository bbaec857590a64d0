# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules: what is on the target already, and may the user create there what is to come?"""

from __future__ import annotations

import contextlib

from .._core.units import count_of
from .._postgres.driver import psycopg2
from .._postgres.quoting import quote_identifier
from .._postgres.roles import REFERENCED, is_system_role
from .catalogue import USER_SCHEMA, not_of_extension
from .context import SOURCE, TARGET, Context
from .rule import OPERATOR, Rule, fine, listed, violated

USER_OBJECTS = f"""
SELECT o.kind, o.name, pg_catalog.count(*) OVER () AS total FROM (
  SELECT 1 AS position, CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
           WHEN 'f' THEN 'foreign table' WHEN 'c' THEN 'type' ELSE 'table' END AS kind,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f', 'c') AND c.oid >= 16384 AND {USER_SCHEMA}
     AND {not_of_extension("pg_class", "c.oid")}
  UNION ALL
  SELECT 2, 'function', pg_catalog.format('%I.%I', n.nspname, p.proname)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.oid >= 16384 AND {USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
  UNION ALL
  SELECT 3, 'type', pg_catalog.format('%I.%I', n.nspname, t.typname)
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
   WHERE t.typtype IN ('d', 'e', 'r') AND t.oid >= 16384 AND {USER_SCHEMA}
     AND {not_of_extension("pg_type", "t.oid")}
  UNION ALL
  SELECT 4, 'schema', pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
   WHERE n.oid >= 16384 AND n.nspname <> 'public' AND {USER_SCHEMA} AND {not_of_extension("pg_namespace", "n.oid")}
  UNION ALL
  SELECT 5, 'large object', m.oid::text FROM pg_catalog.pg_largeobject_metadata m
) o ORDER BY o.position, o.name LIMIT 10
"""

NEEDED_ROLES = f"""
{REFERENCED}
SELECT n.rolname::text AS name, n.rolsuper AS superuser, n.rolname = current_user AS self, n.owns FROM needed n ORDER BY 1
"""

SUPERUSER_OWNED = f"""
SELECT o.owner, pg_catalog.count(*) AS number, pg_catalog.min(o.name) AS example FROM (
  SELECT c.relowner AS owner_oid, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
         pg_catalog.format('%I.%I', n.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'S', 'v', 'm', 'f') AND {USER_SCHEMA} AND {not_of_extension("pg_class", "c.oid")}
  UNION ALL
  SELECT p.proowner, pg_catalog.pg_get_userbyid(p.proowner)::text, pg_catalog.format('%I.%I', n.nspname, p.proname)
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
   WHERE p.oid >= 16384 AND {USER_SCHEMA} AND {not_of_extension("pg_proc", "p.oid")}
  UNION ALL
  SELECT n.nspowner, pg_catalog.pg_get_userbyid(n.nspowner)::text, pg_catalog.quote_ident(n.nspname)
    FROM pg_catalog.pg_namespace n
   WHERE n.oid >= 16384 AND n.nspname <> 'public' AND {USER_SCHEMA} AND {not_of_extension("pg_namespace", "n.oid")}
) o JOIN pg_catalog.pg_roles r ON r.oid = o.owner_oid WHERE r.rolsuper GROUP BY o.owner ORDER BY o.owner
"""


# Passwords themselves are left where they are.
PASSWORD_FORMS = """
SELECT a.rolname::text AS name, CASE WHEN a.rolpassword LIKE 'SCRAM-SHA-256$%' THEN 'SCRAM' WHEN a.rolpassword LIKE 'md5%' THEN 'md5'
       END AS form FROM pg_catalog.pg_authid a WHERE a.rolpassword IS NOT NULL
"""


def empty(context: Context, database: str):
    """The database on the target holds nothing of a user, unless this migration put it there."""
    if not context.on_target(database):
        yield fine(database, "does not exist on the target yet")
        return
    if database in context.own_databases:
        yield fine(database, "was created by this migration before")
        return
    if context.by_service:
        yield from absent(context, database)
        return
    rows = context.rows(TARGET, database, USER_OBJECTS)
    if not rows:
        yield fine(database, "exists on the target and holds nothing")
        return
    names = [f"{row['kind']} {row['name']}" for row in rows]
    more = rows[0]["total"] - len(rows)
    found = f"holds {count_of(rows[0]['total'], 'object')}: {', '.join(names)}{f' and {more} more' if more else ''}"
    yield violated(
        database,
        found,
        remedy="Make sure that nobody needs what is there, then on the target: "
        f"DROP DATABASE {quote_identifier(database)}; or take the database out of 'databases'.",
    )


def absent(context: Context, database: str):
    """The service takes no database that exists, empty or not, unless it is told to replace it."""
    if database in context.overwrite:
        yield fine(database, "exists on the target; the service is told to replace it")
        return
    yield violated(
        database,
        "exists on the target, and the service is not told to replace it",
        remedy=f"Make sure that nobody needs what is there, then on the target: DROP DATABASE {quote_identifier(database)}; or let the "
        "service replace it by naming it in the option for that. An empty database will do with 'provider: host'.",
    )


def creatable(context: Context, database: str):
    """The user may create the database, or create everything in the one that exists."""
    identity = context.identity(TARGET)
    user = context.user(TARGET)
    quoted = quote_identifier(user)
    if context.by_service or not context.on_target(database):
        if identity["superuser"] or identity["create_database"]:
            yield fine(database, f"user {user} may create it")
        else:
            own = f"CREATE DATABASE {quote_identifier(database)} OWNER {quoted} TEMPLATE template0;"
            yield violated(
                database,
                f"the database has to be created on the target and user {user} has no CREATEDB",
                remedy=f"On the target: ALTER ROLE {quoted} CREATEDB;"
                + ("" if context.by_service else f" or create the database for the user: {own}"),
            )
        return
    row = context.databases(TARGET)[database]
    public = context.rows(
        TARGET,
        database,
        "SELECT pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS allowed FROM pg_catalog.pg_namespace n"
        " WHERE n.nspname = 'public'",
    )
    missing = [] if row["can_create"] else [f"CREATE ON DATABASE {quote_identifier(database)}"]
    uses_public = any(relation["schema"] == "public" for relation in context.relations(database))
    if uses_public and public and not public[0]["allowed"]:
        missing.append("CREATE ON SCHEMA public")
    if missing:
        yield violated(
            database,
            f"the database exists on the target and user {user} lacks {' and '.join(missing)}",
            remedy=f"On the target: ALTER DATABASE {quote_identifier(database)} OWNER TO {quoted}; or in that database: "
            + " ".join(f"GRANT {privilege} TO {quoted};" for privilege in missing),
        )
    else:
        yield fine(database, f"exists on the target and user {user} may create in it")


def needed_roles(context: Context) -> dict:
    """Return C({target role: owns something}) for every role that the databases need on the target.

    Superusers that 'role_map' does not name, roles of the service, and the source's own user are left out, the latter
    unless it owns something.
    """

    def read() -> dict:
        mapped = dict(context.request.role_map)
        needed: dict = {}
        for database in context.request.databases:
            for row in context.rows(SOURCE, database, NEEDED_ROLES, ([database],)):
                name = row["name"]
                left_out = (row["superuser"] and name not in mapped) or (row["self"] and not row["owns"])
                if not left_out and not is_system_role(name):
                    target = mapped.get(name, name)
                    needed[target] = needed.get(target, False) or row["owns"]
        return needed

    return context.cached("needed roles", read)


def roles_creatable(context: Context):
    """Roles that are missing on the target can be created by the user."""
    missing = sorted(set(needed_roles(context)) - set(context.roles(TARGET)))
    identity = context.identity(TARGET)
    if context.by_service and not (identity["superuser"] or identity["create_role"]):
        yield violated(
            context.address(TARGET),
            f"user {context.user(TARGET)} has no CREATEROLE, without which the service does not begin"
            + (f"; missing are {listed(missing)}" if missing else ""),
            expected="CREATEROLE for the target's user",
            remedy=f"On the target, as its administrator: ALTER ROLE {quote_identifier(context.user(TARGET))} CREATEROLE;",
        )
    elif missing and not (identity["superuser"] or identity["create_role"]):
        roles = "; ".join(f"CREATE ROLE {quote_identifier(name)}" for name in missing[:20])
        yield violated(
            context.address(TARGET),
            f"{count_of(len(missing), 'role')} missing on the target ({listed(missing)}) and user "
            f"{context.user(TARGET)} has no CREATEROLE",
            remedy=f"On the target: ALTER ROLE {quote_identifier(context.user(TARGET))} CREATEROLE; or {roles}; "
            "or name other roles of the target in 'role_map'.",
        )
    elif missing:
        yield fine(context.address(TARGET), f"user {context.user(TARGET)} may create {listed(missing)}")


def roles_administered(context: Context):
    """Of roles that exist on the target and will own objects, the user is a member or can make itself one."""
    identity = context.identity(TARGET)
    if identity["superuser"]:
        return
    known = context.roles(TARGET)
    foreign = []
    for name, owns in sorted(needed_roles(context).items()):
        role = known.get(name)
        if owns and role and not may_use(context, role):
            foreign.append(name)
    if foreign:
        user = quote_identifier(context.user(TARGET))
        roles = ", ".join(quote_identifier(name) for name in foreign)
        yield violated(
            context.address(TARGET),
            f"user {context.user(TARGET)} is no member of {listed(foreign)}, so it cannot make them owners of anything",
            remedy=f"On the target: GRANT {roles} TO {user}; or name other roles of the target in 'role_map'.",
        )


def may_use(context: Context, role: dict) -> bool:
    """Tell whether the target's user can make the role an owner, or could grant itself what that takes.

    Until 15 CREATEROLE is enough to become a member, from 16 on it takes the role's ADMIN OPTION.
    """
    if context.major(TARGET) < 16 and context.identity(TARGET)["create_role"] and not role["superuser"]:
        return True
    word = "SET" if context.major(TARGET) >= 16 else "MEMBER"
    return context.server(TARGET).value(
        "SELECT pg_catalog.pg_has_role(%(role)s::oid, 'MEMBER WITH ADMIN OPTION')"
        " OR (pg_catalog.pg_has_role(%(role)s::oid, 'USAGE') AND pg_catalog.pg_has_role(%(role)s::oid, %(word)s))",
        {"role": role["oid"], "word": word},
    )


def role_passwords(context: Context):
    """Roles that log in and are missing on the target come without a password, unless it can be read on the source."""
    login = {name for name, role in context.roles(SOURCE).items() if role["can_login"]}
    mapped = dict(context.request.role_map)
    # By the name that they get on the target.
    sources = {mapped.get(name, name): name for name in login}
    new = sorted(set(needed_roles(context)) & set(sources) - set(context.roles(TARGET)))
    carried: list = []
    # Whoever may not read them is told so by the server.
    with contextlib.suppress(psycopg2.Error):
        forms = {row["name"]: row["form"] for row in context.server(SOURCE).rows(PASSWORD_FORMS)} if new else {}
        # The role's name is part of a password in MD5.
        carried = [
            name
            for name in new
            if forms.get(sources[name]) == "SCRAM" or (forms.get(name) == "md5" and sources[name] == name)
        ]
    if carried:
        yield fine(
            context.address(TARGET),
            f"{count_of(len(carried), 'role')} will be new on the target and log in there, and their passwords travel: {listed(carried)}",
        )
    missing = [name for name in new if name not in carried]
    if missing:
        commands = " ".join(f"\\password {quote_identifier(name)}" for name in missing[:20])
        yield violated(
            context.address(TARGET),
            f"{count_of(len(missing), 'role')} will be new on the target and log in there, without a password: {listed(missing)}",
            remedy=f"Create them with their passwords before, or set the passwords afterwards, in psql: {commands}",
        )


def superuser_owned(context: Context, database: str):
    """Objects of a superuser get another owner where the target's user is none."""
    if context.is_superuser(TARGET):
        return
    mapped = dict(context.request.role_map)
    rows = [row for row in context.cached_rows(SOURCE, database, SUPERUSER_OWNED) if row["owner"] not in mapped]
    if rows:
        owners = listed(f"{row['owner']} owns {row['number']} (for example {row['example']})" for row in rows)
        pairs = ", ".join(f"{row['owner']}: {context.user(TARGET)}" for row in rows)
        yield violated(
            database,
            f"superusers of the source own objects: {owners}; on the target they will belong to {context.user(TARGET)}",
            remedy=f"Say with 'role_map' who owns them on the target: {{{pairs}}}; "
            "or give them an ordinary owner on the source: ALTER TABLE ... OWNER TO ...;",
        )


def role_map_names(context: Context):
    """Every role named in role_map exists on the source."""
    unknown = sorted(set(dict(context.request.role_map)) - set(context.roles(SOURCE)))
    if unknown:
        yield violated(
            context.address(SOURCE), f"'role_map' names roles that the source does not have: {listed(unknown)}"
        )


CREATE_ROLE = "https://www.postgresql.org/docs/current/role-attributes.html"
BOTH_REACHABLE = ("source-database-reachable", "target-reachable")

RULES = (
    Rule(
        id="target-database-empty",
        who=OPERATOR,
        title="The target's database does not exist or is empty",
        level="database",
        side=TARGET,
        look=empty,
        expected="no database of this name, or an empty one, or one that this migration created",
        remedy="DROP DATABASE on the target, after making sure that nobody needs it.",
        documentation="https://www.postgresql.org/docs/current/sql-dropdatabase.html",
        code="603101",
        needs=("target-database-reachable",),
        each_database=True,
    ),
    Rule(
        id="target-database-creatable",
        title="The target's user may create the database and what is in it",
        level="database",
        side=TARGET,
        look=creatable,
        expected="CREATEDB, or the CREATE privilege on the database that exists and on its schema public",
        remedy="ALTER ROLE ... CREATEDB on the target.",
        documentation=CREATE_ROLE,
        needs=("source-database-reachable", "target-database-reachable"),
        each_database=True,
    ),
    Rule(
        id="target-roles-creatable",
        title="Roles that are missing on the target can be created",
        level="server",
        side=TARGET,
        look=roles_creatable,
        expected="every role that owns or may use something exists on the target, or the user has CREATEROLE",
        remedy="ALTER ROLE ... CREATEROLE on the target.",
        documentation=CREATE_ROLE,
        clean="every role that is needed exists on the target",
        code="603116",
        needs=BOTH_REACHABLE,
    ),
    Rule(
        id="target-roles-administered",
        title="The target's user may hand objects to their owners",
        level="server",
        side=TARGET,
        look=roles_administered,
        expected="membership in every existing role that will own objects",
        remedy="GRANT the role TO the target's user.",
        documentation="https://www.postgresql.org/docs/current/role-membership.html",
        clean="every existing role that will own objects can be made an owner",
        needs=BOTH_REACHABLE,
    ),
    Rule(
        id="target-role-passwords",
        title="Roles that log in have passwords on the target",
        level="server",
        side=TARGET,
        look=role_passwords,
        expected="every role that logs in exists on the target with its password",
        remedy="Create the roles with their passwords on the target, or set the passwords afterwards.",
        documentation="https://www.postgresql.org/docs/current/sql-alterrole.html",
        clean="no role that logs in is missing on the target",
        severity="warning",
        needs=BOTH_REACHABLE,
    ),
    Rule(
        id="superuser-owned-objects",
        title="No object belongs to a superuser of the source",
        level="database",
        side=SOURCE,
        look=superuser_owned,
        expected="objects of ordinary roles, or an entry of 'role_map' for the superuser",
        remedy="Say with 'role_map' who owns them on the target: {the superuser: a role of the target}",
        documentation="https://www.postgresql.org/docs/current/sql-reassign-owned.html",
        clean="no object belongs to a superuser that 'role_map' does not name",
        severity="warning",
        needs=BOTH_REACHABLE,
        each_database=True,
    ),
    Rule(
        id="role-map-names",
        who=OPERATOR,
        title="The roles named in role_map exist on the source",
        level="server",
        side=SOURCE,
        look=role_map_names,
        expected="names of roles of the source",
        remedy="Correct 'role_map'.",
        documentation="https://www.postgresql.org/docs/current/user-manag.html",
        clean="every role that 'role_map' names exists",
        needs=("source-reachable",),
    ),
)
