# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fence will change, written down before it does: the undo record, and whether it fits what is there now."""

from __future__ import annotations

from .._core.errors import InvalidRequest, PreconditionFailed
from .._core.request import Endpoint
from .connection import connect, rows, value
from .driver import psycopg2

FORMAT = "azpg.migrate/fence/1"
# New sessions begin read only; nobody but the migration user may log in; sessions that are there are ended.
READ_ONLY, CONNECT, TERMINATE = METHODS = ("read_only", "connect", "terminate")
SETTING = "default_transaction_read_only"
# Own statements have to work behind the fence too.
WORDS = {
    "search_path": "",
    SETTING: "off",
    "statement_timeout": "0",
    "lock_timeout": "10s",
    "DateStyle": "ISO,YMD",
    "TimeZone": "UTC",
}

DATABASES = """
SELECT d.datname::text AS name, d.oid::int8 AS oid, pg_get_userbyid(d.datdba)::text AS owner,
       pg_has_role(current_user, d.datdba, 'USAGE') AS may_alter,
       (SELECT substr(c, length(%(setting)s) + 2) FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
        WHERE s.setdatabase = d.oid AND s.setrole = 0 AND c LIKE %(setting)s || '=%%') AS read_only,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(
            CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END,
            a.is_grantable, pg_get_userbyid(a.grantor)::text) ORDER BY a.grantee), '[]'::jsonb)
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.privilege_type = 'CONNECT') AS connect,
       d.datacl IS NULL AS unwritten,
       (SELECT array_agg(a::text ORDER BY a::text) FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a)
       IS NOT DISTINCT FROM (SELECT array_agg(a::text ORDER BY a::text) FROM aclexplode(acldefault('d', d.datdba)) a) AS usual
FROM pg_database d WHERE d.datname = ANY(%(names)s::name[]) ORDER BY d.datname
"""


def plan(endpoint: Endpoint, databases, *, methods=METHODS, previous: dict | None = None, side: str = "source") -> dict:
    """Return the undo record of a fence around I(databases); nothing is changed.

    The record is JSON-serialisable and holds no secret: C({format, server, user, methods, databases, missing, notes}).
    C(missing) says which rights are missing for what. Store it before M(apply).

    :param methods: some of C(read_only), C(connect) and C(terminate); they are applied in this order
    :param previous: the record of a fence that still stands; what it says of the time before remains true
    :raises InvalidRequest: for an unknown method
    :raises PreconditionFailed: when a database does not exist, or I(previous) is of another server
    """
    unknown = sorted(set(methods) - set(METHODS))
    if unknown or not methods:
        raise InvalidRequest(
            f"The fence's methods are {', '.join(methods) or 'none'}.", f"Use some of {', '.join(METHODS)}."
        )
    session = control(endpoint, databases, side)
    try:
        found = {row["name"]: row for row in read_databases(session, databases)}
        absent = [name for name in databases if name not in found]
        if absent:
            raise PreconditionFailed(
                f"The {side} has no database {', '.join(absent)}.", "Correct 'databases'.", {"databases": absent}
            )
        user = value(session, "SELECT current_user::text")
        record = {
            "format": FORMAT,
            "server": {"address": endpoint.address, "system_identifier": system_identifier(session)},
            "user": user,
            "methods": [method for method in METHODS if method in methods],
            "databases": {},
            "missing": [],
            "notes": [],
        }
        if previous is not None:
            found.update(_take_over(session, record, previous, found))
        for name, item in found.items():
            entry = _before(item, user, record)
            stored = (previous or {"databases": {}})["databases"].get(name)
            if stored and stored["oid"] == item["oid"]:
                entry.update({word: stored[word] for word in changed_by(previous["methods"]) if word in stored})
            record["databases"][name] = entry
        _missing(session, found, record)
        return record
    finally:
        session.close()


def control(endpoint: Endpoint, databases, side: str):
    """Open a session that may write behind its own fence."""
    return connect(endpoint, f"{side} fence", endpoint.dbname or list(databases)[0], settings=WORDS)


def read_databases(session, names) -> list:
    return rows(session, DATABASES, {"names": list(names), "setting": SETTING})


