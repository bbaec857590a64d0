# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding PostgreSQL's client programs and their versions."""

from __future__ import annotations

import glob
import os
import re
import subprocess
from dataclasses import dataclass

from .._core.errors import DependencyMissing

NEEDED = ("pg_dump", "pg_restore")

# Debian and Ubuntu; RHEL family with the PostgreSQL project's packages; SUSE; macOS with Homebrew.
KNOWN_DIRECTORIES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
)


@dataclass(frozen=True)
class ClientPrograms:
    """pg_dump and pg_restore of one major version in one directory."""

    directory: str
    version: str

    @property
    def major(self) -> int:
        """The major version, for example 17."""
        return int(self.version.split(".")[0])

    def path(self, program: str) -> str:
        """Return the path of a program."""
        return os.path.join(self.directory, program)

    def optional(self, program: str) -> str | None:
        """Return the path of a program that packages may leave out, None where it is missing."""
        path = self.path(program)
        return path if os.access(path, os.X_OK) else None


def inspect(directory: str) -> ClientPrograms | None:
    """Return the programs in I(directory), or None when one is missing or does not run."""
    if not all(os.access(os.path.join(directory, program), os.X_OK) for program in NEEDED):
        return None
    try:
        # This runs outside Ansible too, where no module offers run_command.
        output = subprocess.run(  # pylint: disable=ansible-bad-function
            [os.path.join(directory, "pg_dump"), "--version"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\) (\d+(?:\.\d+)*)", output)
    return ClientPrograms(directory, match.group(1)) if match else None


def find_programs(directory: str | None = None) -> list:
    """Return the client programs of this host, newest first.

    :param directory: look only here; None looks on PATH and where packages put them
    """
    if directory:
        candidates = [directory]
    else:
        candidates = os.environ.get("PATH", "").split(os.pathsep)
        candidates += [found for pattern in KNOWN_DIRECTORIES for found in sorted(glob.glob(pattern))]
    unique = dict.fromkeys(os.path.realpath(candidate) for candidate in candidates if candidate)
    programs = [found for found in (inspect(candidate) for candidate in unique) if found]
    return sorted(programs, key=lambda item: tuple(int(part) for part in item.version.split(".")), reverse=True)


def choose_programs(source_major: int, target_major: int, directory: str | None = None) -> ClientPrograms:
    """Return the programs to use: of the target's major where present, else the oldest that is not older than both.

    pg_dump refuses a server newer than itself, and what a newer pg_dump writes may not be read by an older server;
    with the target's own major both ends are served.

    :raises DependencyMissing: naming what was found where, and the version expected
    """
    needed = max(source_major, target_major)
    found = find_programs(directory)
    where = directory or "PATH and the usual package directories"
    remedy = (
        f"Install the PostgreSQL {needed} client programs (package postgresql-client-{needed} or postgresql{needed}) "
        "on the host that executes this task, or name their directory in 'bin_directory'."
    )
    if not found:
        raise DependencyMissing(f"No pg_dump and pg_restore in {where}.", remedy, {"expected_major": needed})
    fitting = [item for item in found if item.major >= needed]
    if not fitting:
        versions = ", ".join(f"{item.version} in {item.directory}" for item in found)
        raise DependencyMissing(
            f"The client programs found are older than the servers: {versions}; the source runs PostgreSQL "
            f"{source_major}, the target {target_major}, expected are client programs {needed} or newer.",
            remedy,
            {"found": [item.version for item in found], "expected_major": needed},
        )
    return next((item for item in found if item.major == target_major), fitting[-1])
