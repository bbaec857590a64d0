"""Private endpoints and the connections that servers have of them."""

from __future__ import annotations

from tests.azure_simulator.cloud import Cloud, Resource

ENDPOINT = "Microsoft.Network/privateEndpoints"


def connections_of(cloud: Cloud, server: Resource) -> list[dict]:
    """Return the private endpoint connections of a server, in wire form."""
    kind = server.type + "/privateEndpointConnections"
    return [
        {"id": one.id, "name": one.name, "type": kind, "properties": one.properties}
        for one in cloud.of_type(kind, under=server.id)
    ]
