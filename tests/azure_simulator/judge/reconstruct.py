# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rebuild descriptions of request and answer bodies from the model metadata of Microsoft's Python packages.

For providers whose OpenAPI files are too large to keep. Run by hand where the packages are installed:

    python tests/azure_simulator/judge/reconstruct.py tests/azure_simulator/data/reconstructed

Only the models that are named below are described; a property of another model may hold anything.
"""

from __future__ import annotations

import enum
import importlib
import importlib.metadata
import json
import sys
import typing
from datetime import datetime
from pathlib import Path

NETWORK = {
    "Microsoft.Network/virtualNetworks": "VirtualNetwork",
    "Microsoft.Network/virtualNetworks/subnets": "Subnet",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": "VirtualNetworkPeering",
    "Microsoft.Network/networkSecurityGroups": "NetworkSecurityGroup",
    "Microsoft.Network/networkSecurityGroups/securityRules": "SecurityRule",
    "Microsoft.Network/routeTables": "RouteTable",
    "Microsoft.Network/routeTables/routes": "Route",
    "Microsoft.Network/privateEndpoints": "PrivateEndpoint",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": "PrivateDnsZoneGroup",
}
NETWORK_MODELS = """VirtualNetwork VirtualNetworkPropertiesFormat AddressSpace DhcpOptions Subnet SubnetPropertiesFormat Delegation
    ServiceDelegationPropertiesFormat ServiceAssociationLink ServiceAssociationLinkPropertiesFormat
    ServiceEndpointPropertiesFormat VirtualNetworkPeering VirtualNetworkPeeringPropertiesFormat SubResource
    NetworkSecurityGroup NetworkSecurityGroupPropertiesFormat SecurityRule SecurityRulePropertiesFormat RouteTable
    RouteTablePropertiesFormat Route RoutePropertiesFormat PrivateEndpoint PrivateEndpointProperties
    PrivateLinkServiceConnection PrivateLinkServiceConnectionProperties PrivateLinkServiceConnectionState
    CustomDnsConfigPropertiesFormat PrivateDnsZoneGroup PrivateDnsZoneGroupPropertiesFormat PrivateDnsZoneConfig
    PrivateDnsZonePropertiesFormat""".split()
DNS = {
    "Microsoft.Network/privateDnsZones": "PrivateZone",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "VirtualNetworkLink",
    "Microsoft.Network/privateDnsZones/A": "RecordSet",
}
DNS_MODELS = "PrivateZone PrivateZoneProperties VirtualNetworkLink VirtualNetworkLinkProperties RecordSet RecordSetProperties ARecord SubResource".split()
SINGLE = {
    "Microsoft.DBforPostgreSQL/servers": "Server",
    "Microsoft.DBforPostgreSQL/servers/configurations": "Configuration",
    "Microsoft.DBforPostgreSQL/servers/databases": "Database",
    "Microsoft.DBforPostgreSQL/servers/privateEndpointConnections": "PrivateEndpointConnection",
}
SINGLE_MODELS = """Server Sku StorageProfile Configuration Database PrivateEndpointConnection PrivateEndpointProperty
    PrivateLinkServiceConnectionStateProperty ServerPrivateEndpointConnection ServerPrivateEndpointConnectionProperties
    ServerPrivateLinkServiceConnectionStateProperty""".split()

BOOKS = (
    ("network", "azure-mgmt-network", "azure.mgmt.network.models", NETWORK, NETWORK_MODELS),
    ("privatedns", "azure-mgmt-privatedns", "azure.mgmt.privatedns.models", DNS, DNS_MODELS),
    ("single-server", "azure-mgmt-rdbms", "azure.mgmt.rdbms.postgresql.models", SINGLE, SINGLE_MODELS),
)
PLAIN = {str: "string", int: "integer", bool: "boolean", float: "number"}


class Book:
    """The models of one package."""

    def __init__(self, module: str, wanted: list[str]):
        self.module = importlib.import_module(module)
        self.wanted = wanted
        self.definitions: dict[str, dict] = {}

    def reference(self, name: str) -> dict:
        """Return a reference to a model, and describe it; a model that is not wanted may be anything."""
        if name not in self.wanted:
            return {}
        if name not in self.definitions:
            self.definitions[name] = {}
            model = getattr(self.module, name)
            flat = hasattr(model, "_attribute_map")
            self.definitions[name].update(self._old(model) if flat else self._new(model))
        return {"$ref": f"#/definitions/{name}"}

    # -- packages whose models hold `rest_field`s ------------------------------------------------------------------------

    def _new(self, model: type) -> dict:
        names = {**vars(importlib.import_module(model.__module__)), "_models": self.module, "_types": typing}
        hints = typing.get_type_hints(model, globalns=names)
        properties, required = {}, []
        for base in reversed(model.__mro__):
            for attribute, field in vars(base).items():
                if not hasattr(field, "_visibility") or attribute not in hints:
                    continue
                hint = hints[attribute]
                found = self._of_hint(hint)
                # The wire name stands in the field, or is the attribute's.
                name = field._rest_name_input or attribute
                if field._visibility == ["read"]:
                    found["readOnly"] = True
                properties[name] = found
                if type(None) not in typing.get_args(hint) and not found.get("readOnly"):
                    required.append(name)
        return {"type": "object", "properties": properties, "required": sorted(required)}

    def _of_hint(self, hint) -> dict:
        nothing = type(None)
        arguments = [one for one in typing.get_args(hint) if one is not nothing]
        origin = typing.get_origin(hint)
        if origin is typing.Union:
            choices = [one for one in arguments if isinstance(one, type) and issubclass(one, enum.Enum)]
            if choices:
                return {"type": "string", "enum": [one.value for one in choices[0]]}
            return self._of_hint(arguments[0]) if len(arguments) == 1 else {}
        if origin in (list, typing.List):  # noqa: UP006
            return {"type": "array", "items": self._of_hint(arguments[0])}
        if origin in (dict, typing.Dict):  # noqa: UP006
            return {"type": "object", "additionalProperties": self._of_hint(arguments[1])}
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        if hint is datetime:
            return {"type": "string", "format": "date-time"}
        if isinstance(hint, type) and issubclass(hint, enum.Enum):
            return {"type": "string", "enum": [one.value for one in hint]}
        return self.reference(hint.__name__) if isinstance(hint, type) else {}

    # -- packages whose models hold a map of attributes --------------------------------------------------------------------

    def _old(self, model: type) -> dict:
        found: dict = {"type": "object", "properties": {}, "required": []}
        for attribute, words in model._attribute_map.items():
            rules = model._validation.get(attribute, {})
            path = words["key"].replace("\\.", "\0").split(".")
            place = found
            for part in path[:-1]:
                place = place["properties"].setdefault(part, {"type": "object", "properties": {}, "required": []})
            name = path[-1].replace("\0", ".")
            described = self._of_text(words["type"])
            if rules.get("readonly"):
                described["readOnly"] = True
            described.update(
                {key: rules[old] for old, key in (("minimum_ex", "minimum"), ("pattern", "pattern")) if old in rules}
            )
            place["properties"][name] = described
            if rules.get("required"):
                place["required"].append(name)
        return found

    def _of_text(self, kind: str) -> dict:
        plain = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "long": "integer"}
        if kind in plain:
            return {"type": plain[kind]}
        if kind == "iso-8601":
            return {"type": "string", "format": "date-time"}
        if kind.startswith("["):
            return {"type": "array", "items": self._of_text(kind[1:-1])}
        if kind.startswith("{"):
            return {"type": "object", "additionalProperties": self._of_text(kind[1:-1])}
        return self.reference(kind)


def main(folder: Path) -> None:
    for name, package, module, resources, models in BOOKS:
        book = Book(module, models)
        for model in resources.values():
            book.reference(model)
        version = importlib.metadata.version(package)
        whole = {
            "title": f"Bodies of resources, rebuilt from the model metadata of {package} {version}; not an official document",
            "resources": resources,
            "definitions": dict(sorted(book.definitions.items())),
        }
        (folder / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
