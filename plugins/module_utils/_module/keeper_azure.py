# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keeper of provider azure: a flexible server is the runtime server, and Resource Manager is asked from here."""

from __future__ import annotations

import os
from datetime import datetime, timezone

from .._azure import final_tags, removal, runtime, sharing, target
from .._azure.deletion import DELETE, KEEP
from .._azure.errors import StillRunning
from .._azure.ownership import TIME_FORMAT
from .._azure.rules import ALL, azure_rules
from .._azure.runtime_common import endpoint_of
from .._checks.run import run_checks
from .._core.errors import InvalidRequest, PreconditionFailed
from .._core.files import make_private_directory, write_json
from .._core.final_record import read_final_record, write_final_record
from .._core.findings import FAILED
from .._transfer.cleanup import archive as archive_files
from .._verify.gate import in_use
from .azure_session import scene_of
from .edge import Task
from .premigration_check import in_words

USUAL_WAIT = 3600
# The target is waited for in any case: parameters take seconds, a restart takes a minute, another size takes some.
PREPARATION_SECONDS = 1800.0
# What is looked at around a runtime server, and what keeps one from being made.
NETWORK_RULES = [rule.id for rule in ALL if rule.level == "network"]
BEFORE = ("azure-login", "azure-target-exists", "azure-subnet", "azure-dns-zone")


