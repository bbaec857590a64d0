# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on the runtime host."""

from __future__ import annotations

import os
from dataclasses import dataclass


def default_state_directory() -> str:
    """Return C(/var/lib/azpg-migrate) for root, else the XDG state directory of the user."""
    if os.geteuid() == 0:
        return "/var/lib/azpg-migrate"
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "azpg-migrate")


@dataclass(frozen=True)
class Layout:
    """The paths of one migration below the state directory, and of what outlives it below the archive directory."""

    state_directory: str
    name: str
    archive_directory: str

    @classmethod
    def create(cls, name: str, state_directory: str | None = None, archive_directory: str | None = None) -> Layout:
        """Build the layout; directories that are not given get their defaults, C(~) is expanded."""
        state = os.path.abspath(os.path.expanduser(state_directory or default_state_directory()))
        archive = os.path.abspath(os.path.expanduser(archive_directory or os.path.join(state, "archive")))
        return cls(state, name, archive)

    @property
    def engine_directory(self) -> str:
        """Installed engines, one file per version, shared by all migrations of this host."""
        return os.path.join(self.state_directory, "engine")

    @property
    def migrations_directory(self) -> str:
        """One directory per migration."""
        return os.path.join(self.state_directory, "migrations")

    @property
    def directory(self) -> str:
        """The private directory of this migration."""
        return os.path.join(self.migrations_directory, self.name)

    @property
    def runtime_file(self) -> str:
        """What the runtime server was found to offer: engine, interpreter, client programs."""
        return os.path.join(self.directory, "runtime.json")

    @property
    def request_file(self) -> str:
        """The request without secrets."""
        return os.path.join(self.directory, "request.json")

    @property
    def journal_file(self) -> str:
        """The SQLite journal of the transfer."""
        return os.path.join(self.directory, "journal.sqlite")

    @property
    def timeline_file(self) -> str:
        """The page that shows who did what and when, written when a transfer ends."""
        return os.path.join(self.directory, "timeline.html")

    @property
    def lock_file(self) -> str:
        """Held by the engine while it runs."""
        return os.path.join(self.directory, "engine.lock")

    @property
    def process_file(self) -> str:
        """Process id, start time and boot id of the engine."""
        return os.path.join(self.directory, "engine.json")

    @property
    def log_file(self) -> str:
        """What the engine said, without secrets."""
        return os.path.join(self.directory, "engine.log")

    @property
    def report_directory(self) -> str:
        """Reports of checks and verifications of this migration."""
        return os.path.join(self.directory, "reports")

    @property
    def verification_file(self) -> str:
        """The newest verification report."""
        return os.path.join(self.report_directory, "verification.json")

    @property
    def verification_progress_file(self) -> str:
        """How far the verification that runs, or ran last, has come."""
        return os.path.join(self.directory, "verification-progress.json")

    @property
    def cutover_file(self) -> str:
        """What the cutover that is wanted, or going on, is to do; gone when it is done or was refused."""
        return os.path.join(self.directory, "cutover.json")

    @property
    def verification_result_file(self) -> str:
        """How the verification that ran last has ended."""
        return os.path.join(self.directory, "verification-result.json")

    @property
    def verification_ledger_file(self) -> str:
        """What a verification that has not come to its end had read."""
        return os.path.join(self.directory, "verification-ledger.jsonl")

    @property
    def verification(self) -> VerificationLayout:
        """The same migration with the files of the verification's own process."""
        return VerificationLayout(self.state_directory, self.name, self.archive_directory)

    @property
    def fence_file(self) -> str:
        """What the fence around the source changed there, so that it can be taken down."""
        return os.path.join(self.directory, "fence.json")

    @property
    def archived_fence_file(self) -> str:
        """The same after cleanup, when a fence still stands."""
        return os.path.join(self.archive, "fence.json")

    @property
    def archive(self) -> str:
        """What stays of this migration after cleanup."""
        return os.path.join(self.archive_directory, self.name)

    @property
    def final_record_file(self) -> str:
        """The final record; its existence says that the migration is over and cleaned up."""
        return os.path.join(self.archive, "final-record.json")

    @property
    def final_record_page(self) -> str:
        """The same for people."""
        return os.path.join(self.archive, "final-record.html")


class VerificationLayout(Layout):
    """The layout in which the process is not the engine's but that of a verification."""

    @property
    def lock_file(self) -> str:
        """Held by the verification while it runs."""
        return os.path.join(self.directory, "verification.lock")

    @property
    def process_file(self) -> str:
        """Process id, start time and boot id of the verification, and which run it is."""
        return os.path.join(self.directory, "verification-process.json")

    @property
    def log_file(self) -> str:
        """What the verification said that nobody foresaw, without secrets."""
        return os.path.join(self.directory, "verification.log")
