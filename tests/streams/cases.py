# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an application may do to its rows, case by case: the files of the folder C(cases), each in a schema of its own.

The first line of a file says C(since) which major of the source it makes sense, C(replays) when its changes cannot be
written as sets, and C(text) when its values cannot come in binary form. What follows C(-- tables) is run on both servers,
each C(-- round) on the source; after a round the target has to have caught up. Without BEGIN every statement is a
transaction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "cases"
PART = re.compile(r"^-- (tables|round)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """A case; I(since) is the oldest source that knows what it uses."""

    name: str
    tables: str
    rounds: tuple
    since: int
    replays: bool
    text: bool


def read(path: Path) -> Case:
    """Return the case of a file."""
    head, _first, tables, *rest = PART.split(path.read_text(encoding="utf-8"))
    since = re.search(r"since (\d+)", head)
    return Case(path.stem, tables, tuple(rest[1::2]), int(since[1]) if since else 10, "replays" in head, "text" in head)


CASES = tuple(read(path) for path in sorted(FOLDER.glob("*.sql")))
