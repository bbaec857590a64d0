# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: keeps everybody but the migration from writing to databases, as far as an ordinary owner's rights go.

In two steps, so that nothing is ever changed without a written way back: M(plan) reads what will be changed and returns
the undo record, which the caller stores; M(apply) changes it. M(unfence) restores from the record whatever of it is
changed, so it may also follow a plan that was never applied, or was applied in part. What a fence is worth is not
assumed but measured, by M(measure), after it was put up and whenever it matters.
"""

from __future__ import annotations

import json
import time
from typing import Callable

from .._core.errors import ConnectionFailed, InvalidRequest, PreconditionFailed
from .._core.request import Endpoint
from .connection import connect, rows, value
from .driver import psycopg2
from .quoting import quote_identifier, quote_literal

FORMAT = "azpg.migrate/fence/1"
# New sessions begin read only; nobody but the migration user may log in; sessions that are there are ended.
READ_ONLY, CONNECT, TERMINATE = METHODS = ("read_only", "connect", "terminate")
FENCED, OPEN, UNKNOWN = "fenced", "open", "unknown"

OWN_SESSIONS = "azpg.migrate"
SETTING = "default_transaction_read_only"
# How long ended sessions may take to disappear.
ENDING_SECONDS = 10.0
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
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a WHERE a.privilege_type = 'CONNECT') AS connect
FROM pg_database d WHERE d.datname = ANY(%(names)s::name[]) ORDER BY d.datname
"""
# A session whose details are hidden has no backend_type; it counts, since it may be anything.
SESSIONS = """
SELECT a.datname::text AS database, a.pid, a.usename::text AS "user", a.application_name AS application, a.state,
       to_char(a.backend_start, 'YYYY-MM-DD"T"HH24:MI:SS.USOF') AS started, a.backend_xid IS NOT NULL AS writing,
       a.backend_type IS NULL AS hidden, coalesce(a.backend_type, 'client backend') AS kind,
       a.application_name LIKE %(own)s || '%%' AND a.usename = current_user AS own,
       a.backend_start >= (%(since)s::jsonb ->> a.datname::text)::timestamptz AS newer,
       r.rolsuper AS superuser
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = ANY(%(names)s::name[]) AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
  AND coalesce(a.backend_type, '') NOT IN ('walsender', 'parallel worker')
ORDER BY a.datname, a.pid
"""
OVERRIDES = """
SELECT r.rolname::text AS name FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c
JOIN pg_roles r ON r.oid = s.setrole
JOIN pg_database d ON d.datname = %(name)s AND s.setdatabase IN (0, d.oid)
WHERE c IN (%(setting)s || '=off', %(setting)s || '=false', %(setting)s || '=0', %(setting)s || '=no')
  AND r.rolcanlogin AND has_database_privilege(r.oid, d.oid, 'CONNECT') AND r.rolname <> current_user
"""
MAY_CONNECT = """
SELECT r.rolname::text AS name, r.rolsuper AS superuser FROM pg_roles r
WHERE r.rolcanlogin AND r.rolname <> current_user AND has_database_privilege(r.oid, %(name)s, 'CONNECT') ORDER BY 1
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
    session = _control(endpoint, databases, side)
    try:
        found = {row["name"]: row for row in _databases(session, databases)}
        absent = [name for name in databases if name not in found]
        if absent:
            raise PreconditionFailed(
                f"The {side} has no database {', '.join(absent)}.", "Correct 'databases'.", {"databases": absent}
            )
        user = value(session, "SELECT current_user::text")
        record = {
            "format": FORMAT,
            "server": {"address": endpoint.address, "system_identifier": _system_identifier(session)},
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
                entry.update({word: stored[word] for word in _changed_by(previous["methods"])})
            record["databases"][name] = entry
        _missing(session, found, record)
        return record
    finally:
        session.close()


def apply(
    endpoint: Endpoint,
    record: dict,
    *,
    grace_seconds: float = 30.0,
    observe_seconds: float = 1.0,
    side: str = "source",
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Put up the fence that I(record) of M(plan) describes, and return the evidence of M(measure).

    The evidence has further C(applied_at), the moment per database from which new sessions are read only, C(ended),
    the sessions that were ended, and C(missing), every change that a right was missing for. Applying it again changes
    nothing that stands.

    :param grace_seconds: how long other sessions may take to leave by themselves before they are ended
    :raises PreconditionFailed: when the record is of another server or database
    """
    tell = progress or (lambda line: None)
    names = list(record["databases"])
    session = _control(endpoint, names, side)
    missing = list(record["missing"])
    applied_at, ended = {}, []
    try:
        _same_server({"address": endpoint.address, "system_identifier": _system_identifier(session)}, record)
        present = _same_databases(session, record)
        for name in names:
            if present[name]["may_alter"]:
                _shut(session, name, record, present[name], missing, tell)
            # After the change was committed: whoever starts from now on sees it.
            applied_at[name] = value(session, "SELECT to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF')")
        if TERMINATE in record["methods"]:
            _wait_until_gone(session, names, applied_at, grace_seconds)
            ended = _terminate(session, names, applied_at, missing, tell)
    finally:
        session.close()
    evidence = measure(endpoint, names, since=applied_at, observe_seconds=observe_seconds, side=side)
    evidence.update(applied_at=applied_at, ended=ended, methods=list(record["methods"]))
    evidence["missing"] = missing + [item for item in evidence["missing"] if item not in missing]
    return evidence


