# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runtime server shall be, and what of that is to be made: decided before anything is.

The plan is what C(--check) and C(--diff) show, and what M(runtime) carries out.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field

from .._core.errors import InvalidRequest, PreconditionFailed
from .._core.resource_id import ResourceId
from . import sizing
from .ownership import SERVER, SUBNET, ZONE, derived_name, own_tags, ownership, subnet_id, zone_id
from .scene import SUBNETS, Scene, network_of_subnet, same
from .security_rules import network_of, same_kind
from .servers import Server, region

DELEGATION = "Microsoft.DBforPostgreSQL/flexibleServers"
ADMINISTRATOR = "azpgruntime"
ZONES = "microsoft.network/privatednszones"
NETWORKS = "microsoft.network/virtualnetworks"
RETENTION_DAYS = 7
SMALLEST_SUBNET = 28
RESERVED_TAGS = "azpg-"
ZONE_HINT = "Use a zone such as azpg.private.postgres.database.azure.com, or leave it out to have one made."
PASSWORD, ENTRA = "password", "entra"


@dataclass(frozen=True)
class Link:
    """A link of the private DNS zone to a virtual network."""

    id: ResourceId
    network_id: str


@dataclass(frozen=True)
class Plan:
    """The runtime server as it shall be.

    I(subnet) is what a subnet is made from, None when it is there; I(zone_made) tells that the zone is made, I(links)
    which links of it are. I(own_subnet) and I(own_zone) tell what belongs to this migration, made now or by a run before.
    """

    id: ResourceId
    location: str
    sku: sizing.Sku
    version: str
    storage_gib: int
    subnet_id: ResourceId
    zone_id: ResourceId
    subnet: dict | None
    zone_made: bool
    links: tuple
    own_subnet: bool
    own_zone: bool
    authentication: str
    tags: dict = field(default_factory=dict)
    availability_zone: str | None = None
    tenant: str | None = None

    @property
    def created(self) -> tuple:
        """What belongs to this migration, as the tag says it."""
        made = [SERVER]
        made += [SUBNET] if self.own_subnet else []
        made += [ZONE] if self.own_zone else []
        return tuple(made)

    def lines(self) -> list:
        """Return one line for everything that is made, in the order in which it is."""
        lines = []
        if self.zone_made:
            lines.append(f"private DNS zone {self.zone_id}")
        lines += [f"link {link.id.name} of zone {self.zone_id.name} to {link.network_id}" for link in self.links]
        if self.subnet:
            prefix = self.subnet["properties"]["addressPrefix"]
            lines.append(f"subnet {self.subnet_id}, {prefix}, delegated to {DELEGATION}")
        lines.append(
            f"flexible server {self.id}: {self.sku}, PostgreSQL {self.version}, {self.storage_gib} GiB, {self.location}, "
            f"no high availability, {RETENTION_DAYS} days of backup in the region, login by {self.authentication}"
        )
        return lines

    def server_body(self, tags: dict) -> dict:
        """Return the request that makes the server; its administrator's password is random and kept nowhere."""
        login = {"passwordAuth": "Enabled", "activeDirectoryAuth": "Disabled"}
        administrator = {"administratorLogin": ADMINISTRATOR, "administratorLoginPassword": random_password()}
        if self.authentication == ENTRA:
            login = {"passwordAuth": "Disabled", "activeDirectoryAuth": "Enabled"}
            login.update({"tenantId": self.tenant} if self.tenant else {})
            administrator = {}
        return {
            "location": self.location,
            "sku": {"name": self.sku.name, "tier": self.sku.tier},
            "tags": tags,
            "properties": {
                **administrator,
                "version": self.version,
                "storage": {"storageSizeGB": self.storage_gib, "autoGrow": "Disabled"},
                "authConfig": login,
                "backup": {"backupRetentionDays": RETENTION_DAYS, "geoRedundantBackup": "Disabled"},
                "network": {
                    "delegatedSubnetResourceId": str(self.subnet_id),
                    "privateDnsZoneArmResourceId": str(self.zone_id),
                },
                "highAvailability": {"mode": "Disabled"},
                **({"availabilityZone": self.availability_zone} if self.availability_zone else {}),
                "createMode": "Create",
            },
        }


