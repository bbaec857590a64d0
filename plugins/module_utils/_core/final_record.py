# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The final record: written once by cleanup, outside what cleanup deletes, and read first by every phase."""

from __future__ import annotations

import os

from .canonical import digest
from .errors import PreconditionFailed
from .files import make_private_directory, read_json, write_json, write_private
from .final_page import final_page
from .layout import Layout
from .request import Request

FORMAT = "azpg.migrate/final-record/1"


def read_final_record(layout: Layout, request: Request) -> dict | None:
    """Return the final record of this very request, or None when there is none.

    :raises PreconditionFailed: when the file is there but was edited or cannot be read as a final record, or when it is
        of another request: its evidence is not to be overwritten
    """
    path = layout.final_record_file
    try:
        record = read_json(path)
    except ValueError as error:
        raise PreconditionFailed(
            f"The final record {path} is not JSON ({error}).", "Restore it from a backup, or move it away."
        ) from error
    if record is None:
        return None
    content = {key: value for key, value in record.items() if key != "sha256"}
    if record.get("format") != FORMAT or record.get("sha256") != digest(content):
        raise PreconditionFailed(
            f"The final record {path} does not match its own digest, or has an unknown format.",
            "Restore it from a backup, or move it away to start a new migration under this name.",
        )
    if record["request_hash"] != request.hash:
        raise PreconditionFailed(
            f"The name {request.name} belongs to a migration that ended at {record.get('finished_at')}, from "
            f"{record['request']['source']} to {record['request']['target']}, databases "
            f"{', '.join(record['request']['databases'])}; its final record is {path}.",
            "Choose another 'name', or another 'archive_directory'.",
            {"request": record["request"]},
        )
    return record


def write_final_record(layout: Layout, request: Request, content: dict) -> dict:
    """Write I(content) with identity and digest as the final record, and its page, and return the whole record."""
    record = {"format": FORMAT, "request_hash": request.hash, "request": request.identity, **content}
    record["sha256"] = digest(record)
    make_private_directory(layout.archive)
    # The page first: what is there once the record is there is whole.
    write_private(layout.final_record_page, final_page(record))
    write_json(layout.final_record_file, record)
    return record


def keep_final_record(layout: Layout, request: Request, record: dict) -> None:
    """Write down a final record that another host has written, so that this one knows as well.

    :raises PreconditionFailed: when it is not whole, or of another request
    """
    make_private_directory(layout.archive)
    write_json(layout.final_record_file, record)
    try:
        read_final_record(layout, request)
    except PreconditionFailed:
        os.unlink(layout.final_record_file)
        raise
