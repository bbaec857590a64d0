# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscriptions, resource groups, registration of providers, tags."""

from __future__ import annotations

from tests.azure_simulator import places
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.operations import Operation
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"


def make(cloud: Cloud, name: str, location: str, tags: dict | None) -> str:
    """Make a resource group; return its id."""
    found = {
        "id": f"/subscriptions/{cloud.subscription_id}/resourceGroups/{name}",
        "name": name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": places.short(location),
        **({"tags": dict(tags)} if tags else {}),
        "properties": {"provisioningState": "Succeeded"},
    }
    cloud.groups[name.lower()] = found
    return found["id"]


def _subscription(cloud: Cloud, identifier: str | None = None) -> dict:
    identifier = identifier or cloud.subscription_id
    return {
        "id": f"/subscriptions/{identifier}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": identifier,
        "tenantId": cloud.tenant_id,
        "displayName": "Rehearsal",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


@ROUTES.on("GET", "/subscriptions")
def subscriptions(cloud: Cloud, request: Request) -> Answer:
    found = [_subscription(cloud, identifier) for identifier in cloud.subscriptions]
    return Answer(200, {"value": found, "count": {"type": "Total", "value": len(found)}})


@ROUTES.on("GET", SUBSCRIPTION)
def subscription(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _subscription(cloud))


@ROUTES.on("GET", "/tenants")
def tenants(cloud: Cloud, request: Request) -> Answer:
    one = {"id": f"/tenants/{cloud.tenant_id}", "tenantId": cloud.tenant_id, "displayName": "Rehearsal"}
    return Answer(200, {"value": [{**one, "countryCode": "US", "tenantCategory": "Home"}]})


@ROUTES.on("GET", SUBSCRIPTION + "/locations")
def locations(cloud: Cloud, request: Request) -> Answer:
    value = [
        {"id": f"/subscriptions/{cloud.subscription_id}/locations/{name}", "name": name, "displayName": text}
        for name, text in places.DISPLAY.items()
    ]
    return Answer(200, {"value": value})


@ROUTES.on("GET", SUBSCRIPTION + "/resourceGroups")
def groups(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, {"value": list(cloud.groups.values())})


@ROUTES.on("HEAD", GROUP)
def exists(cloud: Cloud, request: Request, group: str) -> Answer:
    return Answer(204 if group.lower() in cloud.groups else 404)


@ROUTES.on("GET", GROUP)
def get(cloud: Cloud, request: Request, group: str) -> Answer:
    return Answer(200, cloud.group(group))


@ROUTES.on("PUT", GROUP)
def put(cloud: Cloud, request: Request, group: str) -> Answer:
    body = request.document()
    known = group.lower() in cloud.groups
    if not body.get("location"):
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    make(cloud, group, body["location"], body.get("tags"))
    return Answer(200 if known else 201, cloud.group(group))


@ROUTES.on("PATCH", GROUP)
def patch(cloud: Cloud, request: Request, group: str) -> Answer:
    found = cloud.group(group)
    tags = request.document().get("tags")
    if tags is not None:
        found["tags"] = dict(tags)
    return Answer(200, found)


@ROUTES.on("DELETE", GROUP)
def delete(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    within = [one for one in cloud.resources.values() if one.group.lower() == group.lower() and cloud.owns(one)]
    for resource in within:
        cloud.resources.pop(resource.id.lower(), None)
    del cloud.groups[group.lower()]
    return Answer(200)


@ROUTES.on("GET", GROUP + "/resources")
def resources(cloud: Cloud, request: Request, group: str) -> Answer:
    cloud.group(group)
    value = [
        {"id": one.id, "name": one.name, "type": one.type, "location": places.short(one.body.get("location", ""))}
        for one in cloud.resources.values()
        if one.group.lower() == group.lower() and cloud.owns(one) and one.type.count("/") == 1
    ]
    return Answer(200, {"value": value})


# -- registration ----------------------------------------------------------------------------------------------------


def _provider(cloud: Cloud, provider: str) -> dict:
    state = cloud.registrations.get(provider.lower())
    if state is None:
        raise ArmError(
            404, "InvalidResourceNamespace", f"The resource namespace '{provider}' is invalid.", cause="gateway"
        )
    types = {
        "microsoft.dbforpostgresql": (("flexibleServers", "2025-08-01"), ("servers", "2017-12-01")),
        "microsoft.network": (
            ("virtualNetworks", "2024-05-01"),
            ("virtualNetworks/subnets", "2024-05-01"),
            ("privateDnsZones", "2024-06-01"),
            ("privateDnsZones/virtualNetworkLinks", "2024-06-01"),
            ("privateEndpoints", "2024-05-01"),
            ("networkSecurityGroups", "2024-05-01"),
        ),
    }.get(provider.lower(), ())
    return {
        "id": f"/subscriptions/{cloud.subscription_id}/providers/{provider}",
        "namespace": provider,
        "resourceTypes": [
            {
                "resourceType": name,
                "locations": list(places.DISPLAY.values()),
                "apiVersions": [version],
                "defaultApiVersion": version,
                "capabilities": "CrossResourceGroupResourceMove, SupportsTags, SupportsLocation",
            }
            for name, version in types
        ],
        "registrationState": state,
        "registrationPolicy": "RegistrationRequired",
    }


@ROUTES.on("GET", SUBSCRIPTION + "/providers/{provider}")
def provider_state(cloud: Cloud, request: Request, provider: str) -> Answer:
    return Answer(200, _provider(cloud, provider))


@ROUTES.on("GET", SUBSCRIPTION + "/providers")
def providers(cloud: Cloud, request: Request) -> Answer:
    names = ("Microsoft.DBforPostgreSQL", "Microsoft.Network", "Microsoft.Resources")
    return Answer(200, {"value": [_provider(cloud, name) for name in names]})


@ROUTES.on("POST", SUBSCRIPTION + "/providers/{provider}/register")
def register(cloud: Cloud, request: Request, provider: str) -> Answer:
    _provider(cloud, provider)
    if cloud.registrations[provider.lower()] != "Registered":
        cloud.registrations[provider.lower()] = "Registering"

        def done() -> None:
            cloud.registrations[provider.lower()] = "Registered"

        Operation(cloud, "Register", cloud.clock.of("registration"), done)
    return Answer(200, _provider(cloud, provider))


# -- tags --------------------------------------------------------------------------------------------------------------


def tags_handler(cloud: Cloud, request: Request, identifier: str) -> Answer:
    """Answer `{resource id}/providers/Microsoft.Resources/tags/default`."""
    target = cloud.find(identifier)
    holder = target.body if target else cloud.groups.get(identifier.lower().rsplit("/", 1)[-1])
    if holder is None:
        raise ArmError(404, "ResourceNotFound", f"The resource '{identifier}' was not found.", cause="gateway")
    tags = dict(holder.get("tags") or {})
    if request.method in ("PUT", "PATCH"):
        body = request.document()
        sent = body.get("properties", {}).get("tags", {})
        operation = body.get("operation", "Replace") if request.method == "PATCH" else "Replace"
        if operation == "Merge":
            tags.update(sent)
        elif operation == "Delete":
            tags = {key: value for key, value in tags.items() if key not in sent}
        else:
            tags = dict(sent)
        holder["tags"] = tags
    elif request.method == "DELETE":
        holder.pop("tags", None)
        return Answer(200)
    name = "Microsoft.Resources/tags"
    path = f"{identifier}/providers/{name}/default"
    return Answer(200, {"id": path, "name": "default", "type": name, "properties": {"tags": tags}})


def permissions(cloud: Cloud, identifier: str) -> Answer:
    """Answer `{resource id}/providers/Microsoft.Authorization/permissions`: what the caller may do there.

    The one identity may do everything, unless `cloud.granted` names other actions for a resource.
    """
    if cloud.find(identifier) is None and identifier.lower().rsplit("/", 1)[-1] not in cloud.groups:
        raise ArmError(404, "ResourceNotFound", f"The resource '{identifier}' was not found.", cause="gateway")
    actions = cloud.granted.get(identifier.lower(), ["*"])
    return Answer(200, {"value": [{"actions": actions, "notActions": [], "dataActions": [], "notDataActions": []}]})