def fence(
    endpoint: Endpoint,
    databases,
    *,
    write: Callable[[dict], None],
    grace_seconds: float = 30.0,
    methods=METHODS,
    previous: dict | None = None,
    side: str = "source",
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Plan, hand the undo record to I(write), which must store it durably, apply, and return the evidence."""
    record = plan(endpoint, databases, methods=methods, previous=previous, side=side)
    write(record)
    return apply(endpoint, record, grace_seconds=grace_seconds, side=side, progress=progress)


def unfence(endpoint: Endpoint, record: dict, *, side: str = "source") -> dict:
    """Restore what the record says was there before, and return C({restored, left, failed}).

    Only what still is as the fence left it is put back: C(left) names what somebody else has changed since. Running it
    twice, or without M(apply) before, does no harm. Sessions that were ended stay ended.

    :raises PreconditionFailed: when the record has another format, or is of another server or database
    """
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise PreconditionFailed(
            "This is not the undo record of a fence.", "Hand over the record that plan() returned."
        )
    result = {"restored": [], "left": [], "failed": []}
    names = list(record["databases"])
    session = _control(endpoint, names, side)
    try:
        _same_server({"address": endpoint.address, "system_identifier": _system_identifier(session)}, record)
        present = _same_databases(session, record)
        for name in names:
            before, now = record["databases"][name], present[name]
            statements = []
            if READ_ONLY in record["methods"] and now["read_only"] != before["read_only"]:
                if now["read_only"] == "on":
                    word = f"RESET {SETTING}"
                    if before["read_only"] is not None:
                        word = f"SET {SETTING} = {quote_literal(before['read_only'])}"
                    statements.append(f"ALTER DATABASE {quote_identifier(name)} {word}")
                else:
                    result["left"].append(f"{name}: {SETTING} is {now['read_only'] or 'not set'}, no longer 'on'")
            if CONNECT in record["methods"]:
                statements += _grants(before, now, name)
            for sql in statements:
                if _try(session, sql, name, result["failed"]):
                    result["restored"].append(f"{name}: {sql}")
        return result
    finally:
        session.close()


def measure(
    endpoint: Endpoint, databases, *, since: dict | None = None, observe_seconds: float = 1.0, side: str = "source"
) -> dict:
    """Return what a fence is worth now; nothing is changed.

    C({verdict, open, unknown, soft, missing, databases, position, taken_at}). C(verdict) is C(fenced), C(open) or
    C(unknown); C(open) are sentences about everything through which rows may still change, C(unknown) about what could
    not be measured, C(missing) about rights that would help. C(soft) names the databases into which others than
    superusers may still log in: their sessions begin read only, but one that means to can switch that off. Per
    database: what a fresh session of the migration user gets (C(read_only)), which roles may still log in, the other
    sessions, prepared transactions. C(position) are the server's next transaction number before and after
    I(observe_seconds) of watching.

    :param since: C({database: moment}) of M(apply); sessions that are older keep the old default
    """
    names = list(databases)
    evidence = {
        "verdict": UNKNOWN,
        "open": [],
        "unknown": [],
        "soft": [],
        "missing": [],
        "databases": {},
        "position": {},
    }
    session = _control(endpoint, names, side)
    try:
        evidence["taken_at"] = value(session, "SELECT to_char(clock_timestamp(), 'YYYY-MM-DD\"T\"HH24:MI:SS.USOF')")
        fresh = {name: _fresh(endpoint, name, side) for name in names}
        first = _position(session)
        sessions = _watch(session, names, since or {}, observe_seconds)
        last = _position(session)
        evidence["position"] = {"before": first, "after": last, "moved": first != last}
        prepared = rows(
            session,
            "SELECT database::text AS database, gid, owner::text AS owner FROM pg_prepared_xacts "
            "WHERE database = ANY(%s::name[]) ORDER BY gid",
            (names,),
        )
        for name in names:
            entry = {
                "read_only": fresh[name],
                "may_connect": rows(session, MAY_CONNECT, {"name": name}),
                "overrides": [row["name"] for row in rows(session, OVERRIDES, {"name": name, "setting": SETTING})],
                "sessions": [
                    {word: text for word, text in item.items() if word != "database"}
                    for item in sessions
                    if item["database"] == name
                ],
                "prepared": [row["gid"] for row in prepared if row["database"] == name],
            }
            evidence["databases"][name] = entry
            if any(not role["superuser"] for role in entry["may_connect"]):
                evidence["soft"].append(name)
            _judge(name, entry, evidence)
    finally:
        session.close()
    evidence["verdict"] = OPEN if evidence["open"] else UNKNOWN if evidence["unknown"] else FENCED
    return evidence


# -- planning -----------------------------------------------------------------------------------------------------


def _control(endpoint: Endpoint, databases, side: str):
    """Open a session that may write behind its own fence."""
    return connect(endpoint, f"{side} fence", endpoint.dbname or list(databases)[0], settings=WORDS)


def _databases(session, names) -> list:
    return rows(session, DATABASES, {"names": list(names), "setting": SETTING})


def _system_identifier(session) -> str | None:
    try:
        return value(session, "SELECT system_identifier::text FROM pg_control_system()")
    except psycopg2.Error:
        return None


def _same_server(live: dict, record: dict) -> None:
    """Refuse a record of another server."""
    stored = record.get("server") if record.get("format") == FORMAT else None
    if not stored or (stored["system_identifier"], stored["address"]) != (live["system_identifier"], live["address"]):
        raise PreconditionFailed(
            f"The undo record is of the server {stored['address'] if stored else '?'}, this is {live['address']} "
            "or another server at its address.",
            "Use the record that belongs to this server.",
        )


def _same_databases(session, record: dict) -> dict:
    """Return the present state of the record's databases; refuse one that was dropped or made anew since."""
    present = {row["name"]: row for row in _databases(session, record["databases"])}
    other = [name for name, item in record["databases"].items() if present.get(name, {}).get("oid") != item["oid"]]
    if other:
        raise PreconditionFailed(
            f"Database {', '.join(other)} is not the one of the undo record any more.",
            "It was dropped, renamed or made anew; plan the fence again.",
            {"databases": other},
        )
    return present


def _changed_by(methods) -> list:
    """Return the words of a database's entry that the methods are about."""
    words = {READ_ONLY: ["read_only"], CONNECT: ["revoke", "grant"], TERMINATE: []}
    return [word for method in methods for word in words[method]]


def _take_over(session, record: dict, previous: dict, found: dict) -> dict:
    """Add to a record the methods of a fence that stands, and return its further databases as they are now.

    Whoever undoes the new record must undo all of the old one too.
    """
    _same_server(record["server"], previous)
    record["methods"] = [method for method in METHODS if method in {*record["methods"], *previous["methods"]}]
    further = {row["name"]: row for row in _databases(session, set(previous["databases"]) - set(found))}
    return {name: row for name, row in further.items() if row["oid"] == previous["databases"][name]["oid"]}


def _before(found: dict, user: str, record: dict) -> dict:
    """Return what a database is like before the fence, and note what the fence will not be able to do."""
    name, owner = found["name"], found["owner"]
    entry = {"oid": found["oid"], "owner": owner, "read_only": found["read_only"], "revoke": [], "grant": []}
    if READ_ONLY in record["methods"] and found["read_only"] in ("on", "true", "yes", "1"):
        record["notes"].append(f"{name}: {SETTING} is on already; unfence will leave it so")
    if CONNECT not in record["methods"]:
        return entry
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


# -- changing -----------------------------------------------------------------------------------------------------


def _role(name) -> str:
    return "PUBLIC" if name is None else quote_identifier(name)


def _revocations(before: dict, now: dict, name: str) -> list:
    """Return the statements that shut everybody out who is not shut out yet; the migration user's own grant is first."""
    there = {grantee for grantee, _grantable, grantor in now["connect"] if grantor == now["owner"]}
    database = quote_identifier(name)
    wanted = [grantee for grantee, _grantable in before["revoke"] if grantee in there]
    return [
        f"GRANT CONNECT ON DATABASE {database} TO {_role(user)}" for user in before["grant"] if user not in there
    ] + [f"REVOKE CONNECT ON DATABASE {database} FROM {_role(grantee)}" for grantee in wanted]


def _grants(before: dict, now: dict, name: str) -> list:
    """Return the statements that give back what the fence took."""
    there = {grantee: grantable for grantee, grantable, grantor in now["connect"] if grantor == now["owner"]}
    database = quote_identifier(name)
    statements = []
    for grantee, grantable in before["revoke"]:
        if grantee not in there or (grantable and not there[grantee]):
            option = " WITH GRANT OPTION" if grantable and grantee != now["owner"] else ""
            statements.append(f"GRANT CONNECT ON DATABASE {database} TO {_role(grantee)}{option}")
    # Last, since everything above runs in a session that this lets in.
    statements += [
        f"REVOKE CONNECT ON DATABASE {database} FROM {_role(user)}" for user in before["grant"] if user in there
    ]
    return statements


def _shut(session, name: str, record: dict, now: dict, missing: list, tell: Callable) -> None:
    """Make one database read only for new sessions and revoke CONNECT, as far as the record's methods say so."""
    before = record["databases"][name]
    if READ_ONLY in record["methods"]:
        sql = f"ALTER DATABASE {quote_identifier(name)} SET {SETTING} = on"
        if now["read_only"] == "on" or _try(session, sql, name, missing):
            tell(f"{name}: new sessions are read only")
    if CONNECT not in record["methods"]:
        return
    for sql in _revocations(before, now, name):
        if not _try(session, sql, name, missing):
            return  # without the migration user's own right, nobody else's may go
    # Where rights are missing, REVOKE may do nothing and only warn.
    left = [sql for sql in _revocations(before, _databases(session, [name])[0], name) if sql.startswith("REVOKE")]
    missing += [f"{name}: without effect: {sql}" for sql in left]
    if not left:
        tell(f"{name}: CONNECT is revoked")


def _try(session, sql: str, name: str, failures: list) -> bool:
    """Run a statement; note its failure as a sentence and go on."""
    try:
        with session.cursor() as cursor:
            cursor.execute(sql)
    except psycopg2.Error as error:
        if session.closed:
            raise
        sentence = f"{name}: {' '.join(str(error.diag.message_primary or error).split())} ({sql})"
        if sentence not in failures:
            failures.append(sentence)
        return False
    return True


def _others(session, names, since: dict) -> list:
    """Return the sessions in the databases that are not this migration's."""
    found = rows(session, SESSIONS, {"names": list(names), "own": OWN_SESSIONS, "since": json.dumps(since)})
    return [item for item in found if not item["own"]]


def _older(session, names, since: dict) -> list:
    """Return the other sessions that may have begun before the fence; younger ones got the read-only default."""
    return [item for item in _others(session, names, since) if not item["newer"]]


def _wait_until_gone(session, names, since: dict, seconds: float) -> None:
    end = time.monotonic() + seconds
    while _older(session, names, since) and time.monotonic() < end:
        time.sleep(min(0.2, max(0.0, end - time.monotonic())))


def _terminate(session, names, since: dict, missing: list, tell: Callable) -> list:
    """End the sessions that are older than the fence, until none is left or patience ends; return those ended."""
    ended, refused = [], set()
    end = time.monotonic() + ENDING_SECONDS
    while True:
        left = [item for item in _older(session, names, since) if item["pid"] not in refused]
        if not left or time.monotonic() >= end:
            return ended
        for item in left:
            if item["kind"] != "client backend":
                refused.add(item["pid"])
                missing.append(f"{item['database']}: process {item['pid']} is a {item['kind']}; disable what starts it")
                continue
            try:
                value(session, "SELECT pg_terminate_backend(%s)", (item["pid"],))
            except psycopg2.Error as error:
                if session.closed:
                    raise
                refused.add(item["pid"])
                text = " ".join(str(error.diag.message_primary or error).split())
                missing.append(
                    f"{item['database']}: session {item['pid']} of {item['user']} could not be ended: {text}"
                )
                continue
            if not any(known["pid"] == item["pid"] for known in ended):
                ended.append({word: item[word] for word in ("database", "pid", "user", "application")})
                tell(f"{item['database']}: ended session {item['pid']} of {item['user']}")
        time.sleep(0.1)


# -- measuring ----------------------------------------------------------------------------------------------------


def _fresh(endpoint: Endpoint, name: str, side: str) -> dict:
    """Return what a new session finds: C({value, error})."""
    try:
        session = connect(endpoint, f"{side} fence", name)
    except ConnectionFailed as error:
        return {"value": None, "error": error.msg}
    try:
        return {"value": value(session, f"SELECT current_setting('{SETTING}')"), "error": ""}
    except psycopg2.Error as error:
        return {"value": None, "error": " ".join(str(error).split())}
    finally:
        session.close()


def _position(session) -> str:
    """Return the next transaction number; every transaction that writes moves it."""
    modern = session.server_version >= 130000
    return value(
        session,
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::text"
        if modern
        else "SELECT txid_snapshot_xmax(txid_current_snapshot())::text",
    )


def _watch(session, names, since: dict, seconds: float) -> list:
    """Return every session that was seen within I(seconds); one that held a transaction number once counts as writing."""
    seen = {}
    end = time.monotonic() + seconds
    while True:
        for item in _others(session, names, since):
            known = seen.get(item["pid"])
            item["writing"] = item["writing"] or bool(known and known["writing"])
            seen[item["pid"]] = item
        if time.monotonic() >= end:
            return [seen[pid] for pid in sorted(seen)]
        time.sleep(0.05)


def _judge(name: str, entry: dict, evidence: dict) -> None:
    """Add the sentences about one database to the evidence."""
    is_open, unknown, missing = evidence["open"], evidence["unknown"], evidence["missing"]
    fresh = entry["read_only"]
    others = [role["name"] for role in entry["may_connect"] if not role["superuser"]]
    if fresh["error"]:
        unknown.append(f"{name}: no new session could be opened to measure: {fresh['error']}")
    elif fresh["value"] != "on" and others:
        is_open.append(f"{name}: new sessions may write, and {_some(others)} may log in")
    if entry["overrides"]:
        is_open.append(
            f"{name}: {_some(entry['overrides'])} may log in and has {SETTING} = off of its own, which wins over the "
            "database's"
        )
    for item in entry["sessions"]:
        who = f"{name}: session {item['pid']} of {item['user']} ({item['application'] or 'no application name'})"
        if item["writing"]:
            is_open.append(f"{who} holds a transaction that writes")
        elif item["newer"] is False:
            is_open.append(f"{who} is older than the fence and may write")
        elif item["newer"] is None and item["hidden"]:
            unknown.append(f"{who} hides when it began")
        elif item["newer"] is None:
            is_open.append(f"{who} may write; it is not known to be younger than a fence")
        elif fresh["value"] != "on":
            is_open.append(f"{who} began without a read-only default")
        elif evidence["position"]["moved"]:
            is_open.append(f"{who} is there while transactions that write end on this server")
    if any(item["hidden"] for item in entry["sessions"]):
        sentence = "the details of other roles' sessions are hidden (GRANT pg_read_all_stats to the migration user)"
        if sentence not in missing:
            missing.append(sentence)
    if entry["prepared"]:
        is_open.append(
            f"{name}: prepared transactions may still be committed: {_some(entry['prepared'])} (COMMIT PREPARED or "
            "ROLLBACK PREPARED them)"
        )


def _some(names: list) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
