# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who did what and when, and where the workers' time went: figures from the journal for the page that shows them."""

from __future__ import annotations

from .journal import open_reader
from .progress import query, summarize

LISTED = 15
POINTS = 240

SPANS = """
SELECT id, run, worker, database, unit, kind, label, units, bytes_total, rows, bytes, outcome, started,
       COALESCE(finished, started) AS finished FROM span ORDER BY started, id
"""


def read_timeline(path: str) -> dict:
    """Return the figures of the journal I(path); times in seconds from the first run's beginning, pauses left out.

    Keys: progress (see M(progress.summarize)), runs (C([{number, start, seconds, state, jobs, cpu, at}])), seconds, jobs,
    spans (C([{..., start, seconds, alone}])), kinds (C({kind: worker seconds})), worker_seconds, idle_seconds,
    single_seconds, causes (C({cause: workers observed})), looks, waits, rates (C([(start, seconds, bytes per second)])),
    limit.
    """
    with open_reader(path) as connection:
        runs = read_runs(connection)
        spans = read_spans(connection, runs)
        causes = dict(connection.execute("SELECT cause, samples FROM cause"))
        found = {
            "progress": summarize(connection),
            "runs": runs,
            "seconds": sum(run["seconds"] for run in runs),
            "jobs": max((run["jobs"] for run in runs), default=1),
            "spans": spans,
            "kinds": {},
            "looks": int(causes.pop("samples", 0)),
            "causes": causes,
            "waits": query(connection, "SELECT * FROM wait ORDER BY samples DESC, side, activity, type, event"),
            "rates": read_rates(connection, runs),
            "limit": query(connection, "SELECT value FROM meta WHERE key = 'max_bytes_per_second' AND value <> 'null'"),
        }
    for span in spans:
        found["kinds"][span["kind"]] = found["kinds"].get(span["kind"], 0.0) + span["seconds"]
    found["worker_seconds"] = sum(span["seconds"] for span in spans if span["worker"])
    found["idle_seconds"], found["single_seconds"] = share_out(runs, spans)
    return found


def read_runs(connection) -> list:
    """Return the engine's runs one after the other on an axis without the pauses between them."""
    runs, start = [], 0.0
    for row in query(connection, "SELECT id, started, finished, state, jobs, cpu FROM run ORDER BY id"):
        seconds = max((row["finished"] or row["started"]) - row["started"], 0.0)
        runs.append(
            {
                "number": row["id"], "start": start, "seconds": seconds, "state": row["state"] or "running",
                "jobs": row["jobs"], "cpu": row["cpu"], "at": row["started"],
            }
        )  # fmt: skip
        start += seconds
    return runs


def read_spans(connection, runs: list) -> list:
    """Return the spans with C(start) and C(seconds) on the axis of the runs."""
    known = {run["number"]: run for run in runs}
    spans = []
    for span in query(connection, SPANS):
        run = known[span["run"]]
        begun, ended = span.pop("started"), span.pop("finished")
        start = min(max(begun - run["at"], 0.0), run["seconds"])
        span.update(start=run["start"] + start, seconds=min(max(ended - begun, 0.0), run["seconds"] - start), alone=0.0)
        spans.append(span)
    return spans


def read_rates(connection, runs: list) -> list:
    """Return C([(start, seconds, bytes per second)]) of at most a few hundred steps."""
    known = {run["number"]: run for run in runs}
    total = sum(run["seconds"] for run in runs) or 1
    steps: list = []
    before = None
    for number, at, carried in connection.execute("SELECT run, at, bytes FROM sample ORDER BY run, at"):
        if before and before[0] == number and at > before[1]:
            start = known[number]["start"] + before[1] - known[number]["at"]
            amount = max(0, carried - before[2])
            if steps and steps[-1][1] < total / POINTS and start - (steps[-1][0] + steps[-1][1]) < 0.001:
                steps[-1] = (steps[-1][0], steps[-1][1] + at - before[1], steps[-1][2] + amount)
            else:
                steps.append((start, at - before[1], amount))
        before = (number, at, carried)
    return [(start, seconds, amount / seconds) for start, seconds, amount in steps if seconds > 0]


def share_out(runs: list, spans: list) -> tuple:
    """Return C((idle, single)): worker seconds without work beside a busy worker, and those while no worker was busy.

    A span's C(alone) becomes the worker seconds that others were idle for while it ran, shared with those beside it:
    the largest is what everybody waited for in the end.
    """
    idle = single = 0.0
    for run in runs:
        mine = [span for span in spans if span["run"] == run["number"] and span["worker"] and span["seconds"] > 0]
        edges = [(span["start"], 1, number) for number, span in enumerate(mine)]
        edges += [(span["start"] + span["seconds"], 0, number) for number, span in enumerate(mine)]
        end = run["start"] + run["seconds"]
        at, busy = run["start"], set()
        for moment, begins, number in [*sorted(edges), (end, 0, None)]:
            seconds = max(0.0, moment - at)
            if busy:
                without = max(0, run["jobs"] - len(busy)) * seconds
                idle += without
                for one in busy:
                    mine[one]["alone"] += without / len(busy)
            else:
                single += run["jobs"] * seconds
            at = max(at, moment)
            if begins:
                busy.add(number)
            else:
                busy.discard(number)
    return idle, single


def largest(spans: list) -> list:
    """Return the largest tables, each with the span that copied it last."""
    copies = {(span["database"], span["unit"]): span for span in spans if span["kind"] in ("table", "large_objects")}
    found = [span for span in copies.values() if span["units"] == 1 and span["outcome"] == "done"]
    return sorted(found, key=lambda span: (-(span["bytes_total"] or span["bytes"] or 0), span["label"]))[:LISTED]


def slowest(spans: list) -> list:
    """Return the spans that took longest, of whatever kind."""
    return sorted((span for span in spans if span["worker"]), key=lambda span: (-span["seconds"], span["label"]))[
        :LISTED
    ]
