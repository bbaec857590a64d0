# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single Servers, which are retired and can only be sources: version 2017-12-01 of the API."""

from __future__ import annotations

import copy

from tests.azure_simulator import operations, places
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.resources import databases, endpoints, parameter_table
from tests.azure_simulator.resources.parameter_table import Parameter
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
KIND = "Microsoft.DBforPostgreSQL/servers"
PARAMETER = KIND + "/configurations"
DATABASE = KIND + "/databases"
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + KIND
SERVER = GROUP + "/{server}"
TIERS = {"B": "Basic", "GP": "GeneralPurpose", "MO": "MemoryOptimized"}
SUPPORT = Parameter("azure.replication_support", "Enumeration", "REPLICA", "OFF,REPLICA,LOGICAL", dynamic=False)


def make(
    cloud: Cloud, group: str, name: str, location: str, sku: str, version: str, storage_mb: int, login: str
) -> Resource:
    """Make a Single Server that is there at once."""
    tier, family, capacity = sku.split("_")
    properties = {
        "administratorLogin": login,
        "storageProfile": {
            "storageMB": storage_mb,
            "backupRetentionDays": 7,
            "geoRedundantBackup": "Disabled",
            "storageAutogrow": "Enabled",
        },
        "version": version,
        "sslEnforcement": "Enabled",
        "minimalTlsVersion": "TLS1_2",
        "userVisibleState": "Ready",
        "fullyQualifiedDomainName": f"{name}.postgres.database.azure.com",
        "earliestRestoreDate": "2024-11-15T07:16:17.38+00:00",
        "replicationRole": "None",
        "masterServerId": "",
        "byokEnforcement": "Disabled",
        "infrastructureEncryption": "Disabled",
        "replicaCapacity": 5,
        "publicNetworkAccess": "Enabled",
    }
    words = {"name": sku, "tier": TIERS[tier], "family": family, "capacity": int(capacity)}
    body = {"sku": words, "properties": properties, "location": places.short(location)}
    return cloud.put(Resource(cloud.id_of(group, KIND, name), KIND, name, body))


def shown(cloud: Cloud, server: Resource) -> dict:
    body = copy.deepcopy(server.body)
    body["properties"]["privateEndpointConnections"] = [
        {"id": one["id"], "properties": one["properties"]} for one in endpoints.connections_of(cloud, server)
    ]
    return {**body, "id": server.id, "name": server.name, "type": KIND}


@ROUTES.on("GET", SERVER)
def get(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    return Answer(200, shown(cloud, cloud.need(group, KIND, server)))


@ROUTES.on("GET", GROUP)
def by_group(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    return Answer(200, {"value": [shown(cloud, one) for one in cloud.of_type(KIND, group)]})


@ROUTES.on("GET", "/subscriptions/{subscription}/providers/" + KIND)
def by_subscription(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, {"value": [shown(cloud, one) for one in cloud.of_type(KIND)]})


# -- server parameters -------------------------------------------------------------------------------------------------


def table(server: Resource) -> dict[str, Parameter]:
    """Return the parameters of a Single Server; they are kept in memory, but for the one about replication."""
    if "parameters" not in server.private:
        known = [*parameter_table.POSTGRESQL, SUPPORT]
        server.private["parameters"] = {one.name: one.copy() for one in known}
        for one in server.private["parameters"].values():
            one.value = one.default
    found = server.private["parameters"]
    if "asked" not in server.private:
        found[SUPPORT.name].value = replication_support(server)
    return found


def replication_support(server: Resource) -> str:
    """Return what is in force: OFF, REPLICA or LOGICAL."""
    if server.behind is not None:
        level = server.behind.psql("SHOW wal_level").strip()
        return {"logical": "LOGICAL", "minimal": "OFF"}.get(level, "REPLICA")
    return server.private.get("replication_support", "REPLICA")


def set_replication_support(server: Resource, wanted: str) -> None:
    """Bring it in force, which restarts the server."""
    server.private["replication_support"] = wanted
    server.private.pop("asked", None)
    if server.behind is not None and replication_support(server) != wanted:
        level = {"LOGICAL": "logical", "OFF": "minimal"}.get(wanted, "replica")
        server.behind.psql(f"ALTER SYSTEM SET wal_level = '{level}'")
        server.behind.stop()
        server.behind.start()


def _shown_parameter(server: Resource, parameter: Parameter) -> dict:
    value = parameter.value if parameter.value is not None else parameter.default
    properties = {
        "value": value,
        "description": parameter.description,
        "defaultValue": parameter.default,
        "dataType": parameter.kind,
        "allowedValues": parameter.allowed,
        "source": "system-default" if value == parameter.default else "user-override",
    }
    return {
        "properties": properties,
        "id": f"{server.id}/configurations/{parameter.name}",
        "name": parameter.name,
        "type": PARAMETER,
    }


def _find(server: Resource, name: str) -> Parameter:
    found = {key.lower(): one for key, one in table(server).items()}.get(name.lower())
    if found is None:
        raise ArmError(404, "ResourceNotFound", f"The configuration '{name}' was not found.", cause="service")
    return found


@ROUTES.on("GET", SERVER + "/configurations")
def list_parameters(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = cloud.need(group, KIND, server)
    return Answer(200, {"value": [_shown_parameter(found, one) for one in table(found).values()]})


@ROUTES.on("GET", SERVER + "/configurations/{name}")
def get_parameter(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    found = cloud.need(group, KIND, server)
    return Answer(200, _shown_parameter(found, _find(found, name)))


@ROUTES.on("PUT", SERVER + "/configurations/{name}")
def put_parameter(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    found = cloud.need(group, KIND, server)
    parameter = _find(found, name)
    value = (request.document().get("properties") or {}).get("value")

    def finish() -> None:
        parameter.value = value
        if parameter.name == SUPPORT.name:
            found.private["asked"] = value

    operation = Operation(
        cloud, "UpdateElasticServerParameter", cloud.clock.of("configuration"), finish, retry_after=15.0
    )
    return operations.accepted(operation, request, places.short(found.body["location"]))


@ROUTES.on("POST", SERVER + "/restart")
def restart(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = cloud.need(group, KIND, server)

    def work() -> None:
        if "asked" in found.private:
            set_replication_support(found, found.private["asked"].upper())
        elif found.behind is not None:
            found.behind.stop()
            found.behind.start()

    operation = Operation(cloud, "RestartElasticServer", cloud.clock.of("server restart"), work=work, retry_after=15.0)
    return operations.accepted(operation, request, places.short(found.body["location"]))


# -- databases ---------------------------------------------------------------------------------------------------------


@ROUTES.on("GET", SERVER + "/databases")
def list_databases(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = cloud.need(group, KIND, server)
    value = [
        {"properties": properties, "id": f"{found.id}/databases/{name}", "name": name, "type": DATABASE}
        for name, properties in databases.existing(found).items()
    ]
    return Answer(200, {"value": value})
