# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which operation of Microsoft's libraries for PostgreSQL a request is: flexible servers, and old Single Servers.

Bodies go in as bytes and answers are taken as they came, so that nothing depends on the library's models, which differ
between its versions. What an answer says counts, not what the library makes of it: 3.0.0 rejects a 201 where 2.0.0 takes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

SUBSCRIPTION = "/subscriptions/(?P<subscription>[^/]+)"
PROVIDER = "/providers/Microsoft.DBforPostgreSQL"
SERVER = f"{SUBSCRIPTION}/resourceGroups/([^/]+){PROVIDER}/flexibleServers/([^/]+)"

# Method, path, group of operations, operation. The path's unnamed groups are the operation's arguments, in this order.
ROUTES = (
    ("GET", SERVER, "servers", "get"),
    ("PUT", SERVER, "servers", "begin_create_or_update"),
    ("PATCH", SERVER, "servers", "begin_update"),
    ("DELETE", SERVER, "servers", "begin_delete"),
    ("POST", f"{SERVER}/start", "servers", "begin_start"),
    ("POST", f"{SERVER}/stop", "servers", "begin_stop"),
    ("POST", f"{SERVER}/restart", "servers", "begin_restart"),
    ("GET", f"{SUBSCRIPTION}{PROVIDER}/flexibleServers", "servers", "list_by_subscription"),
    (
        "GET",
        f"{SUBSCRIPTION}/resourceGroups/([^/]+){PROVIDER}/flexibleServers",
        "servers",
        "list_by_resource_group",
    ),
    ("GET", f"{SERVER}/replicas", "replicas", "list_by_server"),
    ("GET", f"{SERVER}/databases", "databases", "list_by_server"),
    ("GET", f"{SERVER}/configurations", "configurations", "list_by_server"),
    ("GET", f"{SERVER}/configurations/([^/]+)", "configurations", "get"),
    ("PUT", f"{SERVER}/configurations/([^/]+)", "configurations", "begin_put"),
    ("PATCH", f"{SERVER}/configurations/([^/]+)", "configurations", "begin_update"),
    ("GET", f"{SERVER}/capabilities", "capabilities_by_server", "list"),
    ("GET", f"{SUBSCRIPTION}{PROVIDER}/locations/([^/]+)/capabilities", "capabilities_by_location", "list"),
    ("GET", f"{SERVER}/migrations", "migrations", "list_by_target_server"),
    ("GET", f"{SERVER}/migrations/([^/]+)", "migrations", "get"),
    ("PUT", f"{SERVER}/migrations/([^/]+)", "migrations", "create"),
    ("PATCH", f"{SERVER}/migrations/([^/]+)", "migrations", "update"),
    ("DELETE", f"{SERVER}/migrations/([^/]+)", "migrations", "cancel"),
    ("POST", f"{SERVER}/checkMigrationNameAvailability", "migrations", "check_name_availability"),
)
# What azure-mgmt-rdbms is used for: its client for flexible servers knows no migrations.
SINGLE_SERVER = (
    "GET", f"{SUBSCRIPTION}/resourceGroups/([^/]+){PROVIDER}/servers/([^/]+)", "servers", "get",
)  # fmt: skip
COMPILED = tuple(
    (method, re.compile(path, re.IGNORECASE), group, name) for method, path, group, name in (*ROUTES, SINGLE_SERVER)
)
# The library's name for what stands in the query.
QUERY_WORDS = {"migrationListFilter": "migration_list_filter"}


@dataclass(frozen=True)
class Operation:
    """An operation of the library, ready to be called."""

    subscription_id: str
    group: str
    name: str
    arguments: tuple
    of_single_server: bool = False

    @property
    def paged(self) -> bool:
        """Whether it is a list that has pages."""
        return self.name.startswith("list")

    def call(self, client, body: bytes | None, query: Mapping):
        """Call it, and return the raw answer; of a list, the first page.

        :raises Exception: of azure-core, when there was no answer at all, or an error
        """
        answers: list = []

        def keep(answer):
            answer.http_response.read()
            answers.append(answer.http_response)

        words = {QUERY_WORDS[word]: value for word, value in query.items()}
        if self.name.startswith("begin_"):
            words["polling"] = False
        arguments = self.arguments if body is None else (*self.arguments, body)
        try:
            result = getattr(getattr(client, self.group), self.name)(*arguments, raw_response_hook=keep, **words)
            if self.paged:
                next(result.by_page(), None)
        except Exception:
            # A body or a header that the library does not understand is not its caller's concern, an answer is.
            if not answers or answers[-1].status_code >= 400:
                raise
        return answers[-1]


def find_operation(method: str, path: str, query: Mapping) -> Operation | None:
    """Return the operation for a request; None when the library has none, or would not pass the query on."""
    if set(query) - set(QUERY_WORDS):
        return None
    for wanted, pattern, group, name in COMPILED:
        found = pattern.fullmatch(path) if wanted == method else None
        if found:
            arguments = [value for number, value in enumerate(found.groups(), 1) if number != 1]
            single = pattern is COMPILED[-1][1]
            return Operation(found["subscription"], group, name, tuple(arguments), single)
    return None
