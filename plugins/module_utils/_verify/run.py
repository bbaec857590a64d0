# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verification: the comparison of both ends of a migration, as a report."""

from __future__ import annotations

import platform
import uuid
from datetime import datetime, timedelta, timezone
from typing import Callable

from .._core.canonical import digest
from .._core.errors import InvalidRequest
from .._core.request import Request
from .._core.version import VERSION
from .._postgres.connection import connect, quiet_settings, rows, value
from .._postgres.driver import psycopg2
from .._postgres.fingerprint import SEED, check_canaries
from .arrival import await_counters, moment
from .database import Options, verify_database
from .drill import HASH, HIDE, SHOW, DrillOptions
from .findings import is_ignored, sort_out
from .formats import (
    AUTO,
    CLIENT,
    CLIENT_ALGORITHM,
    COUNTS,
    FORMAT,
    HELPER_SCHEMAS,
    METHODS,
    MODES,
    RECHECK,
    SAMPLE,
    SERVER,
    SERVER_ALGORITHM,
)
from .identity import identity, static_proof
from .ledger import Ledger
from .overrides import checked
from .parity import AZURE_ADMINISTRATOR, Rules
from .pool import Pace
from .progress import Progress
from .recheck_mode import check_base, origin
from .roles import compare_roles, read_roles
from .sample import sample_bits, summary
from .session import settings
from .summary import overall, reason, totals

VALID_HOURS = 24

# Databases that every flexible server has for its own use.
AZURE_DATABASES = ("azure_maintenance", "azure_sys")


