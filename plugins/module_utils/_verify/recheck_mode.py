# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode recheck: only what may have changed since an earlier report is read again, on both ends.

A table is taken from the earlier report when that one found it equal, its definition gives the same hash expressions,
and the counters of neither server say that a row of it was written since. All else is read. The result is a whole
report, as good as the earlier one, that names what it rests on.
"""

from __future__ import annotations

from .._core.canonical import digest
from .._core.errors import PreconditionFailed
from .._core.request import Request
from .._postgres.fingerprint import row_hash
from .arrival import counters_tell
from .client_hash import table_query
from .formats import ALGORITHMS, CLIENT, FORMAT, SERVER, rests_on_full
from .identity import counter_names, same_server
from .recheck import proof_holds
from .signature import content
from .tables import Table

SIDES = ("source", "target")
AGAIN = "Run the module verification with 'check: full'; a recheck needs such a report of this very migration."
COUNTERS = {"source": "counters", "target": "target_counters"}


class BaseRefused(PreconditionFailed):
    """The earlier report cannot be the base of a recheck."""

    code = "recheck-base-refused"


def check_base(base: dict | None, request: Request, live: dict) -> None:
    """Make sure that I(base) is a full report of this request and these servers.

    :param live: C({side: identity}) as read now
    :raises BaseRefused: naming what is wrong with it
    """
    if not isinstance(base, dict):
        raise BaseRefused("There is no earlier report that a recheck could rest on.", AGAIN)
    if base.get("format") != FORMAT or base.get("algorithm") not in ALGORITHMS:
        raise BaseRefused(f"The earlier report's format {base.get('format')!r} is not known.", AGAIN)
    if base.get("sha256") != digest(content(base)):
        raise BaseRefused("The earlier report was edited: its content does not have the digest that it names.", AGAIN)
    if not rests_on_full(base):
        raise BaseRefused(f"The earlier report is of mode {base.get('mode')!r}, expected 'full'.", AGAIN)
    if base.get("request_hash") != request.hash:
        raise BaseRefused("The earlier report belongs to another migration or to other parameters of this one.", AGAIN)
    for side in SIDES:
        if not same_server(base.get(side), live.get(side)):
            raise BaseRefused(
                f"The earlier report was made with another server as {side}, or its databases were made anew.", AGAIN
            )


def origin(base: dict) -> dict:
    """Return what the new report says of the one that it rests on; C(chain) goes back to the full one."""
    link = {key: base[key] for key in ("sha256", "mode", "run_id", "finished_at", "verdict")}
    return {**link, "chain": [link, *((base.get("base") or {}).get("chain") or [])]}


def entry_of(base: dict | None, database: str) -> dict | None:
    """Return the entry of I(database) in a report, or None."""
    return next((entry for entry in (base or {}).get("databases", []) if entry["name"] == database), None)


def moved(side: str, base: dict, entry: dict | None, live: dict, now: dict, last) -> set | None:
    """Return the names of the tables to which rows were written since I(base), or None when that cannot be told.

    :param entry: of the database, in the base
    :param live: the server's write position now
    :param now: the counters now, read before the new snapshot
    :param last: when a session that is there did something last, of M(arrival.await_counters)
    """
    before = (entry or {}).get(COUNTERS[side]) or {}
    stored = base[side].get("static_proof") or {}
    if not before.get("tables"):
        return None
    if proof_holds(stored, live):
        return set()
    if not counters_tell({"counters": before}, stored, live, now, last):
        return None
    return {
        name for name in {*before["tables"], *now["tables"]} if before["tables"].get(name) != now["tables"].get(name)
    }


def carry(tables: list, entry: dict | None, written: dict, connection, method: str) -> list:
    """Fill in the results of the tables that need not be read from the base's I(entry), and return the others.

    :param written: C({side: names or None}) as of M(moved)
    :param method: C(server) or C(client): what reads tables now
    """
    if entry is None or any(written.get(side) is None for side in SIDES):
        return list(tables)
    known = {(stored["schema"], stored["table"]): stored for stored in entry["tables"]}
    names = counter_names(connection, [(table.schema, table.name) for table in tables])
    again = []
    for table in tables:
        stored = known.get((table.schema, table.name))
        still = names[table.schema, table.name] not in written["source"] | written["target"]
        if stored is None or not still or not _same(table, stored, method):
            again.append(table)
            continue
        table.prehash = stored["prehash"]
        for number, side in enumerate(SIDES):
            table.results[side] = {
                "count": int(stored["rows"][number]),
                "sum": stored["sum"][number],
                "seconds": "0",
                "expression": stored["expression"][number],
                "method": stored["method"],
                "raw": stored["raw"],
                "carried": True,
            }
    return again


def _same(table: Table, stored: dict, method: str) -> bool:
    """Return whether the stored sums were found equal and computed by the expressions that would be used now."""
    if stored["verdict"] != "MATCH" or stored["method"] not in (method, CLIENT) or not all(stored["rows"]):
        return False
    if stored["condition"] != (table.facts["condition"] or ""):
        return False
    return [expression_digest(table, side, stored) for side in SIDES] == stored["expression"]


def expression_digest(table: Table, side: str, stored: dict) -> str:
    """Return the digest of the expression that reads I(table) on one end in the way that a report's entry says."""
    if not table.forms:
        return digest("")
    if stored["method"] == SERVER:
        return digest(row_hash(table.forms, table.columns[side], stored["prehash"]))
    return digest(table_query(table, side))