def random_password(length: int = 40) -> str:
    """Return a password that fulfils Azure's rules: letters of both cases, digits, and a sign."""
    alphabet = string.ascii_letters + string.digits
    while True:
        word = "".join(secrets.choice(alphabet) for _position in range(length))
        if any(c.islower() for c in word) and any(c.isupper() for c in word) and any(c.isdigit() for c in word):
            return f"{word}-{secrets.choice(string.digits)}"


def make_plan(scene: Scene, target: Server) -> Plan:
    """Decide what the runtime server shall be.

    :raises InvalidRequest: when the options contradict themselves or each other, or are not enough
    :raises PreconditionFailed: when the region has no size that is large enough
    """
    options, request = scene.options, scene.request
    subnet, network_id, subnet_words = planned_subnet(scene)
    location = region(options.get("location") or network_location(scene, network_id) or target.location)
    offer = scene.offer(location)
    sku = planned_sku(scene, target, location, offer)
    zone, zone_body = planned_zone(scene)
    return Plan(
        id=scene.runtime_id,
        location=location,
        sku=sku,
        version=sizing.choose_version(options.get("version"), target.version, offer),
        storage_gib=sizing.choose_storage(
            request.mode, target.storage_gib, options.get("storage_size_gb"), offer.storage_gib.get(sku.tier, ())
        ),
        subnet_id=subnet,
        zone_id=zone,
        subnet=subnet_words,
        zone_made=zone_body is None,
        links=tuple(missing_links(scene, zone, scene.links(str(zone)) if zone_body else [], network_id)),
        own_subnet=subnet.name == derived_name(request),
        own_zone=zone_body is None or ownership(zone_body.get("tags"), request).mine,
        authentication=options.get("authentication") or PASSWORD,
        tags=user_tags(scene),
        availability_zone=options.get("availability_zone"),
        tenant=tenant_of(scene) if options.get("authentication") == ENTRA else None,
    )


def tenant_of(scene: Scene) -> str | None:
    """Return the tenant of the runtime server's subscription."""
    body = scene.resource(f"/subscriptions/{scene.runtime_id.subscription_id}")
    return (body or {}).get("tenantId")


def planned_zone(scene: Scene) -> tuple:
    """Return C((zone id, body)) of the private DNS zone; the body is None for one that is to be made.

    :raises InvalidRequest: when the option is no id of a zone, or its name is none that Azure takes
    :raises PreconditionFailed: when it names a zone that is not there
    """
    given = scene.options.get("private_dns_zone_id")
    if not given:
        made = zone_id(scene.runtime_id, scene.suffix)
        return made, scene.resource(made)
    zone = need_id("private_dns_zone_id", given, ZONES)
    problem = zone_name_problem(zone.name, scene.runtime_id.name, scene.suffix)
    if problem:
        raise InvalidRequest(f"'azure_server.private_dns_zone_id' names the zone {zone.name}: {problem}.", ZONE_HINT)
    body = scene.resource(zone)
    if body is None:
        raise PreconditionFailed(
            f"'azure_server.private_dns_zone_id' names {zone}, which does not exist, or which the identity may not see.",
            "Correct it, or leave it out: then a zone is made, and removed with the runtime server.",
        )
    return zone, body


def zone_name_problem(name: str, server: str, suffix: str) -> str:
    """Return what is wrong with a zone's name for a server in a network, or an empty text."""
    name, suffix = name.lower(), suffix.lower()
    if name == f"privatelink.{suffix}":
        return "this is the zone of private endpoints"
    if not name.endswith(f".{suffix}"):
        return f"it does not end in .{suffix}"
    if name == f"{server.lower()}.{suffix}":
        return "it is the server's own name"
    return ""


