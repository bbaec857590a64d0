# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What held a migration up, told from figures: each statement comes with those that it rests on."""

from __future__ import annotations

from .._core.units import human_bytes, human_seconds

# Less than that of all workers' time is not worth a sentence; fewer observations than that prove nothing.
LEAST_SHARE = 0.05
LEAST_LOOKS = 8

# Cause: what it is called, what helps.
CAUSES = {
    "source_cpu": ("The source's processors", "A source with faster or more processors, or fewer other sessions on it."),
    "source_disk": ("The source's disk", "More memory or faster storage on the source; a second read is served from memory."),
    "source_wal": ("The source's WAL", "Stop other writers on the source."),
    "source_lock": ("Locks on the source", "End the sessions that hold locks there; the check 'premigration' names them."),
    "source_other": ("Other waits on the source", "Look at the list of wait events below."),
    "source_helper": ("Parallel helpers on the source", "Nothing; they do the work."),
    "between": ("Round trips and the line between the servers", "A runtime server nearer to both (same region, same zone), a wider line, or more 'jobs'."),
    "limit": ("The limit 'max_bytes_per_second'", "Raise 'max_bytes_per_second', or leave it out."),
    "start": ("Workers that had yet to connect", "Nothing for a run of any length: each worker connects once per database."),
    "client": ("The engine itself", "A runtime server with faster or more processors."),
    "target_cpu": ("The target's processors", "More or faster vCores on the target while it is filled; scale down afterwards."),
    "target_disk": ("The target's disk", "Storage with more throughput (IOPS) on the target, or more 'maintenance_work_mem' so that sorts stay in memory."),
    "target_wal": ("The target's WAL", "Faster storage for WAL and a larger 'max_wal_size'; high availability and replicas switched on only afterwards."),
    "target_lock": ("Locks on the target", "Leave the target to the migration until it is complete; more 'jobs' would make it worse."),
    "target_other": ("Other waits on the target", "Look at the list of wait events below."),
    "target_helper": ("Parallel helpers on the target", "Nothing; they do the work."),
    "critical": ("One object that everybody waited for", "More 'jobs' do not help here: partition the table, or build that index later."),
    "single": ("Steps of a single session", "Fewer objects in the schema; a runtime server nearer to both servers makes each statement quicker."),
}  # fmt: skip
ACTIVITY_ADVICE = {
    "index": "Most of it went into indexes: raise 'maintenance_work_mem', and drop what the application does not need before.",
    "foreign key": "Most of it went into checking foreign keys.",
    "copy": "Most of it went into storing rows.",
}


def findings(timeline: dict) -> list:
    """Return where the workers' time went, largest share first: C([{cause, title, share, seconds, figures, advice}]).

    All shares together are the whole of it: number of workers times duration. The time in which a worker was idle is
    exact; the rest is shared out as the observations were.

    :param timeline: see M(timeline.read_timeline)
    """
    whole = timeline["jobs"] * timeline["seconds"]
    if whole <= 0:
        return []
    observed = sum(timeline["causes"].values())
    seconds = {"critical": timeline["idle_seconds"], "single": timeline["single_seconds"]}
    for cause, number in timeline["causes"].items():
        named = "limit" if cause == "between" and timeline["limit"] else cause
        seconds[named] = timeline["worker_seconds"] * number / observed if observed else 0.0
    found = []
    for cause, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        title, advice = CAUSES[cause]
        more, figures = particulars(cause, timeline)
        figures = [f"{human_seconds(spent)} of {human_seconds(whole)} of all workers together", *figures]
        found.append(
            {
                "cause": cause,
                "title": title,
                "share": spent / whole,
                "seconds": spent,
                "figures": figures,
                "advice": f"{more} {advice}".strip(),
            }
        )
    return found


def particulars(cause: str, timeline: dict) -> tuple:
    """Return C((a sentence more, the figures)) for a cause."""
    if cause == "critical":
        alone = max(timeline["spans"], key=lambda span: span["alone"], default=None)
        if alone is None or alone["alone"] <= 0:
            return "", []
        name = f"{alone['database']} {alone['label']}"
        return (
            f"Above all {name}.",
            [
                f"others were idle for {human_seconds(alone['alone'])} while {name} took {human_seconds(alone['seconds'])}"
            ],
        )
    if cause == "single":
        steps = sorted((span for span in timeline["spans"] if not span["worker"]), key=lambda span: -span["seconds"])
        return "", [
            f"{step['label']} {step['database']}".strip() + f": {human_seconds(step['seconds'])}" for step in steps[:3]
        ]
    if cause == "client":
        cpu = sum(run["cpu"] or 0 for run in timeline["runs"])
        return "", [
            f"engine and workers took {human_seconds(cpu)} of processor time in {human_seconds(timeline['seconds'])}"
        ]
    figures = [f"{timeline['causes'].get('between' if cause == 'limit' else cause, 0):.0f} of "
               f"{sum(timeline['causes'].values()):.0f} observations of busy workers"]  # fmt: skip
    if cause in ("between", "limit"):
        figures += [waiting(timeline, "target", "target sessions that waited for rows"),
                    waiting(timeline, "source", "source sessions that nobody took rows from")]  # fmt: skip
        if cause == "limit":
            figures.append(f"the limit was {human_bytes(int(timeline['limit'][0]['value']))}/s")
        return "", figures
    if cause == "start":
        return "", figures
    side = cause.partition("_")[0]
    mine: dict = {}
    for row in timeline["waits"]:
        if row["side"] == side and row["type"] != "Client":
            mine[row["activity"]] = mine.get(row["activity"], 0) + row["samples"]
    total = sum(mine.values())
    if not total:
        return "", figures
    order = sorted(mine.items(), key=lambda item: -item[1])
    figures.append("their statements: " + ", ".join(f"{name} {number / total:.0%}" for name, number in order[:3]))
    return (ACTIVITY_ADVICE.get(order[0][0], "") if side == "target" else ""), figures


def waiting(timeline: dict, side: str, words: str) -> str:
    """Return how many of a side's sessions waited for the other end of their connection."""
    mine = [row for row in timeline["waits"] if row["side"] == side and row["activity"] in ("copy", "large objects")]
    waited = sum(row["samples"] for row in mine if row["type"] == "Client")
    return f"{words}: {waited} of {sum(row['samples'] for row in mine)}"


def verdict(timeline: dict) -> str:
    """Return one sentence that names the bottleneck, or says why none can be named."""
    if timeline["looks"] < LEAST_LOOKS:
        return f"Too short to tell what held it up: {timeline['looks']} looks at the sessions, at least {LEAST_LOOKS} are needed."
    first = findings(timeline)[0]
    return f"{first['title']} took the largest share of the workers' time: {first['share']:.0%}."
