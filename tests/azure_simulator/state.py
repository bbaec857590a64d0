# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is at the start, from a JSON file.

The file holds an object. Its keys are names of the simulator's `add_…` without `add_` in plural (`resource_groups`,
`networks`, `security_groups`, `route_tables`, `dns_zones`, `flexible_servers`, `single_servers`, `private_endpoints`,
`peerings`), each a list of objects with the words of that function, in this order. Where a word wants an id, `"@name"`
stands for what was made under that name before, and `"@name/subnets/runtime"` for something inside it.

`"clusters": {"shop": {"connection": {libpq's words of a superuser}, "data": "/path/to/data"}}` names servers that run
already; `"cluster": "shop"` puts one behind a server.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

ORDER = (
    "resource_groups", "security_groups", "route_tables", "networks", "peerings", "dns_zones", "flexible_servers",
    "single_servers", "private_endpoints",
)  # fmt: skip


class RunningCluster:
    """A PostgreSQL server that somebody else started, with what the simulator needs of `tools.lab.cluster.Cluster`."""

    def __init__(self, connection: dict, data: str | None):
        self._connection = connection
        self.host, self.port = connection["host"], connection["port"]
        self.certificate = Path(connection["sslrootcert"]) if connection.get("sslrootcert") else None
        self.data = Path(data) if data else None

    def connection(self, user: str | None = None, password: str | None = None, dbname: str = "postgres") -> dict:
        words = {**self._connection, "dbname": dbname}
        return words if user is None else {**words, "user": user, "password": password}

    def psql(self, sql: str, **_words) -> str:
        """Run one statement as superuser; return its first column, one row a line."""
        import psycopg2

        connection = psycopg2.connect(**self.connection())
        connection.autocommit = True
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(sql)
            return "\n".join(str(row[0]) for row in cursor.fetchall()) if cursor.description else ""

    def restart(self) -> None:
        self.stop()
        self.start()

    def stop(self, mode: str = "fast") -> None:
        raise RuntimeError("this server was started by somebody else and cannot be stopped from here")

    start = stop


def enter(azure, file: Path, stack: contextlib.ExitStack) -> dict[str, str]:
    """Make what a file says; return ids by name. Raises ValueError or KeyError naming what is wrong."""
    wanted = json.loads(file.read_text(encoding="utf-8"))
    unknown = sorted(set(wanted) - {*ORDER, "clusters"})
    if unknown:
        raise ValueError(f"unknown keys {', '.join(unknown)}; known are {', '.join(ORDER)} and clusters")
    known_clusters = {
        name: RunningCluster(words["connection"], words.get("data"))
        for name, words in wanted.get("clusters", {}).items()
    }
    made: dict[str, str] = {}

    def resolved(value):
        if isinstance(value, str) and value.startswith("@"):
            name, slash, rest = value[1:].partition("/")
            return made[name] + slash + rest
        if isinstance(value, list):
            return [resolved(one) for one in value]
        if isinstance(value, dict):
            return {key: resolved(one) for key, one in value.items()}
        return value

    for kind in ORDER:
        for words in wanted.get(kind, []):
            given = {key: resolved(value) for key, value in words.items()}
            if isinstance(given.get("cluster"), str):
                given["cluster"] = known_clusters[given["cluster"]]
            name = given.get("name") or f"{kind[:-1]}-{len(made)}"
            made[name] = getattr(azure, "add_" + kind[:-1])(**given)
    return made
