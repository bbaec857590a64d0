# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine and its peers, each as something that carries one database from the source to an empty target."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import installation, runtime
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.backend import HostBackend, default_jobs

from tests.benchmarks.measuring import Cost, run

MANY_FILES = 5000
ASIDE = "bench_aside_"
# What the engine gives itself with two jobs and shared buffers of 1 GB; pgcopydb takes 1 GB whatever it is told.
MAINTENANCE = "-c maintenance_work_mem=512MB -c synchronous_commit=off"


class Arena:
    """Two servers, one user who owns everything, one database at a time."""

    def __init__(self, source, target, user: str, password: str, bin_directory: Path, scratch: Path):
        self.source, self.target = source, target
        self.user, self.password = user, password
        self.bin = bin_directory
        self.scratch = scratch
        self.put_aside = 0

    def environment(self, cluster, database: str) -> dict:
        """Return libpq's variables for a peer; benchmarks may put a throw-away password there."""
        words = cluster.connection(self.user, self.password, database)
        clean = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
        return {
            **clean, "PATH": f"{self.bin}:{os.environ['PATH']}", "PGHOST": words["host"], "PGPORT": str(words["port"]),
            "PGUSER": self.user, "PGPASSWORD": self.password, "PGDATABASE": database, "PGSSLMODE": "require",
        }  # fmt: skip

    def empty_target(self, database: str, create: bool) -> None:
        """Give the target an empty database, or none.

        One with thousands of files is put aside until M(discard): ext4 without a journal shuns the inodes of files that
        were deleted a moment ago, and looks at each of them again for every file that is made in the next minutes.
        """
        if self.files_of(database) > MANY_FILES:
            self.put_aside += 1
            self.target.psql(f'ALTER DATABASE "{database}" RENAME TO "{ASIDE}{self.put_aside}";')
        self.target.psql(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE);')
        if create:
            self.target.psql(f'CREATE DATABASE "{database}" OWNER "{self.user}" TEMPLATE template0;')
        self.target.psql("CHECKPOINT;")
        self.source.psql("CHECKPOINT;")

    def files_of(self, database: str) -> int:
        """Return how many files the target's database consists of; 0 if there is none."""
        number = f"SELECT oid FROM pg_database WHERE datname = '{database}';"
        return sum(len(os.listdir(self.target.data / "base" / oid)) for oid in self.target.psql(number).split())

    def discard(self) -> None:
        """Drop what was put aside."""
        for number in range(1, self.put_aside + 1):
            self.target.psql(f'DROP DATABASE IF EXISTS "{ASIDE}{number}" WITH (FORCE);')
        self.put_aside = 0


# As the peers do it, and as it comes.
ENGINES = {
    "azpg.migrate, equal work": {"foreign_keys": "check", "toast_compression": "keep"},
    "azpg.migrate": {"foreign_keys": "auto", "toast_compression": "lz4"},
}
# Peers that are told to compress like the engine as it comes.
LZ4 = ", lz4"
LZ4_SETTINGS = "-c default_toast_compression=lz4"


def engine(arena: Arena, database: str, **chosen) -> Cost:
    """Carry I(database) with this collection's engine; I(chosen) are options of module migration."""
    arena.empty_target(database, create=False)
    state = arena.scratch / "state"
    shutil.rmtree(state, ignore_errors=True)
    sides = [
        {**cluster.connection(arena.user, arena.password), "sslmode": "require"}
        for cluster in (arena.source, arena.target)
    ]
    for side in sides:
        side.pop("dbname")
    request = Request.create("bench", *sides, [database])
    layout = Layout.create("bench", str(state))
    runtime.present(request, layout, str(arena.bin), False)
    options = {"jobs": default_jobs(), "max_bytes_per_second": None, "bin_directory": str(arena.bin), **chosen}
    backend = HostBackend(request, layout, options)
    backend.store()
    program = installation.install(layout)[0]
    command = [sys.executable, program, "run", "--directory", layout.directory]
    return run(command, dict(os.environ), json.dumps(request.secrets).encode())


def shell(arena: Arena, database: str, script: str, settings: str = "") -> Cost:
    """Run a shell script with the variables SRC_* and DST_* of both sides; I(settings) are libpq's options for sessions."""
    arena.empty_target(database, create=True)
    work = arena.scratch / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    source, target = (arena.environment(cluster, database) for cluster in (arena.source, arena.target))
    environment = {**source, "WORK": str(work), "JOBS": str(os.cpu_count() or 2), "PGOPTIONS": settings}
    names = [name for name in source if name.startswith("PG")]
    environment.update({f"DST_{name}": target[name] for name in names})
    uri = "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}?sslmode=require"
    environment["SRC_URI"], environment["DST_URI"] = uri.format(**source), uri.format(**target)
    environment["TO_TARGET"] = " ".join(f"{name}=$DST_{name}" for name in names)
    prelude = "set -e -o pipefail; target() { env " + " ".join(f'{name}="$DST_{name}"' for name in names)
    prelude += f' PGOPTIONS="{MAINTENANCE} {settings}" "$@"; }}; '
    return run(["bash", "-c", prelude + script], environment)


ANALYZE = '; target vacuumdb --quiet --analyze-only --jobs=$JOBS "$PGDATABASE"'

PEERS = {
    "pg_dump directory + pg_restore": 'pg_dump -Fd -j$JOBS -Z0 -f "$WORK/d"; '
    'target pg_restore -j$JOBS -d "$PGDATABASE" "$WORK/d"' + ANALYZE,
    "pg_dump custom | pg_restore": 'pg_dump -Fc -Z0 | target pg_restore -d "$PGDATABASE"' + ANALYZE,
    "pg_dump | psql": "pg_dump | target psql -q -o /dev/null -v ON_ERROR_STOP=1" + ANALYZE,
}

PGCOPYDB = {
    "pgcopydb (default jobs)": 'pgcopydb clone --skip-vacuum --dir "$WORK/p" --source "$SRC_URI" --target "$DST_URI"'
    + ANALYZE,
    # Newer versions are asked for binary COPY too, and for their jobs in restoring.
    "pgcopydb (tuned jobs)": "MORE=$(pgcopydb clone --help 2>&1 | grep -o -e --use-copy-binary || true); "
    'if [ "$MORE" ]; then MORE="$MORE --restore-jobs $JOBS"; fi; '
    "pgcopydb clone --skip-vacuum $MORE --table-jobs $JOBS --index-jobs $JOBS "
    '--dir "$WORK/p" --source "$SRC_URI" --target "$DST_URI"' + ANALYZE,
}


def peers() -> dict:
    """Return the peers that this machine has, as C({name: script})."""
    return {**PEERS, **(PGCOPYDB if shutil.which("pgcopydb") else {})}


def version_of_pgcopydb() -> str:
    """Return pgcopydb's version, or a note that it is missing."""
    if not shutil.which("pgcopydb"):
        return "not on PATH, left out"
    text = subprocess.run(["pgcopydb", "--version"], capture_output=True, text=True, check=False)
    return next((line for line in text.stdout.splitlines() if "version" in line), "unknown")