def planned_sku(scene: Scene, target: Server, location: str, offer: sizing.Offer) -> sizing.Sku:
    """Return the size of the runtime server: what the user names, or the smallest that is not below the target's.

    :raises PreconditionFailed: when Azure does not say how large the target is, or there is no such size
    """
    size = target_size(scene, target)
    named = scene.options.get("sku") or "auto"
    tier = scene.options.get("tier")
    if offer.restricted:
        raise PreconditionFailed(
            f"The subscription may not create flexible servers in {location}.",
            "Choose another 'location', or ask Microsoft to lift the restriction.",
        )
    if named.lower() == "auto":
        return sizing.choose_sku(size, offer, tier)
    return sizing.named_sku(named, tier, size, offer)


def target_size(scene: Scene, target: Server) -> sizing.Sku:
    """Return the target's size: its region's capabilities know it, else its own.

    :raises PreconditionFailed: when neither does
    """
    found = scene.offer(target.location).find(target.sku)
    if found is None:
        own = sizing.Offer.from_capabilities(scene.entries(f"{target.id}/capabilities"))
        found = own.find(target.sku)
    if found is None:
        raise PreconditionFailed(
            f"Azure does not say how large {target.sku} is, which the target {target.id.name} has.",
            "Scale the target to a size that its region offers.",
        )
    return found


def planned_subnet(scene: Scene) -> tuple:
    """Return C((subnet id, network id, body)); the body is None for a subnet that is there already.

    :raises InvalidRequest: when the options name no subnet, or both one that is there and one to make
    """
    options = scene.options
    given, network, prefix = (
        options.get(word) for word in ("delegated_subnet_id", "virtual_network_id", "subnet_address_prefix")
    )
    if given and (network or prefix):
        raise InvalidRequest(
            "'azure_server' names a subnet that is there (delegated_subnet_id) and one to make (virtual_network_id, "
            "subnet_address_prefix).",
            "Give one or the other.",
        )
    if given:
        subnet = need_id("delegated_subnet_id", given, SUBNETS)
        return subnet, network_of_subnet(str(subnet)), None
    if not network or not prefix:
        raise InvalidRequest(
            "The runtime server needs a subnet of its own, and none is named.",
            "Set 'azure_server.delegated_subnet_id' to one that is delegated to flexible servers, or "
            "'azure_server.virtual_network_id' and 'azure_server.subnet_address_prefix' to have one made.",
        )
    parent = need_id("virtual_network_id", network, NETWORKS)
    subnet = subnet_id(scene.request, parent)
    existing = scene.resource(subnet)
    if not existing:
        check_prefix(scene, parent, prefix)
    body = {
        "properties": {
            "addressPrefix": prefix,
            "delegations": [{"name": DELEGATION, "properties": {"serviceName": DELEGATION}}],
            "serviceEndpoints": [{"service": "Microsoft.Storage"}],
            **{
                word: {"id": options[option]}
                for word, option in (
                    ("networkSecurityGroup", "network_security_group_id"),
                    ("routeTable", "route_table_id"),
                )
                if options.get(option)
            },
        }
    }
    return subnet, str(parent), None if existing else body


