# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The providers as the modules see them: one set of verbs, whoever carries the data."""

from __future__ import annotations

from .._azure import final_tags
from .._azure.migrations.backend import AzureBackend
from .._azure.migrations.options import Options
from .._azure.ownership import runtime_id
from .._core.errors import InvalidRequest
from .._transfer.backend import HostBackend
from .arguments import ONLINE, SERVICE
from .azure_session import scene_of
from .edge import Task
from .premigration_check import require_ready

TUNING = (
    "jobs", "foreign_keys", "toast_compression", "maintenance_work_mem", "max_bytes_per_second", "bin_directory",
)  # fmt: skip


class HostProvider(HostBackend):
    """The host that executes the task."""

    def __init__(self, task: Task, writes: bool):
        refuse_service_options(task.parameters)
        options = {word: task.parameters[word] for word in TUNING if word in task.parameters}
        if task.request.mode == "online":
            options.update(online_options(task.parameters))
        super().__init__(task.request, task.layout, options)
        self.task = task

    def recall(self) -> None:
        """Return nothing: a final record of this provider lies in the archive directory only."""

    def require_ready(self) -> None:
        """Refuse to start a migration that is going to fail; see M(premigration_check.require_ready)."""
        require_ready(self.task)

    def validate(self, dry: bool = False) -> dict:
        """Run the checks; see M(AzureBackend.validate)."""
        return {"steps": [], "findings": require_ready(self.task), "pending": False}


class AzureProvider(AzureBackend):
    """Azure's migration service. How the host would tune a transfer is of no concern to it."""

    def __init__(self, task: Task, writes: bool):
        azure = scene_of(task).azure
        super().__init__(
            task.request,
            task.layout,
            Options.of(task.parameters),
            azure,
            None if task.parameters.get("without_runtime_server") else runtime_id(task.request),
            place=azure.pipelines.cloud.resource_manager,
            writes=writes,
            keeps=not task.check_mode,
        )

    def recall(self) -> dict | None:
        """Return the final record that a tag of the service's records tells."""
        return final_tags.recall(list(self.read(fresh=False).moves), self.request)

    def require_ready(self) -> None:
        """Leave it to the service, which validates what it begins; the checks run where both servers can be reached."""


def online_options(parameters: dict) -> dict:
    """Return how the engine follows changes and cuts over, flat; suboptions that nobody has set have their defaults.

    :raises InvalidRequest: for a word that I(table_identity) does not know
    """
    known = ONLINE["online"]["options"]
    given = parameters.get("online") or {}
    found = {word: option.get("default") if given.get(word) is None else given[word] for word, option in known.items()}
    wrong = sorted(
        f"{name}: {word}" for name, word in found["table_identity"].items() if word not in ("full", "exclude")
    )
    if wrong:
        raise InvalidRequest(
            f"'online.table_identity' says {', '.join(wrong)}.", "Each table is to be 'full' or 'exclude'."
        )
    asked = {word: parameters[word] for word in ("max_lag", "cutover_databases") if word in parameters}
    return {**found, **asked}


PROVIDERS = {"azure": AzureProvider, "host": HostProvider}


def provider_of(task: Task, writes: bool = False):
    """Return the provider of the task's request.

    :param writes: whether the task may change anything
    """
    return PROVIDERS[task.request.provider](task, writes and not task.check_mode)


def refuse_service_options(parameters: dict) -> None:
    """Make sure that nobody relies on options that only the service knows.

    :raises InvalidRequest: naming them
    """
    given = [word for word, option in SERVICE.items() if parameters.get(word) not in (None, option.get("default"))]
    if given:
        raise InvalidRequest(
            f"Options of Azure's migration service are set, and the provider is 'host': {', '.join(given)}.",
            "Remove them, or set 'provider: azure'.",
        )
