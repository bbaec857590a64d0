# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The flexible server that is the runtime server of provider azure."""

    DOCUMENTATION = r"""
options:
  azure_server:
    description:
      - The flexible server that is, or shall be, the runtime server; used with O(provider=azure) only.
      - It is O(runtime_server_id), or a server beside the target whose name is derived from the migration.
    type: dict
    suboptions:
      location:
        description: Region; that of its virtual network if not set.
        type: str
      sku:
        description:
          - Size, for example V(Standard_D4ds_v5), or V(auto).
          - V(auto) takes the smallest of the region that has at least the target's vCores and memory. A smaller one is refused.
        type: str
        default: auto
      tier:
        description: Tier that V(auto) chooses from; V(Burstable) is taken only when asked for here, since its credits end.
        type: str
        choices: [Burstable, GeneralPurpose, MemoryOptimized]
      version:
        description: Major version of PostgreSQL; it matters to nobody, and is the target's if not set.
        type: str
      storage_size_gb:
        description:
          - Disk in GiB. If not set, 64, and for O(mode=online) as much as the target's, since changes are kept there until
            the base copy has arrived.
        type: int
      availability_zone:
        description: Zone of the region; Azure chooses if not set.
        type: str
      authentication:
        description:
          - Who may log in to it; nobody needs to.
          - With V(password) its administrator gets a random password that is kept nowhere. With V(entra) it has none.
        type: str
        choices: [entra, password]
        default: password
      delegated_subnet_id:
        description: Resource id of a subnet that is delegated to C(Microsoft.DBforPostgreSQL/flexibleServers).
        type: str
      virtual_network_id:
        description: >-
          Resource id of the virtual network in which a subnet is made, instead of O(azure_server.delegated_subnet_id). The
          subnet is deleted with the server.
        type: str
      subnet_address_prefix:
        description: Addresses of that subnet, V(/28) or larger.
        type: str
      network_security_group_id:
        description: Resource id of the network security group of that subnet.
        type: str
      route_table_id:
        description: Resource id of the route table of that subnet.
        type: str
      private_dns_zone_id:
        description: >-
          Resource id of the private DNS zone that the server's name is entered in. If not set, a zone is made, and deleted
          with the server.
        type: str
      source_virtual_network_id:
        description: >-
          Resource id of the virtual network that the source is in, or that the gateway to it is in. The zone is linked to it,
          and peerings are checked.
        type: str
      tags:
        description: Tags of a server that is made. Tags that begin with C(azpg-) are the collection's.
        type: dict
        default: {}
      adopt:
        description:
          - Hand a server over that this migration did not make. It is then started, scaled and deleted like its own.
          - Without, such a server is used as it is, nothing of it is changed, and cleanup leaves it.
        type: bool
        default: false
      price_per_hour:
        description: >-
          What an hour of the server costs, in whatever currency, 0 or more; for the cost in results and in the final record.
        type: float
"""
