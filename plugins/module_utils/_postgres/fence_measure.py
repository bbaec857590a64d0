# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a fence is worth, measured: by what a new session gets, who may log in, and who is there. Nothing is changed."""

from __future__ import annotations

import json
import time

from .._core.errors import ConnectionFailed
from .._core.request import Endpoint
from .connection import connect, rows, value
from .driver import psycopg2
from .fence_record import SETTING, control

FENCED, OPEN, UNKNOWN = "fenced", "open", "unknown"

OWN_SESSIONS = "azpg.migrate"

# A session whose details are hidden has no backend_type; it counts, since it may be anything.
SESSIONS = """
SELECT a.datname::text AS database, a.pid, a.usename::text AS "user", a.application_name AS application, a.state,
       to_char(a.backend_start, 'YYYY-MM-DD"T"HH24:MI:SS.USOF') AS started, a.backend_xid IS NOT NULL AS writing,
       {kind} IS NULL AS hidden, coalesce({kind}, 'client backend') AS kind,
       a.application_name LIKE %(own)s || '%%' AND a.usename = current_user AS own,
       a.backend_start >= (%(since)s::jsonb ->> a.datname::text)::timestamptz AS newer,
       r.rolsuper AS superuser
FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = ANY(%(names)s::name[]) AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
  AND coalesce({kind}, '') NOT IN ('walsender', 'parallel worker')
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
    session = control(endpoint, names, side)
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


def other_sessions(session, names, since: dict) -> list:
    """Return the sessions in the databases that are not this migration's."""
    # Before 10 a server does not tell kinds apart; the state of a session is hidden with its particulars.
    kind = "a.backend_type"
    if session.server_version < 100000:
        kind = "CASE WHEN a.state IS NOT NULL THEN 'client backend' END"
    found = rows(
        session,
        SESSIONS.replace("{kind}", kind),
        {"names": list(names), "own": OWN_SESSIONS, "since": json.dumps(since)},
    )
    return [item for item in found if not item["own"]]


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
        for item in other_sessions(session, names, since):
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
