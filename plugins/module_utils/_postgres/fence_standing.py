# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fence around a migration's source: put up before the verification, measured after it, taken down on demand.

What it changed lies in a file of the migration's directory from before the first change on, and moves to the archive
with cleanup while the fence still stands, so that the way back never ends.
"""

from __future__ import annotations

import os

from .._core.errors import MigrationError
from .._core.files import make_private_directory, read_json, write_json
from .._core.layout import Layout
from .._core.request import Request
from .fence import apply, unfence
from .fence_measure import FENCED, UNKNOWN, measure
from .fence_record import plan

KEEP, UP, DOWN = CHOICES = ("keep", "up", "down")
BACK = "What it could change is changed; 'fence: down' takes it back."


class FenceFailed(MigrationError):
    """The fence does not keep everybody out, or that cannot be measured; C(details) is the evidence."""

    code = "fence-failed"


def standing(layout: Layout) -> dict | None:
    """Return C({record, applied_at}) of the fence that stands, or None."""
    for path in (layout.fence_file, layout.archived_fence_file):
        found = read_json(path)
        if found is not None:
            return found
    return None


def measured(request: Request, layout: Layout) -> dict | None:
    """Return what the fence that stands is worth now, None without one; what fails makes it unknown."""
    stored = standing(layout)
    if stored is None:
        return None
    try:
        found = measure(request.source, request.databases, since=stored["applied_at"])
    except MigrationError as error:
        return {"verdict": UNKNOWN, "open": [], "unknown": [error.msg]}
    return {**found, "methods": stored["record"]["methods"]}


def put_up(request: Request, layout: Layout, methods, grace_seconds: float, check_mode: bool) -> tuple:
    """Put up the fence unless one stands that holds; return C((evidence, whether anything was changed)).

    :raises FenceFailed: when it does not hold, or cannot be measured
    """
    stored = standing(layout)
    if (
        stored
        and set(methods) <= set(stored["record"]["methods"])
        and set(request.databases) <= set(stored["applied_at"])
    ):
        evidence = measured(request, layout)
        if evidence["verdict"] == FENCED:
            return evidence, False
    record = plan(request.source, request.databases, methods=methods, previous=stored and stored["record"])
    if check_mode:
        return {"verdict": UNKNOWN, "open": [], "unknown": ["it is not up yet"], "missing": record["missing"]}, True
    make_private_directory(layout.directory)
    write_json(layout.fence_file, {"record": record, "applied_at": stored["applied_at"] if stored else {}})
    evidence = apply(request.source, record, grace_seconds=grace_seconds)
    write_json(layout.fence_file, {"record": record, "applied_at": evidence["applied_at"]})
    if evidence["verdict"] != FENCED:
        said = "; ".join([*evidence["open"], *evidence["unknown"]][:5])
        lacking = "; ".join(evidence["missing"][:5])
        raise FenceFailed(
            f"The fence around the source does not keep everybody out: {said}."
            + (f" Missing rights: {lacking}." if lacking else ""),
            f"End what is named, or grant the rights, and run again. {BACK}",
            evidence,
        )
    return evidence, True


def take_down(request: Request, layout: Layout, check_mode: bool) -> dict:
    """Restore on the source what was there before the fence; return C({restored, left, written, changed}), see M(unfence).

    :raises FenceFailed: when some of it could not be restored; what it changed stays on record then
    """
    stored = standing(layout)
    if stored is None:
        return {"restored": [], "left": [], "written": [], "changed": False}
    if check_mode:
        return {"restored": [], "left": [], "written": [], "changed": True}
    found = unfence(request.source, stored["record"])
    if found["failed"]:
        raise FenceFailed(
            f"Some of the fence could not be taken down: {'; '.join(found['failed'][:5])}.",
            "Run the statements in brackets as an administrator of the source, then run this again.",
            found,
        )
    for path in (layout.fence_file, layout.archived_fence_file):
        if os.path.exists(path):
            os.unlink(path)
    return {**{word: found[word] for word in ("restored", "left", "written")}, "changed": True}


def keep_record(layout: Layout) -> list:
    """Copy the record of a fence that stands to the archive; return its path there, in a list that may be empty."""
    stored = read_json(layout.fence_file)
    if stored is None:
        return []
    make_private_directory(layout.archive)
    write_json(layout.archived_fence_file, stored)
    return [layout.archived_fence_file]