def system_identifier(session) -> str | None:
    try:
        return value(session, "SELECT system_identifier::text FROM pg_control_system()")
    except psycopg2.Error:
        return None


def same_server(live: dict, record: dict) -> None:
    """Refuse a record of another server."""
    stored = record.get("server") if record.get("format") == FORMAT else None
    if not stored or (stored["system_identifier"], stored["address"]) != (live["system_identifier"], live["address"]):
        raise PreconditionFailed(
            f"The undo record is of the server {stored['address'] if stored else '?'}, this is {live['address']} "
            "or another server at its address.",
            "Use the record that belongs to this server.",
        )


def same_databases(session, record: dict) -> dict:
    """Return the present state of the record's databases; refuse one that was dropped or made anew since."""
    present = {row["name"]: row for row in read_databases(session, record["databases"])}
    other = [name for name, item in record["databases"].items() if present.get(name, {}).get("oid") != item["oid"]]
    if other:
        raise PreconditionFailed(
            f"Database {', '.join(other)} is not the one of the undo record any more.",
            "It was dropped, renamed or made anew; plan the fence again.",
            {"databases": other},
        )
    return present


def changed_by(methods) -> list:
    """Return the words of a database's entry that the methods are about."""
    words = {READ_ONLY: ["read_only"], CONNECT: ["revoke", "grant", "unwritten"], TERMINATE: []}
    return [word for method in methods for word in words[method]]


def _take_over(session, record: dict, previous: dict, found: dict) -> dict:
    """Add to a record the methods of a fence that stands, and return its further databases as they are now.

    Whoever undoes the new record must undo all of the old one too.
    """
    same_server(record["server"], previous)
    record["methods"] = [method for method in METHODS if method in {*record["methods"], *previous["methods"]}]
    further = {row["name"]: row for row in read_databases(session, set(previous["databases"]) - set(found))}
    return {name: row for name, row in further.items() if row["oid"] == previous["databases"][name]["oid"]}


def _before(found: dict, user: str, record: dict) -> dict:
    """Return what a database is like before the fence, and note what the fence will not be able to do."""
    name, owner = found["name"], found["owner"]
    entry = {"oid": found["oid"], "owner": owner, "read_only": found["read_only"], "revoke": [], "grant": []}
    if READ_ONLY in record["methods"] and found["read_only"] in ("on", "true", "yes", "1"):
        record["notes"].append(f"{name}: {SETTING} is on already; unfence will leave it so")
    if CONNECT not in record["methods"]:
        return entry
    # Privileges by default are written nowhere, and no statement takes the writing back.
    entry["unwritten"] = found["unwritten"]
    by_owner = [[grantee, grantable] for grantee, grantable, grantor in found["connect"] if grantor == owner]
    by_others = sorted({grantor for _grantee, _grantable, grantor in found["connect"] if grantor != owner})
    if by_others:
        record["notes"].append(
            f"{name}: CONNECT that {', '.join(by_others)} granted on can only be revoked by them; it stays"
        )
    keep = {user}
    if user == owner:
        record["notes"].append(f"{name}: its owner {owner} is the migration user, so sessions of {owner} may log in")
    elif not any(grantee == user for grantee, _grantable, _grantor in found["connect"]):
        entry["grant"] = [user]
    # Whoever granted the right on cannot lose it without CASCADE, which could not be undone exactly.
    keep |= set(by_others)
    entry["revoke"] = [item for item in by_owner if item[0] not in keep]
    return entry


def _missing(session, found: dict, record: dict) -> None:
    """Say which rights are missing for the methods of the record."""
    for name in record["databases"]:
        if not found[name]["may_alter"] and {READ_ONLY, CONNECT} & set(record["methods"]):
            record["missing"].append(
                f"{name}: {record['user']} is not a member of its owner {found[name]['owner']}, so it can neither make it "
                f"read only nor revoke CONNECT (GRANT {found[name]['owner']} TO {record['user']})"
            )
    if TERMINATE in record["methods"] and not value(session, "SELECT pg_has_role('pg_signal_backend', 'USAGE')"):
        record["missing"].append(
            f"{record['user']} may only end sessions of roles that it is a member of (GRANT pg_signal_backend TO "
            f"{record['user']})"
        )
