# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the cases from their SQL files.

A file has sections, each begun by a line C(-- case: NAME), with words in parentheses after it where they apply:
C(from 14), the oldest source that has such a thing; C(until 13), the newest; C(as superuser). What follows is run on
the source in a schema of the case's own, which is the search path, as an ordinary owner. After a line C(-- look) comes
one query, or several after several such lines; each must return at least one row, and the same on both sides. Lines
C(-- warned: word | word) and C(-- found: word | word) tell which warning of the run and which finding of the
verification are expected; all words have to be in one of them. C(-- perhaps: word | word) is a finding that depends on chance.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "sql"
CASE = re.compile(r"^-- case: (?P<name>\w+)(?: \((?P<words>[^)]*)\))?\n", re.MULTILINE)
TOLD = re.compile(r"^-- (?:warned|found|perhaps): .*\n?", re.MULTILINE)
LOOK = re.compile(r"^-- look\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One case; I(oldest) and I(newest) are majors of the source, both inclusive."""

    topic: str
    name: str
    sql: str
    looks: tuple
    oldest: int = 0
    newest: int = 99
    superuser: bool = False
    warned: tuple = ()
    found: tuple = ()
    perhaps: tuple = ()

    def is_for(self, major: int) -> bool:
        """Tell whether a source of this major can have it."""
        return self.oldest <= major <= self.newest

    @property
    def id(self) -> str:
        """The case as a test's id."""
        return f"{self.topic}-{self.name}"


def read_cases() -> list:
    """Return all cases, by file and in the order of each."""
    found = []
    for path in sorted(FOLDER.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        heads = list(CASE.finditer(text))
        ends = [head.start() for head in heads[1:]] + [len(text)]
        for head, end in zip(heads, ends):
            words = head["words"] or ""
            limits = {word: int(number) for word, number in re.findall(r"(from|until) (\d+)", words)}
            body = text[head.end() : end]
            told = {
                word: tuple(tuple(line.split(" | ")) for line in re.findall(rf"^-- {word}: (.*)$", body, re.MULTILINE))
                for word in ("warned", "found", "perhaps")
            }
            sql, *looks = LOOK.split(TOLD.sub("", body))
            assert looks, f"{path.name}: case {head['name']} looks at nothing"
            found.append(
                Case(
                    path.stem.partition("_")[2],
                    head["name"],
                    sql,
                    tuple(look.strip().rstrip(";") for look in looks),
                    limits.get("from", 0),
                    limits.get("until", 99),
                    "as superuser" in words,
                    **told,
                )
            )
    names = [case.name for case in found]
    assert len(names) == len(set(names)), "two cases have the same name"
    return found


CASES = read_cases()
