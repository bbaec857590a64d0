# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands in the way: a target takes one migration at a time, and a runtime server as many as the user allows."""

from __future__ import annotations

from ..._core.resource_id import FLEXIBLE_SERVER, ResourceId
from .. import subscriptions
from ..errors import AzureError, Forbidden, NotFound
from .listing import SharedFiles
from .record import Record

# A list that is no older than so many seconds is as good as a new one: changes of this controller are noted at once.
FRESH = 0.5
# Seconds for which the list of a subscription's servers, and a server without any migration, are taken to be the same.
SERVERS_AGE = 600


class Occupancy:
    """The migrations of all targets that can be seen, read as seldom as will do.

    :param azure: a session with Resource Manager
    :param files: what the processes of this controller share
    :param place: what keeps the answers of one cloud apart from those of another
    """

    def __init__(self, azure, files: SharedFiles, place: str):
        self.azure = azure
        self.files = files
        self.place = place

    def key(self, target: ResourceId) -> str:
        """Return the name under which a target's migrations are kept."""
        return f"{self.place}{target.key}/migrations"

    def records(self, target: ResourceId, allowed_age: float = FRESH) -> list:
        """Return all migration records of a target, ended ones included, not older than I(allowed_age) seconds.

        :raises NotFound: when there is no such server
        """
        path = f"{target}/migrations"
        entries = self.files.fetch(
            self.key(target), lambda: self.azure.list(path, migrationListFilter="All"), allowed_age
        )
        return [Record.read(entry) for entry in entries]

    def changed(self, target: ResourceId) -> None:
        """Note that a target's migrations have been changed from here."""
        self.files.forget(self.key(target))

    def using(self, runtime: ResourceId, own: list, allowed_age: float, everywhere: bool = False) -> list:
        """Return the active records of all targets that refer to a runtime server.

        Targets are the flexible servers of the subscriptions I(own), as far as they may be seen.

        :param everywhere: look in all other subscriptions that can be seen as well
        """
        found = []
        for target in self.targets([*own, *(self.other_subscriptions(own) if everywhere else ())]):
            if target == runtime:
                continue
            try:
                records = self.records_of_another(target, allowed_age)
            except (NotFound, Forbidden):
                continue  # deleted since, or none of ours
            found += [record for record in records if record.active and record.runtime == runtime]
        return found

    def records_of_another(self, target: ResourceId, allowed_age: float) -> list:
        """Return the records of a target that may well have none: for those a second look can wait longer."""
        kept = self.files.kept(self.key(target))
        return self.records(target, SERVERS_AGE if kept is not None and not kept["answer"] else allowed_age)

    def other_subscriptions(self, own: list) -> list:
        """Return the ids of subscriptions that can be seen, without I(own)."""
        entries = self.files.fetch(
            f"{self.place}{subscriptions.PATH}", lambda: subscriptions.visible(self.azure.list), SERVERS_AGE
        )
        return subscriptions.beside(own, entries)

    def targets(self, among: list) -> list:
        """Return the ids of the flexible servers of the subscriptions I(among)."""
        found: dict = {}
        for subscription in dict.fromkeys(word.lower() for word in among):
            path = f"/subscriptions/{subscription}/providers/{FLEXIBLE_SERVER}"
            key = f"{self.place}{path}"
            try:
                names = self.files.fetch(
                    key, lambda path=path: [entry["id"] for entry in self.azure.list(path)], SERVERS_AGE
                )
            except subscriptions.CLOSED:
                continue
            for name in names:
                target = ResourceId.parse(name)
                if target:
                    found[target.key] = target
        return list(found.values())


def left_behind(azure, target: ResourceId, databases: tuple) -> dict:
    """Return which databases exist on the target, as C({existing, asked}); C(existing) is None where Azure does not say."""
    try:
        names = {entry.get("name") for entry in azure.list(f"{target}/databases")}
    except AzureError:
        return {"existing": None, "asked": list(databases)}
    return {"existing": [name for name in databases if name in names], "asked": list(databases)}
