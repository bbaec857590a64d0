# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Databases of a flexible server, and its firewall rules: real databases where a real server is behind."""

from __future__ import annotations

import copy

import psycopg2

from tests.azure_simulator import operations, places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation, OperationFailed
from tests.azure_simulator.resources import flexible_servers
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, Request

ROUTES = Routes()
KIND = "Microsoft.DBforPostgreSQL/flexibleServers/databases"
COLLECTION = flexible_servers.SERVER + "/databases"
FIREWALL = "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules"
RULES = flexible_servers.SERVER + "/firewallRules"
QUERY = "SELECT datname, pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY oid"


def existing(server: Resource) -> dict[str, dict]:
    """Return `{name: {"charset", "collation"}}` of a server's databases."""
    if server.behind is None:
        usual = {
            name: {"charset": "UTF8", "collation": "en_US.utf8"}
            for name in ("azure_maintenance", "postgres", "azure_sys")
        }
        return server.private.setdefault("databases", usual)
    connection = psycopg2.connect(**server.behind.connection())
    try:
        with connection.cursor() as cursor:
            cursor.execute(QUERY)
            return {
                name: {"charset": charset, "collation": collation.replace("UTF-8", "utf8")}
                for name, charset, collation in cursor.fetchall()
            }
    finally:
        connection.close()


def _run(server: Resource, statement: str) -> None:
    connection = psycopg2.connect(**server.behind.connection())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except psycopg2.Error as error:
        raise OperationFailed("DatabaseOperationFailed", str(error).strip()) from None
    finally:
        connection.close()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def shown(server: Resource, name: str, properties: dict) -> dict:
    return {"properties": properties, "id": f"{server.id}/databases/{name}", "name": name, "type": KIND}


@ROUTES.on("GET", COLLECTION)
def listed(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    return Answer(200, {"value": [shown(found, name, properties) for name, properties in existing(found).items()]})


@ROUTES.on("GET", COLLECTION + "/{database}")
def get(cloud: Cloud, request: Request, group: str, server: str, database: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    known = existing(found).get(database)
    if known is None:
        raise wire.resource_not_found(KIND, f"{server}/{database}", group)
    return Answer(200, shown(found, database, known))


@ROUTES.on("PUT", COLLECTION + "/{database}")
def put(cloud: Cloud, request: Request, group: str, server: str, database: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    flexible_servers.check_idle(found)
    sent = request.document().get("properties") or {}
    # Recorded: the name of the encoding comes back in capitals.
    properties = {
        "charset": (sent.get("charset") or "UTF8").upper(),
        "collation": sent.get("collation") or "en_US.utf8",
    }

    def finish() -> None:
        if database in existing(found):
            return
        if found.behind is None:
            existing(found)[database] = properties
            return
        statement = f"CREATE DATABASE {_quoted(database)} TEMPLATE template0 ENCODING {_literal(properties['charset'])}"
        _run(found, statement + (f" LOCALE {_literal(sent['collation'])}" if sent.get("collation") else ""))

    operation = Operation(
        cloud, "UpsertServerDatabaseManagementOperation", cloud.clock.of("database"), finish, retry_after=15.0
    )
    flexible_servers.begin(found, operation)
    return operations.accepted(operation, request, places.short(found.body["location"]))


@ROUTES.on("DELETE", COLLECTION + "/{database}")
def delete(cloud: Cloud, request: Request, group: str, server: str, database: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    if database not in existing(found):
        return Answer(204)
    flexible_servers.check_idle(found)

    def finish() -> None:
        if found.behind is None:
            existing(found).pop(database, None)
        else:
            _run(found, f"DROP DATABASE IF EXISTS {_quoted(database)} WITH (FORCE)")

    operation = Operation(
        cloud, "DropServerDatabaseManagementOperation", cloud.clock.of("database"), finish, retry_after=15.0
    )
    flexible_servers.begin(found, operation)
    return operations.accepted(operation, request, found.body["location"])


# -- firewall rules ----------------------------------------------------------------------------------------------------


def _rule(found: Resource) -> dict:
    return {"properties": copy.deepcopy(found.properties), "id": found.id, "name": found.name, "type": FIREWALL}


@ROUTES.on("GET", RULES)
def list_rules(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    return Answer(200, {"value": [_rule(one) for one in cloud.of_type(FIREWALL, under=found.id)]})


@ROUTES.on("GET", RULES + "/{rule}")
def get_rule(cloud: Cloud, request: Request, group: str, server: str, rule: str) -> Answer:
    flexible_servers.need(cloud, group, server)
    return Answer(200, _rule(cloud.need(group, FIREWALL, server, rule)))


@ROUTES.on("PUT", RULES + "/{rule}")
def put_rule(cloud: Cloud, request: Request, group: str, server: str, rule: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    properties = request.document().get("properties") or {}

    def finish() -> None:
        cloud.put(
            Resource(f"{found.id}/firewallRules/{rule}", FIREWALL, rule, {"properties": copy.deepcopy(properties)})
        )

    operation = Operation(
        cloud, "UpsertServerFirewallRulesManagementOperation", cloud.clock.of("database"), finish, retry_after=15.0
    )
    return operations.accepted(operation, request, places.short(found.body["location"]))


@ROUTES.on("DELETE", RULES + "/{rule}")
def delete_rule(cloud: Cloud, request: Request, group: str, server: str, rule: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    known = cloud.find(f"{found.id}/firewallRules/{rule}")
    if known is None:
        return Answer(204)
    operation = Operation(
        cloud,
        "DropServerFirewallRulesManagementOperation",
        cloud.clock.of("database"),
        lambda: cloud.remove(known),
        retry_after=15.0,
    )
    return operations.accepted(operation, request, found.body["location"])