def stamp(moment: datetime) -> str:
    """Return a moment as the report writes it: UTC, whole seconds, for example C(2026-01-31T09:30:00Z)."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def verify(
    request: Request,
    *,
    mode: str = "full",
    jobs: int = 2,
    busy_percent: int = 100,
    progress: Callable[[str], None] | None = None,
    watch: Callable[[dict], None] | None = None,
    ignore=(),
    role_map: dict | None = None,
    owner_map: dict | None = None,
    exclude_schemas=(),
    compare_as=(),
    keys: str = SHOW,
    reveal_values: bool = False,
    max_differences: int = 1000,
    sample_fraction: float = 0.01,
    accept_sample: bool = False,
    method: str = AUTO,
    base: dict | None = None,
    fence: Callable[[], dict] | None = None,
    run_id: str | None = None,
    ledger: Ledger | None = None,
) -> dict:
    """Compare source and target and return the report.

    Its verdict is one of ERROR, MISMATCH, INCOMPLETE, MATCH_WITH_OVERRIDES (see I(compare_as)) and MATCH, the gravest
    first; a right that is missing, an object that could not be read and a run that compared no table are INCOMPLETE. Differences that leave the data and their
    rules intact are warnings and do not change it; C(totals.warnings) counts them.

    :param mode: C(full); C(recheck) (rows that may have changed since I(base)); C(sample) (all rows counted, some
        compared); C(counts) (rows, sequences and large objects counted only) or C(schema) (no rows)
    :param jobs: sessions per side; they share one snapshot per side and database
    :param busy_percent: the part of the time in which each session works; it rests after each piece for the remainder
    :param progress: called with one line of text at a time, from several threads but never from two at once
    :param watch: called with the state of things, see M(progress.Progress.state), about once a second
    :param ignore: patterns of differences to leave out, see M(findings.is_ignored); they are counted in the report
    :param role_map: roles with another name on the target; the request's own when None
    :param owner_map: owners with another name on the target, of objects only; their grants stay those of I(role_map)
    :param exclude_schemas: schemas that are no part of the migration, besides HELPER_SCHEMAS
    :param compare_as: columns in whose place SQL is compared, see M(overrides.checked)
    :param keys: whether the keys of rows that differ are in the report: C(show), C(hash) or C(hide)
    :param reveal_values: put the values of columns that differ into the report, cut to 200 characters
    :param max_differences: how many differing rows of a table are listed; their number is estimated beyond that
    :param sample_fraction: mode sample: the part of the rows to compare, rounded up to a power of a half
    :param accept_sample: mode sample: write into the report that a gate that is told so may open for it
    :param method: C(server), C(client) (rows are read and hashed here) or C(auto) (client where servers cannot)
    :param base: mode recheck: the earlier report
    :param fence: called when all is read; returns what a fence around the source is worth then, as M(fence_measure.measure)
    :param run_id: the name of the run, by which servers show its sessions too; a new one when None
    :param ledger: remembers what was read, for a run that dies; whoever gave it closes it
    :raises InvalidRequest: for an unknown mode or a pattern that fits nothing
    :raises BaseRefused: when I(base) is no full report of this request and these servers
    :raises ConnectionFailed: when a server cannot be reached at all
    """
    if mode not in MODES:
        raise InvalidRequest(f"The verification mode is {mode!r}.", f"Use one of {', '.join(MODES)}.")
    ignore = [{word: text for word, text in pattern.items() if text is not None} for pattern in ignore]
    for pattern in ignore:
        unknown = sorted(set(pattern) - {"rule", "kind", "object", "attribute", "reason"})
        if unknown or not set(pattern) - {"reason"}:
            raise InvalidRequest(
                f"The ignore pattern {pattern!r} names nothing that can be ignored.",
                "Give at least one of rule, kind, object and attribute.",
            )
    if keys not in (SHOW, HASH, HIDE):
        raise InvalidRequest(f"'keys' is {keys!r}.", f"Use one of {SHOW}, {HASH}, {HIDE}.")
    if method not in METHODS:
        raise InvalidRequest(f"The method is {method!r}.", f"Use one of {', '.join(METHODS)}.")
    if max_differences < 1:
        raise InvalidRequest(f"'max_differences' is {max_differences}.", "List at least one difference per table.")
    if jobs < 1 or not 1 <= busy_percent <= 100:
        raise InvalidRequest(
            f"'jobs' is {jobs} and 'busy_percent' is {busy_percent}.",
            "Give at least one session per server, and between 1 and 100 percent.",
        )
    run_id = run_id or str(uuid.uuid4())
    bits = sample_bits(sample_fraction)
    overrides = checked(compare_as, request.databases)
    started = datetime.now(timezone.utc)
    mapping = dict(request.role_map) if role_map is None else dict(role_map)
    source, target = _sessions(request)
    try:
        ends = {
            "source": identity(source, request.source, request.databases),
            "target": identity(target, request.target, request.databases),
        }
        # Taken before the first snapshot, so that it tells of everything that was written after any of them.
        for side, session in (("source", source), ("target", target)):
            ends[side]["static_proof"] = static_proof(session)
        if mode == RECHECK:
            check_base(base, request, ends)
        if ledger:
            ledger.begin(request, ends, run_id)
        earlier = {side: _earlier(side, base if mode == RECHECK else None, ledger) for side in ends}
        active = {
            side: await_counters(session, request.databases, min(earlier[side]), [session.info.backend_pid])
            for side, session in (("source", source), ("target", target))
            if earlier[side]
        }
        canaries = {side: _canary(session) for side, session in (("source", source), ("target", target))}
        used = _method(method, canaries)
        following = Progress(_sizes(source, request.databases), progress, watch)
        superusers = frozenset(
            row["name"] for row in rows(source, "SELECT rolname::text AS name FROM pg_roles WHERE rolsuper")
        )
        users = (ends["source"]["user"], ends["target"]["user"])
        options = Options(
            mode,
            jobs,
            following,
            tuple(ignore),
            (*HELPER_SCHEMAS, *exclude_schemas),
            Rules(mapping, superusers, users, dict(owner_map or {}), _is_azure(target)),
            min(source.server_version, target.server_version),
            DrillOptions(keys, reveal_values, max_differences),
            bits,
            method,
            used,
            base if mode == RECHECK else None,
            {side: ends[side]["static_proof"] for side in ends},
            active,
            Pace(busy_percent, following),
            overrides,
            run_id[:8],
            ledger,
        )
        others = _other_databases(source, request.databases)
        databases = [verify_database(request, name, options) for name in request.databases]
        roles = {}
        if mode != COUNTS:
            referenced = {role for entry in databases for role in entry["referenced_roles"]}
            count, members, findings = compare_roles(read_roles(source), read_roles(target), referenced, mapping, users)
            roles = {"roles": count, "memberships": members, **sort_out(findings, ignore)}
    finally:
        source.close()
        target.close()
    ends["source"]["fence"] = fence() if fence else None
    finished = datetime.now(timezone.utc)
    report = {
        "format": FORMAT,
        "tool": {"name": "azpg.migrate", "version": VERSION, "host": platform.node()},
        "algorithm": SERVER_ALGORITHM if used == SERVER else CLIENT_ALGORITHM,
        "method": {"asked": method, "used": used},
        "seed": str(SEED),
        "canaries": canaries,
        "run_id": run_id,
        "resumed": {"pieces": ledger.taken, "runs": ledger.runs} if ledger else {"pieces": 0, "runs": []},
        "mode": mode,
        "base": origin(base) if mode == RECHECK else None,
        "sample": summary(bits, accept_sample) if mode == SAMPLE else None,
        "accept_sample": bool(accept_sample) if mode == SAMPLE else False,
        "keys": keys,
        "reveal_values": bool(reveal_values),
        "max_differences": max_differences,
        "jobs": jobs,
        "busy_percent": busy_percent,
        "request_hash": request.hash,
        "migration": {"name": request.name, "provider": request.provider, "mode": request.mode},
        "started_at": stamp(started),
        "finished_at": stamp(finished),
        "valid_until": stamp(finished + timedelta(hours=VALID_HOURS)),
        "consistency": "Each database was read under one snapshot per side; that databases agree with each other "
        "follows only from writers being stopped.",
        **ends,
        "session_settings": settings(options.oldest_version),
        "role_map": mapping,
        "owner_map": dict(owner_map or {}),
        "ignore": _counted(ignore, [entry["schema"] for entry in databases] + [roles]),
        "overrides": list(overrides),
        "excluded": _excluded(exclude_schemas, users, others),
        "databases": databases,
        "roles": roles,
    }
    report["totals"] = totals(report)
    report["verdict"] = overall(report)
    report["reason"] = reason(report)
    report["sha256"] = digest(report)
    following.say(f"{report['verdict']}: {report['reason']}")
    following.close(report["verdict"])
    return report


def _is_azure(target) -> bool:
    """Return whether a server is a flexible server of Azure, told by its administrators' role."""
    return bool(value(target, "SELECT count(*) FROM pg_roles WHERE rolname = %s", (AZURE_ADMINISTRATOR,)))


