# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts as pg_restore writes them, made of entries."""

from __future__ import annotations

import os

from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import Contents, Entry


def contents_of(text: str) -> Contents:
    """Return what pg_restore's text I(text) consists of."""
    stream = os.fdopen(os.memfd_create("text"), "w+b")
    stream.write(text.encode("utf-8"))
    stream.flush()
    return Contents(stream)


def rendered(entry: Entry) -> str:
    """Return an entry in the verbose form of pg_restore."""
    needs = f"-- Dependencies: {' '.join(map(str, entry.dependencies))}\n" if entry.dependencies else ""
    return (
        f"--\n-- TOC entry {entry.number} (class {entry.catalogue} OID {entry.oid})\n{needs}"
        f"-- Name: {entry.name}; Type: {entry.type}; Schema: {entry.schema}; Owner: {entry.owner}\n--\n\n{entry.text}\n\n"
    )


def archive_of(entries) -> Contents:
    """Return the contents of a section that consists of these entries."""
    return contents_of("".join(map(rendered, entries)))
