# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all records of a target together say of one migration."""

from __future__ import annotations

from dataclasses import dataclass

from ..._core import status
from ..._core.errors import PreconditionFailed
from ..._core.request import Request
from . import identity
from .record import Record


@dataclass(frozen=True)
class Story:
    """The records of one migration, oldest first, and those of others that are active on the same target.

    I(moves) carry data; I(validations) only look. Records that were turned away because the target was busy are among
    I(moves), but decide nothing: they never began. I(namesake) carries the migration's name, but another request.
    """

    request: Request
    moves: tuple
    validations: tuple
    others: tuple
    namesake: Record | None = None

    @classmethod
    def read(cls, request: Request, records: list, named: str | None = None) -> Story:
        """Sort out the records of the request's target.

        :param records: every record of the target
        :param named: name of a record that is to count as this migration's although it lacks the tags
        """
        mine = [
            record
            for record in records
            if (record.tags.get(identity.MIGRATION), record.tags.get(identity.REQUEST)) == (request.name, request.hash)
            or (named is not None and record.name.lower() == named.lower())
        ]
        order = sorted(mine, key=lambda record: record.place.run if record.place else 0)
        return cls(
            request,
            moves=tuple(record for record in order if record.option != "validate"),
            validations=tuple(record for record in order if record.option == "validate"),
            others=tuple(record for record in records if record.active and record not in mine),
            namesake=namesake(request, records),
        )

    @property
    def active(self) -> Record | None:
        """The record that is under way, whether it carries data or looks; the newest if there were several."""
        return next((record for record in (*self.moves[::-1], *self.validations[::-1]) if record.active), None)

    @property
    def begun(self) -> tuple:
        """The records that carry data, or did, without those that were turned away."""
        return tuple(record for record in self.moves if record.active or not record.turned_away)

    @property
    def newest(self) -> Record | None:
        """The newest record that carries data, or did."""
        return self.begun[-1] if self.begun else None

    def record_of(self, database: str) -> Record | None:
        """Return the newest record that carries a database, or did; None when it has not been begun."""
        return next((record for record in self.begun[::-1] if database in record.databases), None)

    def database_state(self, database: str) -> str:
        """Return our word for a database's state; C(absent) for one that has not been begun."""
        record = self.record_of(database)
        return record.database_state(database) if record else status.ABSENT

    @property
    def remaining(self) -> tuple:
        """The databases that have not arrived and are not under way, in the order of the request."""
        done = (status.COMPLETED, status.RUNNING, status.REPLICATING, status.WAITING)
        return tuple(name for name in self.request.databases if self.database_state(name) not in done)

    @property
    def state(self) -> str:
        """Our word for the whole."""
        newest = self.newest
        if newest is None:
            return status.QUEUED if self.moves else status.ABSENT
        if newest.active:
            return newest.state
        if not self.remaining:
            return status.COMPLETED
        if self.moves[-1] is newest and newest.state in (status.FAILED, status.CANCELLED):
            return newest.state
        return status.QUEUED

    def next_run(self, kind: str) -> int:
        """Return the number of the next run of a kind: names are never used again, so neither are numbers."""
        taken = self.moves if kind == identity.MIGRATE else self.validations
        return 1 + max((record.place.run for record in taken if record.place), default=0)


def namesake(request: Request, records: list) -> Record | None:
    """Return a record that carries the migration's name, but another request."""
    return next(
        (
            record
            for record in records
            if record.tags.get(identity.MIGRATION) == request.name
            and record.tags.get(identity.REQUEST) not in (None, request.hash)
        ),
        None,
    )


def check_named(request: Request, record: Record | None, named: str, source: str) -> None:
    """Make sure that the record that the user names is the migration that is asked for.

    :param source: how the service names the request's source
    :raises PreconditionFailed: naming what differs, or that there is no such record
    """
    if record is None:
        raise PreconditionFailed(
            f"The target {request.target_server_id.name} has no migration {named!r}.",
            "Correct 'azure_migration_name'; 'az postgres flexible-server migration list --filter All' prints the names.",
        )
    owner = (record.tags.get(identity.MIGRATION), record.tags.get(identity.REQUEST))
    if owner[0] and owner != (request.name, request.hash):
        raise PreconditionFailed(
            f"Migration {record.name} of {request.target_server_id.name} belongs to {owner[0]!r} already.",
            "Repeat that request as it was, or leave 'azure_migration_name' out.",
        )
    differing = [
        f"its {words} is {there} there and {here} here"
        for words, there, here in (
            ("mode", record.mode or "offline", request.mode),
            ("source", record.source.lower(), source.lower()),
            ("list of databases", ", ".join(sorted(record.databases)), ", ".join(sorted(request.databases))),
        )
        if there != here
    ]
    if request.runtime_server_id and record.runtime != request.runtime_server_id:
        differing.append(f"its runtime server is {record.runtime or 'none'} there and {request.runtime_server_id} here")
    if record.option == "validate":
        differing.append("it only validates")
    if differing:
        raise PreconditionFailed(
            f"Migration {record.name} of {request.target_server_id.name} is not the one that is asked for: "
            f"{'; '.join(differing)}.",
            "Describe it as it is, or leave 'azure_migration_name' out.",
        )
