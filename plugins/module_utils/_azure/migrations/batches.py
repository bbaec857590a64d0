# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases in batches: what one migration record of the service carries."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core.errors import InvalidRequest

USUAL, MOST = 8, 50


@dataclass(frozen=True)
class Batch:
    """The databases of one record, and whether those of the same name on the target are replaced."""

    number: int
    databases: tuple
    overwrite: bool = False


def check_options(databases: tuple, mode: str, size: int, groups: list | None, overwrite: list) -> None:
    """Make sure that databases can be put into batches as asked.

    :raises InvalidRequest: naming the option and what is wrong
    """
    if not 1 <= size <= MOST:
        raise InvalidRequest(
            f"'batch_size' is {size}.", f"The service takes 1 to {MOST} databases in one migration; {USUAL} are usual."
        )
    strangers = sorted(set(overwrite) - set(databases))
    if strangers:
        raise InvalidRequest(
            f"'overwrite_databases' names {', '.join(strangers)}, which 'databases' does not.",
            "Name only databases that are migrated.",
        )
    if groups is not None:
        check_groups(databases, size, groups)
    elif mode == "online" and len(databases) > size:
        raise InvalidRequest(
            f"{len(databases)} databases are to be migrated online, and one migration of the service takes {size}.",
            "Name in 'groups' which of them cut over together, one group after the other; or raise 'batch_size'.",
        )
    if mode == "online":
        for group in groups or [databases]:
            named = sorted(set(group) & set(overwrite))
            others = sorted(set(group) - set(named))
            if named and others:
                raise InvalidRequest(
                    f"Of one group, {', '.join(named)} may be overwritten on the target and {', '.join(others)} may not.",
                    "The service knows one answer for a whole migration: put them into 'groups' of their own.",
                )


def check_groups(databases: tuple, size: int, groups: list) -> None:
    """Make sure that groups hold each database once and are not too large.

    :raises InvalidRequest: naming the databases
    """
    named = [name for group in groups for name in group]
    twice = sorted({name for name in named if named.count(name) > 1})
    for words, names in (
        ("does not name", sorted(set(databases) - set(named))),
        ("names databases that are not migrated:", sorted(set(named) - set(databases))),
        ("names more than once", twice),
    ):
        if names:
            raise InvalidRequest(f"'groups' {words} {', '.join(names)}.", "Put each of 'databases' into one group.")
    large = next((group for group in groups if not 1 <= len(group) <= size), None)
    if large is not None:
        raise InvalidRequest(
            f"A group of 'groups' has {len(large)} databases; a migration of the service takes 1 to {size}.",
            f"Make it smaller, or raise 'batch_size' (at most {MOST}).",
        )


def batches(databases: tuple, size: int, groups: list | None, overwrite: list) -> list:
    """Return the databases as batches in the order in which they are carried.

    Those that may be overwritten do not share a batch with those that may not, since the service knows one answer for
    all databases of a migration.
    """
    found: list = []
    for group in groups or [databases]:
        for leave in (False, True):
            names = [name for name in group if (name in overwrite) == leave]
            found += [(tuple(names[start : start + size]), leave) for start in range(0, len(names), size)]
    return [Batch(number, names, leave) for number, (names, leave) in enumerate(found, 1)]
