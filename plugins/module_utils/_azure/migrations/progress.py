# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service says of a migration, in the shape that every provider reports progress in."""

from __future__ import annotations

from datetime import datetime

from ..._core import status
from .deadlines import deadlines_of, warnings_of
from .error_codes import explain
from .record import Record
from .story import Story
from .validation import findings_of
from .words import STATES, time_text

# How long to wait before the next look, in seconds: phases that end soon, and those that last.
SHORTLY, LATER = 30, 60
SHORT_PHASES = (
    "",
    "performingprerequisitesteps",
    "validationinprogress",
    "completingmigration",
    "cancelingrequesteddbmigrations",
)
# The service counts tables, and never bytes or rows.
UNKNOWN = dict.fromkeys(
    ("bytes_done", "bytes_total", "rows_done", "rows_total", "bytes_per_second", "recent_bytes_per_second",
     "seconds_left", "jobs"),
)  # fmt: skip
TABLES = ("tables_queued", "tables_loading", "tables_done", "tables_failed")


def progress_of(story: Story, now: datetime) -> dict:
    """Return the progress of a migration; see the return value C(migration) of the module migration_info."""
    state, newest = story.state, story.newest
    shown = story.active or newest
    found = {
        "state": state,
        "phase": phase_of(story),
        "records": [summary_of(record) for record in (*story.moves, *story.validations)],
        "warnings": warnings(story, now),
    }
    if newest is None:
        return {**found, **({"poll_seconds": pace_of(shown)} if state != status.ABSENT or shown else {})}
    databases = [database_of(story, name) for name in story.request.databases]
    started = min((record.started for record in story.begun if record.started), default=None)
    ended = max((record.ended for record in story.begun if record.ended), default=None)
    ended = ended if state in status.SETTLED else None
    return {
        **found,
        **UNKNOWN,
        "error": error_of(story),
        "started_at": time_text(started),
        "finished_at": time_text(ended),
        "elapsed_seconds": max(0, int(((ended or now) - started).total_seconds())) if started else 0,
        "tables_done": sum(entry["tables_done"] for entry in databases),
        "tables_total": sum(entry["tables_total"] for entry in databases),
        "databases": databases,
        "current": [],
        "events": [],
        "lag_seconds": newest.largest_lag if newest.active else None,
        "deadlines": deadlines_of(newest).as_dict(),
        "poll_seconds": pace_of(shown),
    }


def phase_of(story: Story) -> str:
    """Return what goes on, in words for people; what occupies the target while a migration waits for it."""
    if story.active:
        return story.active.phase
    if story.others:
        return f"waits for {story.others[0].name}, which is active on the target"
    if story.state == status.QUEUED:
        return f"{len(story.remaining)} databases have not been begun"
    return story.newest.phase if story.newest else ""


def pace_of(record: Record | None) -> int:
    """Return how many seconds to wait before the next look."""
    return SHORTLY if record and record.active and record.substate in SHORT_PHASES else LATER


def database_of(story: Story, name: str) -> dict:
    """Return the progress of one database."""
    record = story.record_of(name)
    entry = record.entry(name) if record else None
    counts = entry.counts if entry else {}
    return {
        "name": name,
        "state": story.database_state(name),
        "started_at": time_text(entry.started) if entry else None,
        "finished_at": time_text(entry.ended) if entry else None,
        "tables_done": counts.get("tables_done", 0),
        "tables_total": sum(counts.get(word, 0) for word in TABLES),
        "tables_failed": counts.get("tables_failed", 0),
        "lag_seconds": entry.lag_seconds if entry and entry.state == status.REPLICATING else None,
        **{
            word: counts.get(word, 0)
            for word in ("inserts", "updates", "deletes", "changes_incoming", "changes_applied")
        },
        "operation": entry.operation if entry else "",
        "message": entry.message if entry else "",
        "record": record.name if record else "",
    }


def summary_of(record: Record) -> dict:
    """Return what identifies a record of the service, and how it stands."""
    return {
        "name": record.name,
        "id": str(record.id),
        "option": record.option,
        "databases": list(record.databases),
        "state": "queued" if record.turned_away and not record.active else record.state,
        "phase": record.phase,
        "runtime_server": str(record.runtime) if record.runtime else "",
    }


def warnings(story: Story, now: datetime) -> list:
    """Return sentences that a person should read."""
    found = [sentence for record in (*story.begun, *story.validations) for sentence in warnings_of(record, now)]
    if story.state == status.COMPLETED:
        # Every database has arrived; a failure after that is worth a look, and proves nothing about the data.
        found += [
            f"{record.name}: {record.error}" for record in story.begun if record.state == status.FAILED and record.error
        ]
    for record in (*story.moves, *story.validations):
        if record.word not in STATES:
            found.append(
                f"{record.name} is in a state that this version does not know, {record.word!r}; it counts as running."
            )
    active = [record for record in (*story.moves, *story.validations) if record.active]
    if len(active) > 1:
        found.append(f"Several migrations of this request are active: {', '.join(record.name for record in active)}.")
    return found


def error_of(story: Story) -> dict | None:
    """Return why a migration failed, in the form that errors have at every edge; None when it did not."""
    record = story.newest
    if story.state == status.CANCELLED:
        return {
            "code": "transfer-failed",
            "msg": f"Migration {story.request.name} was cancelled ({record.name}).",
            "hint": "Run it again: a new run begins with the databases that have not arrived.",
            "details": {"record": str(record.id)},
        }
    if story.state != status.FAILED or record is None:
        return None
    texts = [record.error] if record.error else []
    for entry in record.details:
        if entry.message and entry.state == status.FAILED and entry.message not in record.error:
            texts.append(f"{entry.name}: {entry.message}")
    grave = [finding for finding in findings_of(record) if finding.status == "failed"]
    texts += [f"{finding.object or 'server'}: {finding.found}" for finding in grave]
    text = "; ".join(dict.fromkeys(texts)) or "the service gives no reason"
    known = explain(text)
    meanings = " ".join(dict.fromkeys(explanation.meaning for explanation in known if explanation.code))
    return {
        "code": "transfer-failed",
        "msg": f"Migration {story.request.name} failed in the service ({record.name}): {text}"
        + (f" {meanings}" if meanings else ""),
        "hint": " ".join(dict.fromkeys(explanation.remedy for explanation in known))
        or "Put the cause right and run the migration again; it starts a new run for the databases that have not arrived.",
        "details": {
            "record": str(record.id),
            "explanations": [explanation.as_dict() for explanation in known],
            "findings": [finding.as_dict() for finding in grave],
        },
    }