class AzureKeeper:
    """See M(keepers)."""

    def __init__(self, task: Task):
        self.task = task
        self.request = task.request
        self.layout = task.layout
        self.scene = scene_of(task)
        self.pending = ""
        self.operation: str | None = None
        self.findings: list = []
        self._removal: removal.Removal | None = None
        self._records: list | None = None

    @property
    def seconds(self) -> float:
        """How long each of Azure's operations may take; no time at all for a caller that does not wait."""
        if not self.task.parameters.get("wait", True):
            return 0.0
        return float(self.task.parameters.get("wait_timeout") or USUAL_WAIT)

    @property
    def records(self) -> list:
        """The service's records of this migration."""
        if self._records is None:
            self._records = final_tags.own_records(self.scene.azure, self.request)
        return self._records

    @property
    def removal(self) -> removal.Removal:
        """What would go, as things are."""
        if self._removal is None:
            self._removal = removal.plan_removal(self.scene)
        return self._removal

    def present(self) -> tuple:
        """Make the runtime server, or bring it to what it has to be."""
        check_mode = self.task.check_mode
        if self.scene.runtime is None and not self.task.parameters.get("operation"):
            self.require_place()
        outcome = runtime.present(self.scene, check_mode, self.seconds, operation=self.task.parameters.get("operation"))
        self.operation = outcome.operation
        if not outcome.pending:
            options = self.task.parameters.get("azure_target") or {}
            outcome.changes += target.prepare(self.scene, options, check_mode, self.seconds or PREPARATION_SECONDS)
            self.findings = self.look_at_network()
        for remark in outcome.remarks:
            self.task.module.warn(remark)
        facts = runtime.describe(outcome.server, self.scene) if outcome.server else {}
        return facts, outcome.changes, outcome.pending

    def look_at_network(self, only=None) -> list:
        """Return what rules about networks and names say of the runtime server; all of them if I(only) names none."""
        return run_checks(self.request, self.layout, only=only or NETWORK_RULES, rules=azure_rules(self.scene))

    def require_place(self) -> None:
        """Make sure, before anything is made, that there is a place for the server.

        :raises PreconditionFailed: with what speaks against it
        """
        against = [finding for finding in self.look_at_network(BEFORE) if finding.status == FAILED]
        if against:
            raise PreconditionFailed(in_words(against), "", {"findings": [finding.as_dict() for finding in against]})

    def inspect(self) -> tuple:
        """Return what there is."""
        server = self.scene.runtime
        if server is None:
            return "absent", {}
        facts = runtime.describe(server, self.scene)
        return (server.state.lower() if server.passing else "present"), {**facts, **self.cost(facts)}

    def begun(self) -> bool:
        """Tell whether the service has a record of this migration that moved data, and something is left to end."""
        return bool(self.records) and bool(self.leftovers() or target.restoration(self.scene))

    def known(self) -> bool:
        """Tell whether there is a runtime server of this migration, or something that was made for one."""
        return bool(self.removal.remove or self.removal.refusals or target.restoration(self.scene))

    def progress(self) -> dict:
        """Return the migration's status."""
        from .providers import provider_of

        backend = provider_of(self.task)
        backend.check_identity()
        return backend.status()

    def circumstances(self, progress: dict) -> dict:
        """Return what the gate has to know."""
        return {
            "migration_state": progress["state"],
            **self.users(),
            "runtime_is_endpoint": endpoint_of(self.scene),
        }

    def users(self) -> dict:
        """Return C({other_users, unseen}): who else goes through the runtime server when it is to be deleted.

        C(other_users) is None when nobody knows, since something could not be looked at: C(unseen).
        """
        verdict = self.removal.verdict
        if not verdict or verdict.kind != DELETE:
            return {"other_users": [], "unseen": []}
        found = sharing.find_users(self.scene)
        if found.unsure:
            self.task.module.warn(
                f"Whether somebody else uses the runtime server could not be seen everywhere: {', '.join(found.unsure[:5])}"
                f"{f' and {len(found.unsure) - 5} more' if len(found.unsure) > 5 else ''} may not be read by this identity."
            )
        return {"other_users": found.active or (None if found.unseen else []), "unseen": found.unseen}

    def planned(self) -> dict:
        """Return what goes and what stays."""
        return {
            "remove": [],
            "keep": [*target.kept_lists(self.scene), *self.removal.keep],
            "runtime": [*target.restoration(self.scene), *(f"runtime server: {line}" for line in self.removal.remove)],
            "refusals": list(self.removal.refusals),
        }

    def clean(self, abandoned: bool) -> tuple:
        """Take back what was changed on the target's parameters and size, also of a migration that is given up.

        Returns C((removed, handed_over)); nothing of it can be handed over to another migration.
        """
        return target.restore(self.scene, self.seconds or PREPARATION_SECONDS), []

    def remaining(self) -> list:
        """Return what of the target is not yet as it was before the load."""
        return [f"{line}: Azure has not taken it back yet" for line in target.restoration(self.scene)]

    def named(self, databases, roles) -> list:
        """Refuse what is named to be dropped: Azure's service does not tell what it has made, and what was there.

        :raises InvalidRequest: when anything is named
        """
        if databases or roles:
            raise InvalidRequest(
                f"'drop_databases' and 'drop_roles' name {', '.join([*databases, *roles])}, and with provider azure nobody "
                "knows what the migration has made on the target and what was there before.",
                "Leave them out, look at the target, and drop there yourself what nobody needs.",
            )
        return []

    def undo(self, databases, roles) -> tuple:
        """Take back what was changed on the target's parameters and size; return C((removed, handed_over))."""
        return self.clean(True)

    def archive(self) -> list:
        """Copy reports to where they stay; the report that came with the evidence is written there."""
        paths = archive_files(self.layout, self.task.parameters["keep"])
        carried = (self.task.parameters.get("evidence") or {}).get("report")
        if carried and "reports" in self.task.parameters["keep"]:
            make_private_directory(self.layout.archive)
            path = os.path.join(self.layout.archive, "verification.json")
            write_json(path, carried)
            paths = [*(item for item in paths if item != path), path]
        return paths

    def recorded(self, progress: dict, archived: list) -> dict:
        """Return this provider's part of the final record."""
        server = self.removal.server
        facts = runtime.describe(server, self.scene) if server else {}
        return {
            "migration": {**progress, "timeline": None},
            "runtime_server": {**facts, **self.cost(facts)},
        }

    def cost(self, facts: dict) -> dict:
        """Return C({hours, cost}) of the runtime server so far, by the price that the user gives."""
        try:
            since = datetime.strptime(facts.get("created_at") or "", TIME_FORMAT).replace(tzinfo=timezone.utc)
        except ValueError:
            return {}
        hours = round(max(0.0, (datetime.now(timezone.utc) - since).total_seconds()) / 3600, 2)
        price = self.scene.options.get("price_per_hour")
        return {"hours": hours, **({"cost": round(hours * price, 2)} if price is not None else {})}

    def recall(self) -> dict | None:
        """Read the final record, here or from the tags of the service's record."""
        return read_final_record(self.layout, self.request) or final_tags.recall(self.records, self.request)

    def record(self, content: dict) -> dict:
        """Write the final record here, and tell it by a tag."""
        record = write_final_record(self.layout, self.request, content)
        untold = final_tags.tell(self.scene.azure, self.records, record)
        if untold:
            self.task.module.warn(untold)
        return record

    def refusals(self, asked: bool = False) -> list:
        """Return what stands against taking the runtime server away.

        :param asked: somebody asks for this very server to go, so that leaving it is a refusal
        """
        verdict = self.removal.verdict
        found = list(self.removal.refusals)
        if asked and verdict and verdict.kind == KEEP:
            found.append(verdict.refusal)
        return found + in_use(self.users())

    def leftovers(self) -> list:
        """Return what would go."""
        return list(self.removal.remove)

    def rest(self, gone: list) -> list:
        """Return what Azure still has of what I(gone) says has been taken away."""
        if not gone:
            return []
        self.scene.forget()
        state = "it is still being deleted" if self.pending else "Azure says that it is still there"
        return [f"{line}: {state}" for line in removal.plan_removal(self.scene).remove]

    def absent(self) -> list:
        """Take the runtime server away, with what was made for it."""
        if self.task.check_mode:
            return [*target.restoration(self.scene), *self.removal.remove]
        restored = target.restore(self.scene, self.seconds or PREPARATION_SECONDS)
        try:
            if self.task.parameters.get("operation"):
                runtime.follow(self.scene, self.task.parameters["operation"], self.seconds, None)
            return restored + removal.carry_out(self.removal, self.seconds)
        except StillRunning as error:
            if self.seconds:
                raise
            self.pending, self.operation = "deleting", error.details.get("operation")
            return restored + self.removal.remove[:1]
