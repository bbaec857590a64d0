# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user wants of the service beyond the request, as one type; the words are options of the module migration."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from ..._core.errors import InvalidRequest
from ..._core.request import Request
from . import batches, bodies
from .words import parse_time, time_text

WAIT, FAIL = "wait", "fail"


@dataclass(frozen=True)
class Options:
    """The options, with the module's defaults."""

    batch_size: int = batches.USUAL
    groups: list | None = None
    overwrite_databases: list = field(default_factory=list)
    cutover_databases: list = field(default_factory=list)
    max_lag: int = 10
    on_busy: str = WAIT
    runtime_concurrency: int = 1
    azure_migration_name: str | None = None
    migration_window_start: str | None = None
    migrate_roles: bool = False
    setup_logical_replication: bool = False
    unsafe_skip_validation: bool = False
    without_runtime_server: bool = False
    source_server_fqdn: str | None = None
    target_server_fqdn: str | None = None
    wait: bool = True
    wait_timeout: int = 604800
    poll_interval: int | None = None

    @classmethod
    def of(cls, parameters: dict) -> Options:
        """Take what a module's parameters hold; what they do not hold, or hold as None, keeps its default."""
        known = {item.name for item in fields(cls)}
        return cls(**{word: value for word, value in parameters.items() if word in known and value is not None})

    @property
    def wishes(self) -> bodies.Wishes:
        """What goes into the body of a request."""
        words = {item.name: getattr(self, item.name) for item in fields(bodies.Wishes)}
        return bodies.Wishes(**{**words, "migration_window_start": time_text(parse_time(self.migration_window_start))})

    def check(self, request: Request) -> None:
        """Make sure that the service can be asked for all of this.

        :raises InvalidRequest: naming the option
        """
        batches.check_options(request.databases, request.mode, self.batch_size, self.groups, self.overwrite_databases)
        bodies.check_request(request, self.wishes)
        if self.migration_window_start and not parse_time(self.migration_window_start):
            raise InvalidRequest(
                f"'migration_window_start' is {self.migration_window_start!r}.",
                "Write it as 2026-10-31T22:00:00Z, in UTC.",
            )
        strangers = sorted(set(self.cutover_databases) - set(request.databases))
        if strangers:
            raise InvalidRequest(
                f"'cutover_databases' names {', '.join(strangers)}, which 'databases' does not.",
                "Name only databases that are migrated.",
            )
        if self.without_runtime_server and request.runtime_server_id:
            raise InvalidRequest(
                f"'without_runtime_server' is set, and 'runtime_server_id' is {request.runtime_server_id}.",
                "Leave one of them out.",
            )
        if self.max_lag < 0:
            raise InvalidRequest(
                f"'max_lag' is {self.max_lag}.", "Say how many seconds behind is close enough, 0 or more."
            )
        if self.runtime_concurrency < 0:
            raise InvalidRequest(
                f"'runtime_concurrency' is {self.runtime_concurrency}.", "Use 0 for no limit, or 1 and more."
            )

    def batches(self, databases: tuple) -> list:
        """Return databases in the batches in which they are carried."""
        groups = None
        if self.groups is not None:
            groups = [kept for group in self.groups if (kept := [name for name in group if name in databases])]
        return batches.batches(databases, self.batch_size, groups, self.overwrite_databases)
