# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts that the gate judges, read from both servers at the moment of the decision."""

from __future__ import annotations

from typing import Callable

from .._core.errors import MigrationError
from .._core.redaction import redact
from .._core.request import Request
from .._postgres.connection import connect, quiet_settings
from .._postgres.driver import psycopg2
from .identity import identity, open_writers, static_proof
from .recheck import left_out, proof_holds, recheck
from .sequences import is_behind, read_sequences
from .session import open_session


def collect(
    request: Request,
    report: dict | None,
    *,
    migration_state: str,
    other_users: list | None,
    runtime_is_endpoint: str | None,
    unseen: list | None = None,
    fence: dict | None = None,
    progress: Callable[[str], None] | None = None,
) -> dict:
    """Read the evidence for M(gate.evaluate); a server that cannot be read is part of it, nothing is raised for it.

    Return C({request_hash, migration_state, other_users, unseen, runtime_is_endpoint, fence, source, target, static, recheck,
    sequences}). C(source) and C(target) are identities, or C({error}). C(static) is C({holds, proof,
    writers}). C(recheck) is
    None while the write position stands still, else what M(recheck.recheck) returned. C(sequences) is
    C({checked, behind, unreadable}).

    :param migration_state: one of the states of C(_core.status)
    :param other_users: names of other active migrations that use the runtime server, None when nobody knows
    :param unseen: what could not be looked at for that
    :param fence: what the fence around the source is worth now, as of M(fence_measure.measure); None without one
    :param runtime_is_endpoint: C(source) or C(target) when the runtime server is that, else None
    """
    evidence = {
        "request_hash": request.hash,
        "migration_state": migration_state,
        "other_users": None if other_users is None else list(other_users),
        "unseen": list(unseen or ()),
        "runtime_is_endpoint": runtime_is_endpoint,
        "fence": fence,
        "static": {"holds": False, "proof": None, "writers": None},
        "recheck": None,
        "sequences": {"checked": 0, "behind": [], "unreadable": []},
    }
    for side, endpoint in (("source", request.source), ("target", request.target)):
        try:
            connection = connect(endpoint, side, endpoint.dbname or request.databases[0], settings=quiet_settings())
            try:
                evidence[side] = identity(connection, endpoint, request.databases)
                if side == "source":
                    evidence["static"]["proof"] = static_proof(connection)
                    evidence["static"]["writers"] = open_writers(connection, request.databases)
            finally:
                connection.close()
        except MigrationError as error:
            evidence[side] = {"error": error.msg}
        except psycopg2.Error as error:
            evidence[side] = {"error": redact(" ".join(str(error).split()), request.secret_values)}
    if any("error" in evidence[side] for side in ("source", "target")):
        return evidence
    evidence["sequences"] = _sequences(request, left_out(report))
    proof = evidence["static"]["proof"]
    if report and isinstance(report.get("source"), dict) and report.get("databases"):
        evidence["static"]["holds"] = proof_holds(report["source"].get("static_proof"), proof)
        if not evidence["static"]["holds"]:
            evidence["recheck"] = recheck(request, report, proof, progress)
    return evidence


def _sequences(request: Request, excluded) -> dict:
    """Read the sequences of both ends again: nextval() mostly leaves no trace in the write position."""
    result = {"checked": 0, "behind": [], "unreadable": []}
    for name in request.databases:
        ends = []
        try:
            for side, endpoint in (("source", request.source), ("target", request.target)):
                session = open_session(endpoint, side, name, quiet_settings())
                try:
                    ends.append(read_sequences(session, excluded))
                finally:
                    session.close()
        except (MigrationError, psycopg2.Error) as error:
            result["unreadable"].append(
                f"database {name}: {redact(' '.join(str(error).split()), request.secret_values)}"
            )
            continue
        for sequence, left in ends[0].items():
            right = ends[1].get(sequence)
            result["checked"] += 1
            if right is None or "error" in left or "error" in right:
                result["unreadable"].append(f"{name}: {sequence}")
            elif is_behind(left, right):
                result["behind"].append(f"{name}: {sequence}")
    return result