def _earlier(side: str, base: dict | None, ledger: Ledger | None) -> list:
    """Return the moments at which that was looked at which this run may rest on; nothing is waited for without one."""
    positions = [base[side].get("static_proof")] if base else []
    positions += [segment["proofs"][side] for segment in ledger.segments] if ledger else []
    return [moment((position or {}).get("taken_at")) for position in positions]


def _canary(session) -> str:
    """Return whether a server computes the known hashes: ok, differs, or absent where it has no such functions."""
    if session.server_version < 110000:
        return "absent"
    try:
        return "ok" if check_canaries(session) else "differs"
    except psycopg2.Error:
        return "absent"


def _method(asked: str, canaries: dict) -> str:
    """Return how rows are read: by the servers if both compute the known hashes, else here."""
    if asked != AUTO:
        return asked
    return SERVER if set(canaries.values()) == {"ok"} else CLIENT


def _counted(ignore, sections) -> list:
    """Return the patterns with the number C(n) of differences that each of them fits."""
    found = [item for section in sections for item in (section or {}).get("ignored", [])]
    return [{**pattern, "n": sum(bool(is_ignored(item, [pattern])) for item in found)} for pattern in ignore]


def _sizes(source, databases) -> dict:
    """Return C({database: bytes}) of the source, None for what may not be known."""
    found = rows(
        source,
        "SELECT datname::text AS name, CASE WHEN has_database_privilege(oid, 'CONNECT') THEN pg_database_size(oid) END AS size "
        "FROM pg_database WHERE datname = ANY (%s::name[])",
        (list(databases),),
    )
    sizes = {row["name"]: row["size"] for row in found}
    return {name: sizes.get(name) for name in databases}


def _sessions(request: Request) -> tuple:
    """Open one session per side for what belongs to the whole server, in the first database."""
    quiet = quiet_settings()
    source = connect(request.source, "source", request.source.dbname or request.databases[0], settings=quiet)
    try:
        return source, connect(request.target, "target", request.target.dbname or request.databases[0], settings=quiet)
    except BaseException:
        source.close()
        raise


def _other_databases(source, databases) -> list:
    """Return the databases of the source that this migration does not move; who takes the server away takes them too."""
    found = rows(
        source,
        "SELECT datname::text AS name FROM pg_database WHERE NOT datistemplate AND datname <> ALL (%s::name[]) "
        "AND datname <> ALL (%s::name[]) ORDER BY 1",
        (list(databases), list(AZURE_DATABASES)),
    )
    return [row["name"] for row in found]


def _excluded(schemas, users, others) -> list:
    left_out = [{"what": f"schema {name}", "why": why} for name, why in HELPER_SCHEMAS.items()]
    left_out += [{"what": f"schema {name}", "why": "left out as asked (exclude_schemas)"} for name in schemas]
    left_out += [
        {"what": f"database {name}", "why": "on the source, and no part of this migration: other reports may be of it"}
        for name in others
    ]
    return left_out + [
        {"what": f"grants to, and memberships of, {user} on the {side}", "why": "it is the user that migrates"}
        for side, user in zip(("source", "target"), users)
    ]
