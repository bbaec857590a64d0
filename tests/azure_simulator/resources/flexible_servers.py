# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flexible servers: create, read, change, delete, start, stop, restart."""

from __future__ import annotations

import copy
import secrets

from tests.azure_simulator import operations, places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.resources import dns, endpoints, names, server_rules, subnets
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
KIND = "Microsoft.DBforPostgreSQL/flexibleServers"
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + KIND
SERVER = GROUP + "/{server}"
#: Seconds between polls that Azure asks for, by operation.
UPSERT_PAUSE, DROP_PAUSE = 60.0, 15.0
NEW_STATES = {"Provisioning": "Updating", "Restarting": "Updating", "Inaccessible": "Disabled"}
NOT_RETURNED = ("administratorLoginPassword", "createMode", "sourceServerResourceId", "pointInTimeUTC")
MINOR_VERSIONS = {"11": "22", "12": "22", "13": "21", "14": "18", "15": "13", "16": "9", "17": "5", "18": "1"}


def major_of(cluster) -> str:
    """Return the major version of a running cluster."""
    return str(int(cluster.psql("SHOW server_version_num")) // 10000)


def default_body(name: str, location: str) -> dict:
    """Return what a new server has of its own."""
    return {
        "sku": {"name": "Standard_D2s_v3", "tier": "GeneralPurpose"},
        "systemData": {"createdAt": wire.stamp()},
        "properties": {
            "replica": {"role": "Primary", "capacity": 5},
            "storage": {"type": "", "iops": 500, "tier": "P10", "storageSizeGB": 128, "autoGrow": "Disabled"},
            "network": {"publicNetworkAccess": "Enabled"},
            "dataEncryption": {"type": "SystemManaged"},
            "authConfig": {"activeDirectoryAuth": "Disabled", "passwordAuth": "Enabled"},
            "fullyQualifiedDomainName": f"{name}.postgres.database.azure.com",
            "version": "16",
            "minorVersion": "9",
            "state": "Ready",
            "availabilityZone": "1",
            "backup": {"backupRetentionDays": 7, "geoRedundantBackup": "Disabled"},
            "highAvailability": {"mode": "Disabled", "state": "NotEnabled"},
            "maintenanceWindow": {"customWindow": "Disabled", "dayOfWeek": 0, "startHour": 0, "startMinute": 0},
            "replicationRole": "Primary",
            "replicaCapacity": 5,
        },
        "location": places.display(location),
    }


def new_resource(cloud: Cloud, group: str, name: str, location: str) -> Resource:
    """Return a server that is not entered yet."""
    return Resource(cloud.id_of(group, KIND, name), KIND, name, default_body(name, location))


def merge(server: Resource, body: dict) -> None:
    """Take over what a PUT or PATCH says, in the way in which Azure says it later."""
    if "sku" in body:
        server.body["sku"] = {**server.body["sku"], **body["sku"]}
    for word in ("tags", "identity"):
        if body.get(word) is not None:
            server.body[word] = copy.deepcopy(body[word])
    sent, held = body.get("properties") or {}, server.properties
    if sent.get("administratorLoginPassword"):
        server.private["password"] = sent["administratorLoginPassword"]
    for word, value in sent.items():
        if word in NOT_RETURNED or value is None:
            continue
        held[word] = {**held.get(word, {}), **copy.deepcopy(value)} if isinstance(value, dict) else copy.deepcopy(value)
    held["authConfig"] = {key: value for key, value in held["authConfig"].items() if value != ""}
    if "storage" in sent and "storageSizeGB" in sent["storage"]:
        tier, iops = server_rules.storage_tier(held["storage"]["storageSizeGB"])
        held["storage"].update(tier=tier, iops=iops)
    if held["network"].get("delegatedSubnetResourceId"):
        # Recorded: inside a network the answer says Disabled, whatever was sent.
        held["network"]["publicNetworkAccess"] = "Disabled"
    mode = held["highAvailability"].get("mode", "Disabled")
    if "SystemAssigned" in server.body.get("identity", {}).get("type", ""):
        server.body["identity"].setdefault("principalId", wire.new_guid())
    held["highAvailability"]["state"] = "NotEnabled" if mode == "Disabled" else "Healthy"
    held["minorVersion"] = MINOR_VERSIONS.get(held["version"], "0")


def shown(cloud: Cloud, server: Resource, version: str | None = None) -> dict:
    """Return a server in wire form, in the words of a version of the API."""
    body = copy.deepcopy(server.body)
    held = body["properties"]
    if not held["network"].get("delegatedSubnetResourceId"):
        held["privateEndpointConnections"] = endpoints.connections_of(cloud, server)
    if (version or "") < "2025":
        held["state"] = NEW_STATES.get(held["state"], held["state"])
    if "principalId" in body.get("identity", {}):
        body["identity"]["tenantId"] = cloud.tenant_id
    if server.private.get("first_backup", float("inf")) <= cloud.clock.now():
        held["backup"]["earliestRestoreDate"] = wire.stamp(server.private["first_backup"], offset=True)
    order = [word for word in ("sku", "identity", "systemData", "properties", "location", "tags") if word in body]
    return {**{word: body[word] for word in order}, "id": server.id, "name": server.name, "type": KIND}


def enter_network(cloud: Cloud, server: Resource) -> None:
    """Let a server live in its subnet and be found by its zone."""
    network = server.properties["network"]
    subnets.hold(cloud, network.get("delegatedSubnetResourceId"))
    zone = cloud.find(network.get("privateDnsZoneArmResourceId"))
    if zone is not None:
        subnet = cloud.find(network["delegatedSubnetResourceId"])
        dns.make_record(cloud, zone, server.name, [endpoints.next_address(cloud, subnet)], 30)


def leave_network(cloud: Cloud, server: Resource) -> None:
    """Take away a server with its record; its subnet is held for a while."""
    network = server.properties["network"]
    zone = cloud.find(network.get("privateDnsZoneArmResourceId"))
    record = cloud.find(f"{zone.id}/A/{server.name}") if zone is not None else None
    if record is not None:
        cloud.remove(record)
    cloud.remove(server)
    subnets.release(cloud, network.get("delegatedSubnetResourceId"))


def hidden(cloud: Cloud, server: Resource) -> bool:
    """Whether a server that is being made cannot be seen yet."""
    return server.private.get("appears", 0) > cloud.clock.now()


def need(cloud: Cloud, group: str, server: str) -> Resource:
    """Return a server that can be read; one that is not there yet is not found."""
    found = cloud.need(group, KIND, server)
    if hidden(cloud, found):
        raise wire.resource_not_found(KIND, server, group)
    return found


def busy(server: Resource) -> ArmError:
    return ArmError(
        409,
        "ServerIsBusy",
        f"Cannot complete operation because server '{server.name}' is busy processing another operation. Try again later.",
        cause="service",
    )


def begin(server: Resource, operation: Operation) -> Operation:
    """Let a server be busy until an operation has ended.

    Raises ArmError when it already is.
    """
    server.private["operation"] = operation
    return operation


def check_idle(server: Resource) -> None:
    current = server.private.get("operation")
    if current is not None and not current.ended:
        raise busy(server)


# -- reading -----------------------------------------------------------------------------------------------------------


@ROUTES.on("GET", SERVER)
def get(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    return Answer(200, shown(cloud, need(cloud, group, server), request.api_version))


@ROUTES.on("GET", GROUP)
def by_group(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    found = [one for one in cloud.of_type(KIND, group) if not hidden(cloud, one)]
    return Answer(200, {"value": [shown(cloud, one, request.api_version) for one in found]})


@ROUTES.on("GET", "/subscriptions/{subscription}/providers/" + KIND)
def by_subscription(cloud: Cloud, request: Request) -> Answer:
    found = [one for one in cloud.of_type(KIND, own=True) if not hidden(cloud, one)]
    return Answer(200, {"value": [shown(cloud, one, request.api_version) for one in found]})


@ROUTES.on("GET", SERVER + "/capabilities")
def capabilities(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    need(cloud, group, server)
    return Answer(200, names.capabilities(request.api_version))


@ROUTES.on("GET", SERVER + "/replicas")
def replicas(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    origin = need(cloud, group, server)
    found = [one for one in cloud.of_type(KIND) if one.private.get("replica_of") == origin.id.lower()]
    return Answer(200, {"value": [shown(cloud, one, request.api_version) for one in found]})


# -- changing ----------------------------------------------------------------------------------------------------------


@ROUTES.on("PUT", SERVER)
def put(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    cloud.group(group)
    body = request.document()
    if not isinstance(body.get("location"), str) or not body["location"]:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    found = cloud.find(cloud.id_of(group, KIND, server))
    if found is not None:
        check_idle(found)
        return _change(cloud, request, found, body)
    return _create(cloud, request, group, server, body)


def _create(cloud: Cloud, request: Request, group: str, name: str, body: dict) -> Answer:
    created = new_resource(cloud, group, name, body["location"])
    taken = names.server_taken(cloud, name)
    created.properties["state"] = "Provisioning"
    # Not recorded: what a GET says while a server is made. Here it appears after a tenth of the time.
    created.private["appears"] = cloud.clock.now() + cloud.clock.of("server create") / 10
    cloud.put(created)
    restoring = (body.get("properties") or {}).get("createMode") in (
        "PointInTimeRestore",
        "GeoRestore",
        "ReviveDropped",
    )
    if restoring:
        _restore(cloud, created, body)

    mode = ((body.get("properties") or {}).get("highAvailability") or {}).get("mode", "Disabled")
    standby = mode != "Disabled"

    def finish() -> None:
        server_rules.check_create(cloud, created, body, taken)
        merge(created, body)
        enter_network(cloud, created)
        held = created.properties
        held["state"] = "Ready"
        mode = held["highAvailability"]["mode"]
        if mode != "Disabled":
            held["highAvailability"].setdefault("standbyAvailabilityZone", "2" if mode == "ZoneRedundant" else "1")
        if not restoring:
            # Recorded: the first backup is not there at once, and a restored server had none.
            created.private["first_backup"] = operation.started + cloud.clock.of("first backup")

    def work() -> None:
        created.behind = _new_cluster(cloud, created, body)
        created.private["own_cluster"] = True

    operation = Operation(
        cloud,
        "RestoreSnapshotManagementOperation" if restoring else "UpsertServerManagementOperationV2",
        cloud.clock.of("server create with standby" if standby else "server create"),
        finish,
        work=work if cloud.cluster_prefix is not None and not restoring else None,
        retry_after=UPSERT_PAUSE,
        abandon=lambda: cloud.remove(created),
    )
    begin(created, operation)
    return operations.accepted(operation, request, places.short(body["location"]))


def _restore(cloud: Cloud, created: Resource, body: dict) -> None:
    origin = cloud.find((body.get("properties") or {}).get("sourceServerResourceId"))
    if origin is None:
        return
    created.body["sku"] = dict(origin.body["sku"])
    for word in ("tags",):
        if word in origin.body:
            created.body[word] = dict(origin.body[word])
    held = copy.deepcopy(origin.properties)
    held["fullyQualifiedDomainName"] = created.properties["fullyQualifiedDomainName"]
    held["highAvailability"] = {"mode": "Disabled", "state": "NotEnabled"}
    held["backup"].pop("earliestRestoreDate", None)
    created.body["properties"] = {**held, "state": "Provisioning"}


def _new_cluster(cloud: Cloud, server: Resource, body: dict):
    """Make and start a real PostgreSQL server with an administrator as Azure would make one."""
    from tests.azure_simulator import clusters

    sent = body.get("properties") or {}
    password = sent.get("administratorLoginPassword") or secrets.token_urlsafe(18)
    return clusters.create(cloud, server.name, sent.get("administratorLogin") or "dbadmin", password)


@ROUTES.on("PATCH", SERVER)
def patch(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = need(cloud, group, server)
    body = request.document()
    check_idle(found)
    return _change(cloud, request, found, body)


def _change(cloud: Cloud, request: Request, server: Resource, body: dict) -> Answer:
    before = server.properties["state"]
    only_labels = set(body) <= {"tags", "location"}

    def finish() -> None:
        server.properties["state"] = before
        server_rules.check_update(cloud, server, body, before)
        merge(server, body)

    def abandon() -> None:
        server.properties["state"] = before

    if before == "Ready" and not only_labels:
        server.properties["state"] = "Updating"
    name = "UpsertServerManagementOperationV2"
    seconds = cloud.clock.of("server rename" if only_labels else "server update")
    operation = Operation(cloud, name, seconds, finish, retry_after=UPSERT_PAUSE, abandon=abandon)
    begin(server, operation)
    return operations.accepted(operation, request, places.short(server.body["location"]))


@ROUTES.on("DELETE", SERVER)
def delete(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    cloud.group(group)
    found = cloud.find(cloud.id_of(group, KIND, server))
    if found is None:
        return Answer(204)
    check_idle(found)
    found.properties["state"] = "Dropping"

    def finish() -> None:
        from tests.azure_simulator.migrations import course

        course.server_gone(cloud, found)
        leave_network(cloud, found)
        if found.private.get("own_cluster"):
            found.behind.destroy()

    name = "DropServerManagementOperation"
    operation = Operation(cloud, name, cloud.clock.of("server delete"), finish, retry_after=DROP_PAUSE)
    begin(found, operation)
    # Recorded: the address of this operation spells the region with blanks.
    return operations.accepted(operation, request, found.body["location"])


# -- running -----------------------------------------------------------------------------------------------------------


def _run(cloud: Cloud, request: Request, server: Resource, name: str, duration: str, states: tuple, work) -> Answer:
    needed, during, afterwards = states
    check_idle(server)
    if server.properties["state"] not in needed:
        raise ArmError(
            409,
            "ServerStateNotAllowed",
            f"Operation is not allowed while server '{server.name}' is in state '{server.properties['state']}'.",
            cause="service",
        )
    before = server.properties["state"]
    server.properties["state"] = during

    def finish() -> None:
        from tests.azure_simulator.resources import configurations

        server.properties["state"] = afterwards
        if afterwards == "Ready":
            configurations.restarted(server)

    def abandon() -> None:
        server.properties["state"] = before

    result = {"properties": {}, "name": server.name, "type": "PostgreSQL"}
    real = work if server.behind is not None else None
    seconds = cloud.clock.of(duration)
    operation = Operation(cloud, name, seconds, finish, work=real, result=result, retry_after=15.0, abandon=abandon)
    begin(server, operation)
    return operations.accepted(operation, request, places.short(server.body["location"]))


@ROUTES.on("POST", SERVER + "/restart")
def restart(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = need(cloud, group, server)
    request.json()

    def work() -> None:
        found.behind.stop()
        found.behind.start()

    states = (("Ready",), "Restarting", "Ready")
    return _run(cloud, request, found, "RestartServerManagementOperation", "server restart", states, work)


@ROUTES.on("POST", SERVER + "/stop")
def stop(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = need(cloud, group, server)
    states = (("Ready",), "Stopping", "Stopped")
    return _run(cloud, request, found, "StopServerManagementOperation", "server stop", states, found_stop(found))


@ROUTES.on("POST", SERVER + "/start")
def start(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = need(cloud, group, server)

    def work() -> None:
        found.behind.start()

    states = (("Stopped",), "Starting", "Ready")
    return _run(cloud, request, found, "StartServerManagementOperation", "server start", states, work)


def found_stop(server: Resource):

    def stop() -> None:
        server.behind.stop()

    return stop
