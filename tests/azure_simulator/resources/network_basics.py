# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all resources of Microsoft.Network have in common: names of types, etags, operations of changes."""

from __future__ import annotations

from tests.azure_simulator import operations, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
GROUP = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network"
NETWORK = "Microsoft.Network/virtualNetworks"
SUBNET = NETWORK + "/subnets"
FLEXIBLE = "Microsoft.DBforPostgreSQL/flexibleServers"


def etag() -> str:
    return f'W/"{wire.new_guid()}"'


def invalid(code: str, message: str) -> ArmError:
    """Return a 400 of the network provider."""
    return ArmError(400, code, message, cause="service")


def not_found(identifier: str) -> ArmError:
    """Return the 404 for something inside a resource that exists."""
    return ArmError(404, "NotFound", f"Resource {identifier} not found.", cause="service")


def need_network(cloud: Cloud, group: str, name: str) -> Resource:
    return cloud.need(group, NETWORK, name)


def changed(cloud: Cloud, network: Resource, finish=None) -> Operation:
    """Start the operation of a change: `Updating` until it ends, a new etag before and after."""
    network.private.update(etag=etag(), state="Updating")

    def done() -> None:
        if finish is not None:
            finish()
        network.private.update(etag=etag(), state="Succeeded")

    return Operation(cloud, "PutNetworkOperation", cloud.clock.of("network"), done)


def dropped(operation: Operation, request: Request, location: str) -> Answer:
    headers = operations.network_headers(operation, request, location)
    address = headers["Azure-AsyncOperation"].replace("/operations/", "/operationResults/", 1)
    pause = {"Retry-After": operation.cloud.clock.retry_after(10)}
    return Answer(202, None, {**headers, "Location": address, **pause})


@ROUTES.on(
    "GET", "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/operationResults/{operation}"
)
def operation_result(cloud: Cloud, request: Request, operation: str, **_names) -> Answer:
    found = cloud.operations.get(operation.lower())
    if found is None:
        raise ArmError(404, "NotFound", f"Operation {operation} not found.", cause="service")
    found.check(request)
    found.advance(cloud.clock.now())
    return Answer(204 if found.ended else 202)
