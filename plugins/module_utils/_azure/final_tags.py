# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The final record as a tag of the migration record: small, for those who have no archive directory that stays."""

from __future__ import annotations

import json

from .._core.final_record import FORMAT
from .._core.request import Request
from .client import Azure
from .errors import AzureError, NotFound
from .migrations.identity import MIGRATE
from .migrations.record import Record
from .ownership import REQUEST

FINAL = "azpg-final"
LONGEST = 256


def own_records(azure: Azure, request: Request) -> list:
    """Return the service's records of this request that moved data, the oldest first; none without a target."""
    try:
        found = azure.list(f"{request.target_server_id}/migrations", migrationListFilter="All")
    except NotFound:
        return []
    records = [Record.read(item) for item in found]
    own = [record for record in records if record.tags.get(REQUEST) == request.hash]
    return [record for record in own if record.place is None or record.place.kind == MIGRATE]


def recall(records: list, request: Request) -> dict | None:
    """Return the final record that a tag tells, with empty parts for what a tag has no room for; None without one."""
    for record in reversed(records):
        told = record.tags.get(FINAL)
        if not told:
            continue
        try:
            words = json.loads(told)
        except ValueError:
            continue
        verified = {"verdict": words["verdict"], "sha256": words.get("sha256")} if words.get("verdict") else {}
        return {
            "format": FORMAT,
            "request_hash": request.hash,
            "request": request.identity,
            "outcome": words.get("outcome", "completed"),
            "finished_at": words.get("finished_at"),
            "verification": verified,
            "migration": {"state": "decommissioned", "name": request.name},
            "runtime_server": {},
            "removed": [],
            "kept": [
                f"migration record {record.name} of {request.target_server_id.name}, with the final record as a tag"
            ],
            "summary": [f"Migration {request.name} ended at {words.get('finished_at')}: {words.get('outcome')}."],
        }
    return None


def tell(azure: Azure, records: list, final: dict) -> str:
    """Write the final record to the newest of the migration's records; return why not, or an empty text.

    That it cannot be written is no failure: the archive directory has it, and what was to go may go.
    """
    if not records:
        return "The migration service has no record of this migration that could carry the final record as a tag."
    words = {
        "outcome": final["outcome"],
        "finished_at": final["finished_at"],
        "verdict": final["verification"].get("verdict"),
        "sha256": final["sha256"],
    }
    text = json.dumps({word: value for word, value in words.items() if value}, separators=(",", ":"))
    newest = records[-1]
    if newest.tags.get(FINAL) == text:
        return ""
    try:
        azure.patch(newest.id, {"tags": {**newest.tags, FINAL: text[:LONGEST]}})
    except AzureError as error:
        return f"The final record is in the archive directory only; Azure did not take it as a tag: {error.msg}"
    return ""