def check_prefix(scene: Scene, network: ResourceId, prefix: str) -> None:
    """Make sure that a subnet can be made in a network.

    :raises InvalidRequest: when the network is not there, or the prefix is none, too small, outside it, or taken
    """
    option = "'azure_server.subnet_address_prefix'"
    body = scene.resource(network)
    if body is None:
        raise InvalidRequest(
            f"'azure_server.virtual_network_id' names {network}, which does not exist, or which the identity may not see.",
            "Correct it, or give the identity the role Network Contributor on it.",
        )
    wanted = network_of(prefix)
    if wanted is None or wanted.version != 4:
        raise InvalidRequest(f"{option} is {prefix!r}, which is no IPv4 prefix.", "Write for example 10.1.2.0/28.")
    if wanted.prefixlen > SMALLEST_SUBNET:
        raise InvalidRequest(
            f"{option} is {prefix}, expected /{SMALLEST_SUBNET} or larger.", "Azure keeps five addresses."
        )
    spaces = [space for space in map(network_of, scene.prefixes(str(network))) if space]
    if not any(same_kind(wanted, space) and wanted.subnet_of(space) for space in spaces):
        said = ", ".join(map(str, spaces)) or "no addresses"
        raise InvalidRequest(f"{option} is {prefix}, outside the network's {said}.", "Choose a free part of it.")
    for subnet in (body.get("properties") or {}).get("subnets") or []:
        words = subnet.get("properties") or {}
        taken = [words.get("addressPrefix"), *(words.get("addressPrefixes") or [])]
        if any(
            same_kind(wanted, item) and wanted.overlaps(item)
            for item in filter(None, map(network_of, filter(None, taken)))
        ):
            raise InvalidRequest(
                f"{option} is {prefix}, which overlaps with subnet {subnet.get('name')}.", "Choose a free part."
            )


def network_location(scene: Scene, network_id: str | None) -> str | None:
    """Return the region of a virtual network; the server has to be there."""
    body = scene.readable(network_id)
    return (body or {}).get("location")


def missing_links(scene: Scene, zone: ResourceId, links: list, network_id: str | None) -> list:
    """Return the links that the zone lacks: to the runtime server's network, and to those of source and target."""
    wanted = dict.fromkeys(
        str(item).rstrip("/").lower()
        for item in (network_id, scene.source_network_id, *scene.target_network_ids)
        if item
    )
    linked = [((link.get("properties") or {}).get("virtualNetwork") or {}).get("id") for link in links]
    names = {link.get("name", "").lower() for link in links}
    found = []
    for number, network in enumerate(network for network in wanted if not any(same(network, item) for item in linked)):
        name = derived_name(scene.request) + (f"-{number + 1}" if number else "")
        while name in names:
            number += 1
            name = f"{derived_name(scene.request)}-{number + 1}"
        names.add(name)
        found.append(Link(zone.child("virtualNetworkLinks", name), original(network, scene, network_id)))
    return found


def original(network: str, scene: Scene, network_id: str | None) -> str:
    """Return a network's id in the spelling in which it was given."""
    for item in (network_id, scene.source_network_id, *scene.target_network_ids):
        if same(network, item):
            return str(item)
    return network


def need_id(option: str, text: str, kind: str) -> ResourceId:
    """Return an option's text as the id of a kind of resource.

    :raises InvalidRequest: when it is none
    """
    found = ResourceId.parse(text)
    if found is None or found.type != kind:
        raise InvalidRequest(
            f"'azure_server.{option}' is {text!r}, expected the resource id of a {kind}.",
            "It begins with /subscriptions/ and contains the provider Microsoft.Network.",
        )
    return found


def user_tags(scene: Scene) -> dict:
    """Return the tags that the user wants on what is made.

    :raises InvalidRequest: for one that is the collection's
    """
    tags = {str(name): str(value) for name, value in (scene.options.get("tags") or {}).items()}
    reserved = sorted(name for name in tags if name.lower().startswith(RESERVED_TAGS))
    if reserved:
        raise InvalidRequest(
            f"'azure_server.tags' has {', '.join(reserved)}; tags that begin with {RESERVED_TAGS} are the collection's.",
            "Choose other names.",
        )
    return tags


def server_tags(scene: Scene, plan: Plan, at: str | None = None) -> dict:
    """Return the tags that the server is made with: the user's, and whose it is."""
    return {**plan.tags, **own_tags(scene.request, plan.created, at=at)}
