# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests give the simulator: everything that is there without having been asked for over the wire."""

from __future__ import annotations

from pathlib import Path

from tests.azure_simulator import clusters, wire
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.resources import (
    configurations,
    databases,
    dns,
    endpoints,
    flexible_servers,
    groups,
    networks,
    security,
    single_servers,
)


class Adding:
    """Half of the simulator; needs `cloud` of the other. Every `add_…` returns an ARM id."""

    cloud: Cloud

    def add_resource_group(self, name: str, location: str = "eastus", tags: dict | None = None) -> str:
        with self.cloud.lock:
            return groups.make(self.cloud, name, location, tags)

    def add_subscription(self) -> Adding:
        """Make one more subscription, which the identity may see; return what adds to it, with its `subscription_id`."""
        with self.cloud.lock:
            identifier = wire.new_guid()
            self.cloud.others[identifier] = {}
            return Subscription(self.cloud.seen_from(identifier))

    def unregister(self, provider: str = "Microsoft.DBforPostgreSQL") -> None:
        """Answer 409 MissingSubscriptionRegistration for a provider until it is registered again."""
        with self.cloud.lock:
            self.cloud.registrations[provider.lower()] = "NotRegistered"

    def add_flexible_server(
        self,
        name: str,
        resource_group: str,
        *,
        sku: str = "Standard_D2s_v3",
        tier: str = "GeneralPurpose",
        version: str | None = None,
        storage_gb: int = 128,
        location: str = "eastus",
        public_network_access: str = "Enabled",
        delegated_subnet_id: str | None = None,
        private_dns_zone_id: str | None = None,
        cluster=None,
        administrator_login: str = "dbadmin",
        password: str | None = None,
        tags: dict | None = None,
        state: str = "Ready",
        high_availability: str = "Disabled",
        authentication: str = "Password",
        elastic_cluster: bool = False,
        extensions: tuple[str, ...] = (),
        **properties,
    ) -> str:
        """Make a flexible server that is there at once, without an operation; return its id."""
        with self.cloud.lock:
            self.cloud.group(resource_group)
            server = flexible_servers.new_resource(self.cloud, resource_group, name, location)
            network: dict = {"publicNetworkAccess": public_network_access}
            if delegated_subnet_id:
                network = {"delegatedSubnetResourceId": delegated_subnet_id}
                if private_dns_zone_id:
                    network["privateDnsZoneArmResourceId"] = private_dns_zone_id
            entra = {"activeDirectoryAuth": "Enabled" if authentication != "Password" else "Disabled"}
            by_password = {"passwordAuth": "Enabled" if authentication != "Entra" else "Disabled"}
            sent = {
                "administratorLogin": administrator_login,
                "administratorLoginPassword": password,
                "version": version or (flexible_servers.major_of(cluster) if cluster is not None else "16"),
                "storage": {"storageSizeGB": storage_gb},
                "network": network,
                "highAvailability": {"mode": high_availability},
                "authConfig": {**entra, **by_password},
                **properties,
            }
            body = {
                "sku": {"name": sku, "tier": tier},
                "properties": sent,
                **({"tags": tags} if tags is not None else {}),
            }
            flexible_servers.merge(server, body)
            server.properties["state"] = state
            server.properties["backup"]["earliestRestoreDate"] = "2024-11-15T07:16:17.3809378+00:00"
            if elastic_cluster:
                server.properties["cluster"] = {"clusterSize": 2, "defaultDatabaseName": "postgres"}
            server.behind = cluster
            self.cloud.put(server)
            flexible_servers.enter_network(self.cloud, server)
            if extensions:
                configurations.assign(server, "azure.extensions", ",".join(extensions))
            else:
                configurations.publish(server)
            return server.id

    def add_replica(self, name: str, server_id: str) -> str:
        """Make a read replica of a server; return its id."""
        with self.cloud.lock:
            origin = self.cloud.find(server_id)
            made = self.add_flexible_server(
                name, origin.group, location=origin.body["location"], version=origin.properties["version"]
            )
            replica = self.cloud.find(made)
            replica.private["replica_of"] = origin.id.lower()
            replica.properties.update(replicationRole="AsyncReplica", replicaCapacity=0)
            replica.properties["replica"] = {"role": "AsyncReplica", "capacity": 0, "replicationState": "Active"}
            return made

    def add_single_server(
        self,
        name: str,
        resource_group: str,
        *,
        sku: str = "GP_Gen5_4",
        version: str | None = None,
        storage_mb: int = 102400,
        location: str = "eastus",
        cluster=None,
        administrator_login: str = "dbadmin",
        public_network_access: str = "Enabled",
        tags: dict | None = None,
        private_endpoint: str | None = None,
    ) -> str:
        """Make a Single Server; `private_endpoint` is the id of a subnet that gets an endpoint of it."""
        with self.cloud.lock:
            self.cloud.group(resource_group)
            major = version or (flexible_servers.major_of(cluster) if cluster is not None else "11")
            words = (name, location, sku, major, storage_mb, administrator_login)
            server = single_servers.make(self.cloud, resource_group, *words)
            server.behind = cluster
            server.properties["publicNetworkAccess"] = public_network_access
            if tags is not None:
                server.body["tags"] = dict(tags)
        if private_endpoint:
            server.properties["publicNetworkAccess"] = "Disabled"
            self.add_private_endpoint(
                f"{name}-endpoint", resource_group, private_endpoint, server.id, location=location
            )
        return server.id

    def add_administrator(self, server_id: str, user: str, password: str) -> None:
        """Make a user like Azure's administrators in the cluster behind a server."""
        clusters.add_administrator(self.cloud.find(server_id).behind, user, password)

    def add_databases(self, server_id: str, *names: str) -> None:
        """Say that a server without a cluster has these databases."""
        with self.cloud.lock:
            server = self.cloud.find(server_id)
            databases.existing(server).update({name: {"charset": "UTF8", "collation": "en_US.utf8"} for name in names})

    def add_source(self, cluster) -> str:
        """Tell of a cluster that is a source, so that its certificate is trusted; return its `host:port`."""
        self.cloud.source_clusters.append(cluster)
        return f"{cluster.host}:{cluster.port}"

    def make_clusters_with(self, prefix: Path | None) -> None:
        """Let every server that is created over the API be a real one from now on, made with an installation."""
        self.cloud.cluster_prefix = prefix

    def address(self, server_id: str) -> tuple[str, int] | None:
        """Return host and port of the cluster behind a server, or None."""
        found = self.cloud.find(server_id)
        return None if found is None or found.behind is None else (found.behind.host, found.behind.port)

    def tolerate(self, *numbers: int) -> None:
        """Let the service's validation pass over findings with these numbers, for example 603409."""
        self.cloud.tolerated |= set(numbers)

    def place_source(self, address: str, *networks: str) -> None:
        """Say that `host:port` is private: within reach only of these networks and of those that are peered with them."""
        with self.cloud.lock:
            self.cloud.private_sources[address.lower()] = [one.lower() for one in networks]

    # -- networks ----------------------------------------------------------------------------------------------------

    def add_network(
        self,
        name: str,
        resource_group: str,
        *,
        location: str = "eastus",
        addresses: tuple[str, ...] = ("10.10.0.0/16",),
        subnets: dict[str, dict] | None = None,
        dns_servers: tuple[str, ...] = (),
        tags: dict | None = None,
    ) -> str:
        """Make a virtual network; README.md says what a subnet may have."""
        children = []
        for subnet, words in (subnets or {}).items():
            properties: dict = {"addressPrefix": words["addresses"], "delegations": []}
            if words.get("delegated"):
                service = words["delegated"] if isinstance(words["delegated"], str) else flexible_servers.KIND
                properties["delegations"] = [{"name": service, "properties": {"serviceName": service}}]
            for word, key in (("security_group", "networkSecurityGroup"), ("route_table", "routeTable")):
                if words.get(word):
                    properties[key] = {"id": words[word]}
            children.append({"name": subnet, "properties": properties})
        body: dict = {"location": location, "properties": {"addressSpace": {"addressPrefixes": list(addresses)}}}
        body["properties"]["subnets"] = children
        if dns_servers:
            body["properties"]["dhcpOptions"] = {"dnsServers": list(dns_servers)}
        if tags is not None:
            body["tags"] = tags
        with self.cloud.lock:
            self.cloud.group(resource_group)
            return networks.enter_network(self.cloud, resource_group, name, body).id

    def add_peering(
        self, network: str, other: str, name: str | None = None, state: str = "Connected", both: bool = True
    ) -> str:
        """Peer two networks, on both sides unless told otherwise; `state` is what the first side says."""
        with self.cloud.lock:
            ends = (self.cloud.find(network), self.cloud.find(other))
            made = networks.enter_peering(
                self.cloud, ends[0], name or f"to-{ends[1].name}", {"remoteVirtualNetwork": {"id": ends[1].id}}
            )
            if both:
                networks.enter_peering(
                    self.cloud, ends[1], f"to-{ends[0].name}", {"remoteVirtualNetwork": {"id": ends[0].id}}
                )
            if state != "Connected" or both:
                made.private["state"] = state
            return made.id

    def add_security_group(
        self, name: str, resource_group: str, rules: list[dict] = (), location: str = "eastus"
    ) -> str:
        """Make a network security group."""
        children = [
            {
                "name": rule["name"],
                "properties": {
                    "protocol": rule.get("protocol", "*"),
                    "sourcePortRange": "*",
                    "destinationPortRange": str(rule.get("ports", "*")),
                    "sourceAddressPrefix": rule.get("source", "*"),
                    "destinationAddressPrefix": rule.get("destination", "*"),
                    "access": rule["access"],
                    "priority": rule["priority"],
                    "direction": rule["direction"],
                },
            }
            for rule in rules
        ]
        body = {"location": location, "properties": {"securityRules": children}}
        with self.cloud.lock:
            self.cloud.group(resource_group)
            kind = security.SECURITY
            return security.enter_with_children(self.cloud, kind, "securityRules", resource_group, name, body).id

    def add_route_table(self, name: str, resource_group: str, routes: list[dict] = (), location: str = "eastus") -> str:
        """Make a route table."""
        children = []
        for route in routes:
            properties = {"addressPrefix": route["prefix"], "nextHopType": route["next_hop"]}
            if route.get("address"):
                properties["nextHopIpAddress"] = route["address"]
            children.append({"name": route["name"], "properties": properties})
        body = {"location": location, "properties": {"routes": children}}
        with self.cloud.lock:
            self.cloud.group(resource_group)
            return security.enter_with_children(self.cloud, security.TABLE, "routes", resource_group, name, body).id

    def add_dns_zone(
        self, name: str, resource_group: str, networks: list[str] = (), records: dict[str, str] | None = None, tags=None
    ) -> str:
        """Make a private DNS zone, linked to networks, with address records."""
        with self.cloud.lock:
            self.cloud.group(resource_group)
            zone = dns.make_zone(self.cloud, resource_group, name, tags)
            for network in networks:
                dns.make_link(self.cloud, zone, f"link-{self.cloud.find(network).name}", network)
            for record, address in (records or {}).items():
                dns.make_record(self.cloud, zone, record, [address])
            return zone.id

    def add_dns_link(self, zone_id: str, network: str, name: str | None = None) -> str:
        """Link a zone to a network."""
        with self.cloud.lock:
            zone = self.cloud.find(zone_id)
            return dns.make_link(self.cloud, zone, name or f"link-{self.cloud.find(network).name}", network).id

    def add_private_endpoint(
        self,
        name: str,
        resource_group: str,
        subnet: str,
        server_id: str,
        zone: str | None = None,
        status: str = "Approved",
        address: str | None = None,
        location: str = "eastus",
    ) -> str:
        """Make a private endpoint of a server; with a zone its address is entered there."""
        with self.cloud.lock:
            self.cloud.group(resource_group)
            server, place = self.cloud.find(server_id), self.cloud.find(subnet)
            address = address or endpoints.next_address(self.cloud, place)
            made = endpoints.make(self.cloud, resource_group, name, location, place.id, server, status, address)
            if zone:
                endpoints.enter_zone_group(self.cloud, made, "default", [zone])
            return made.id


class Subscription(Adding):
    """A subscription beside the first: `add_…` makes things in it."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud

    @property
    def subscription_id(self) -> str:
        return self.cloud.subscription_id
