# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The final record for people says everything that the record says, and nothing of it is taken for HTML."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._core.final_page import final_page
from ansible_collections.azpg.migrate.plugins.module_utils._core.final_record import write_final_record
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request

REQUEST = Request.create("shop", {"host": "a"}, {"host": "b"}, ["shop", "<b>illing"])
CONTENT = {
    "outcome": "completed",
    "finished_at": "2026-11-20T22:00:00Z",
    "signed_off_by": "Anna & Otto",
    "signed_by": "anna@example",
    "verification": {
        "verdict": "MISMATCH",
        "reason": "1 table differs.",
        "totals": {"match": 2, "tables": 3},
        "report": "/archive/verification.json",
        "sha256": "abc123",
    },
    "forced": [{"code": "verdict-mismatch", "msg": "The verdict is MISMATCH.", "hint": ""}],
    "migration": {
        "tables_done": 3,
        "rows_done": 12345,
        "bytes_done": 4096,
        "elapsed_seconds": 61,
        "warnings": ["Look."],
    },
    "runtime_server": {"name": "runtime-1", "sku": "Standard_D2ds_v5", "hours": 3.5, "cost": 1.4},
    "removed": ["target: schema azpg_migrate in database shop"],
    "kept": ["/archive/journal.sqlite"],
}


def test_page_says_what_the_record_says(tmp_path):
    layout = Layout.create("shop", str(tmp_path))
    record = write_final_record(layout, REQUEST, CONTENT)
    page = Path(layout.final_record_page).read_text(encoding="utf-8")
    assert page == final_page(record)
    wanted = (
        "a:5432",
        "b:5432",
        "12\u202f345",
        "MISMATCH",
        "2 of 3",
        "[verdict-mismatch]",
        "Anna &amp; Otto",
        "anna@example",
    )
    more = ("runtime-1", "3.5", "1.40", "schema azpg_migrate", "journal.sqlite", "Look.", record["sha256"], "abc123")
    assert [words for words in (*wanted, *more, "&lt;b&gt;illing") if words not in page] == []
    assert "<b>illing" not in page and "<script" not in page


def test_page_names_what_is_there_still_and_only_then():
    record = {"request": REQUEST.identity, "outcome": "completed", "removed": [], "kept": [], "sha256": "0"}
    assert "Still there" not in final_page({**record, "remaining": []}) + final_page(record)
    page = final_page({**record, "remaining": ["target: role <x>: somebody needs it"]})
    assert "Still there" in page and "target: role &lt;x&gt;: somebody needs it" in page


def test_page_of_what_was_given_up_claims_no_proof():
    page = final_page({"request": REQUEST.identity, "outcome": "rolled_back", "removed": [], "kept": []})
    assert "ROLLED BACK" in page and "Nothing was proven." in page and "nobody was named" in page
