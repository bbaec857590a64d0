# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many migrations at one glance: what each has come to, in the same few words whatever it is and whoever carries it."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from . import status
from .progress_lines import LONGEST_LINE, shortened
from .units import human_bytes, human_seconds

# Words beside those of a migration: the host did not answer, or the module could not look.
UNREACHABLE = "unreachable"
UNKNOWN = "unknown"
# In the order in which people want to see them: what needs somebody, what goes on, what is to come, what is over.
ORDER = (
    UNREACHABLE,
    UNKNOWN,
    status.FAILED,
    status.INTERRUPTED,
    status.CANCELLED,
    status.WAITING,
    status.REPLICATING,
    status.RUNNING,
    status.QUEUED,
    status.COMPLETED,
    status.ABSENT,
    status.DECOMMISSIONED,
)
NEEDS_SOMEBODY = {UNREACHABLE, UNKNOWN, status.FAILED, status.INTERRUPTED, status.CANCELLED, status.WAITING}
# What to do about a state that brings no words of its own.
REMEDIES = {
    status.INTERRUPTED: "The engine was killed, or its host went down. Run the playbook again to resume.",
    status.CANCELLED: "It was cancelled. Run the playbook again to resume.",
    status.WAITING: "The migration service waits for an answer.",
}
LONGEST_NOTE = 400


class Row(NamedTuple):
    """One migration. Sizes are in bytes, times in seconds; None where there is nothing to say."""

    name: str
    host: str
    state: str
    source: str = ""
    target: str = ""
    databases: tuple = ()
    bytes_total: int | None = None
    bytes_done: int | None = None
    tables_total: int | None = None
    rows: int | None = None
    elapsed: int | None = None
    left: int | None = None
    verdict: str = ""
    note: str = ""
    warnings: int = 0
    pages: tuple = ()

    @property
    def attention(self) -> bool:
        """Whether somebody has to do something."""
        return self.state in NEEDS_SOMEBODY or self.verdict not in ("", "MATCH")

    @property
    def share(self) -> float:
        """The part of the bytes that has arrived, 0 to 1."""
        if self.state in (status.COMPLETED, status.DECOMMISSIONED):
            return 1.0
        return min((self.bytes_done or 0) / self.bytes_total, 1.0) if self.bytes_total else 0.0


def address(words: dict) -> str:
    """Return where a connection leads, without anything secret."""
    host = words.get("host") or words.get("service") or "?"
    return f"{host}:{words['port']}" if words.get("port") else str(host)


def row_of(entry: dict) -> Row:
    """Return one migration's row.

    :param entry: C(name, host, source, target, databases, pages), and as C(migration) and C(verification) what the
        modules migration_info and verification_info returned; their failures too
    """
    found, proof = entry.get("migration") or {}, entry.get("verification") or {}
    progress = found.get("migration") or {}
    failed = found.get("failed") or not found.get("state")
    state = UNREACHABLE if found.get("unreachable") else UNKNOWN if failed else found["state"]
    verdict = "" if proof.get("failed") else (proof.get("verification") or {}).get("verdict", "")
    return Row(
        name=str(entry.get("name") or entry.get("host")),
        host=str(entry.get("host", "")),
        state=state,
        source=address(entry.get("source") or {}),
        target=address(entry.get("target") or {}),
        databases=tuple(entry.get("databases") or ()),
        bytes_total=progress.get("bytes_total"),
        bytes_done=progress.get("bytes_done"),
        tables_total=progress.get("tables_total"),
        rows=progress.get("rows_done"),
        elapsed=progress.get("elapsed_seconds"),
        left=progress.get("seconds_left"),
        verdict=verdict,
        note=shortened(note_of(found, progress, proof, verdict), LONGEST_NOTE),
        warnings=len(progress.get("warnings") or ()),
        pages=tuple(entry.get("pages") or ()),
    )


def note_of(found: dict, progress: dict, proof: dict, verdict: str) -> str:
    """Return the one sentence that says what is the matter, or nothing."""
    if found.get("failed") or found.get("unreachable"):
        return str(found.get("msg", ""))
    error = progress.get("error")
    if error:
        return f"{error['msg']} {error.get('hint', '')}".strip()
    if verdict and verdict != "MATCH":
        return str(proof["verification"].get("reason", ""))
    return REMEDIES.get(found.get("state", ""), "")


def ordered(rows: list) -> list:
    """Return the rows, those that need somebody first."""
    known = {state: number for number, state in enumerate(ORDER)}
    return sorted(rows, key=lambda row: (not row.attention, known.get(row.state, -1), row.name))


def counts(rows: list) -> dict:
    """Return how many migrations are in which state, in the order of C(ORDER); states that none is in are left out."""
    found = Counter(row.state for row in rows)
    known = [state for state in ORDER if found[state]]
    return {state: found[state] for state in known + sorted(set(found) - set(ORDER))}


def warnings_words(number: int) -> str:
    """Return a number of warnings in words."""
    return f"{number} warning{'' if number == 1 else 's'}"


def line_of(row: Row) -> str:
    """Return one line for a terminal, and for AWX, which keeps a kilobyte of each event."""
    parts = [row.state]
    if row.bytes_total is not None:
        arrived = row.share == 1.0
        parts.append(human_bytes(row.bytes_total) if arrived else f"{row.share:.0%} of {human_bytes(row.bytes_total)}")
    if row.elapsed:
        parts.append(human_seconds(row.elapsed))
    if row.left is not None and row.state == status.RUNNING:
        parts.append(f"{human_seconds(row.left)} left")
    if row.verdict:
        parts.append(row.verdict)
    if row.warnings:
        parts.append(warnings_words(row.warnings))
    if row.note:
        parts.append(row.note)
    return shortened(f"{row.name}: {', '.join(parts)}", LONGEST_LINE)


def summary_line(rows: list) -> str:
    """Return one line for all of them."""
    parts = [f"{number} {state}" for state, number in counts(rows).items()]
    proven = sum(row.verdict == "MATCH" for row in rows)
    total = sum(row.bytes_total or 0 for row in rows)
    noun = "migration" if len(rows) == 1 else "migrations"
    return f"{len(rows)} {noun}: {', '.join(parts) or 'none'}; {proven} proven equal; {human_bytes(total)}"
