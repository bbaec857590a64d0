# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence: keeps everybody but the migration from writing to databases, as far as an ordinary owner's rights go.

In two steps, so that nothing is ever changed without a written way back: M(fence_record.plan) reads what will be changed and returns
the undo record, which the caller stores; M(apply) changes it. M(unfence) restores from the record whatever of it is
changed, so it may also follow a plan that was never applied, or was applied in part. What a fence is worth is not
assumed but measured, by M(fence_measure.measure), after it was put up and whenever it matters.
"""

from __future__ import annotations

import time
from typing import Callable

from .._core.errors import PreconditionFailed
from .._core.request import Endpoint
from .connection import value
from .driver import psycopg2
from .fence_measure import measure, other_sessions
from .fence_record import (
    CONNECT,
    FORMAT,
    METHODS,
    READ_ONLY,
    SETTING,
    TERMINATE,
    control,
    plan,
    read_databases,
    same_databases,
    same_server,
    system_identifier,
)
from .quoting import quote_identifier, quote_literal

# How long ended sessions may take to disappear.
ENDING_SECONDS = 10.0


def apply(
    endpoint: Endpoint,
    record: dict,
    *,
    grace_seconds: float = 30.0,
    observe_seconds: float = 1.0,
    side: str = "source",
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Put up the fence that I(record) of M(fence_record.plan) describes, and return the evidence of M(fence_measure.measure).

    The evidence has further C(applied_at), the moment per database from which new sessions are read only, C(ended),
    the sessions that were ended, and C(missing), every change that a right was missing for. Applying it again changes
    nothing that stands.

    :param grace_seconds: how long other sessions may take to leave by themselves before they are ended
    :raises PreconditionFailed: when the record is of another server or database
    """
    tell = progress or (lambda line: None)
    names = list(record["databases"])
    session = control(endpoint, names, side)
    missing = list(record["missing"])
    applied_at, ended = {}, []
    try:
        same_server({"address": endpoint.address, "system_identifier": system_identifier(session)}, record)
        present = same_databases(session, record)
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
    """Restore what the record says was there before, and return C({restored, left, written, failed}).

    Only what still is as the fence left it is put back: C(left) names what somebody else has changed since. Running it
    twice, or without M(apply) before, does no harm. Sessions that were ended stay ended. C(written) names the databases
    whose privileges, those by default, the server now has in writing: they allow what they allowed before, and no
    statement takes the writing back.

    :raises PreconditionFailed: when the record has another format, or is of another server or database
    """
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise PreconditionFailed(
            "This is not the undo record of a fence.", "Hand over the record that plan() returned."
        )
    result = {"restored": [], "left": [], "written": [], "failed": []}
    names = list(record["databases"])
    session = control(endpoint, names, side)
    try:
        same_server({"address": endpoint.address, "system_identifier": system_identifier(session)}, record)
        present = same_databases(session, record)
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
                statements += grants(before, now, name)
            for sql in statements:
                if attempt(session, sql, name, result["failed"]):
                    result["restored"].append(f"{name}: {sql}")
        for row in read_databases(session, names):
            if record["databases"][row["name"]].get("unwritten") and not row["unwritten"]:
                if row["usual"]:
                    result["written"].append(row["name"])
                else:
                    result["left"].append(f"{row['name']}: its privileges are no longer those by default")
        return result
    finally:
        session.close()


def _role(name) -> str:
    return "PUBLIC" if name is None else quote_identifier(name)


def revocations(before: dict, now: dict, name: str) -> list:
    """Return the statements that shut everybody out who is not shut out yet; the migration user's own grant is first."""
    there = {grantee for grantee, _grantable, grantor in now["connect"] if grantor == now["owner"]}
    database = quote_identifier(name)
    wanted = [grantee for grantee, _grantable in before["revoke"] if grantee in there]
    return [
        f"GRANT CONNECT ON DATABASE {database} TO {_role(user)}" for user in before["grant"] if user not in there
    ] + [f"REVOKE CONNECT ON DATABASE {database} FROM {_role(grantee)}" for grantee in wanted]


def grants(before: dict, now: dict, name: str) -> list:
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
        if now["read_only"] == "on" or attempt(session, sql, name, missing):
            tell(f"{name}: new sessions are read only")
    if CONNECT not in record["methods"]:
        return
    for sql in revocations(before, now, name):
        if not attempt(session, sql, name, missing):
            return  # without the migration user's own right, nobody else's may go
    # Where rights are missing, REVOKE may do nothing and only warn.
    left = [sql for sql in revocations(before, read_databases(session, [name])[0], name) if sql.startswith("REVOKE")]
    missing += [f"{name}: without effect: {sql}" for sql in left]
    if not left:
        tell(f"{name}: CONNECT is revoked")


def attempt(session, sql: str, name: str, failures: list) -> bool:
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


def _older(session, names, since: dict) -> list:
    """Return the other sessions that may have begun before the fence; younger ones got the read-only default."""
    return [item for item in other_sessions(session, names, since) if not item["newer"]]


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
