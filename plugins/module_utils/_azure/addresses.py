# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a host is, as far as its address tells: in the internet, in a private network, or nobody knows."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

PUBLIC, PRIVATE, UNKNOWN = "public", "private", "unknown"
# Addresses that carriers hand out behind their own translation; they are not reached from the internet.
SHARED = ipaddress.ip_network("100.64.0.0/10")


@dataclass(frozen=True)
class Whereabouts:
    """What is known of a host: I(access) is public, private or unknown, I(reason) says from what."""

    access: str
    addresses: tuple
    reason: str


def whereabouts(host: str | None, resolve=socket.getaddrinfo) -> Whereabouts:
    """Return where a host is; a name is looked up from here, which may not be what the runtime server sees."""
    if not host or host.startswith("/"):
        return Whereabouts(UNKNOWN, (), "the source is named by a service or a socket directory")
    try:
        addresses = (str(ipaddress.ip_address(host)),)
        reason = "its address"
    except ValueError:
        try:
            addresses = tuple(sorted({entry[4][0] for entry in resolve(host, None)}))
        except (OSError, UnicodeError):
            return Whereabouts(UNKNOWN, (), f"the name {host} cannot be looked up from here")
        reason = f"{', '.join(addresses)}, as {host} is looked up from here"
    kinds = {kind_of(ipaddress.ip_address(address.split("%", maxsplit=1)[0])) for address in addresses}
    if kinds == {PUBLIC}:
        return Whereabouts(PUBLIC, addresses, reason)
    if kinds == {PRIVATE}:
        return Whereabouts(PRIVATE, addresses, reason)
    return Whereabouts(UNKNOWN, addresses, f"{reason}: this says nothing about the way to it")


def kind_of(address) -> str:
    """Return whether an address is public or private; a loopback address is neither."""
    if address.is_loopback or address.is_link_local or address.is_unspecified:
        return UNKNOWN
    if address.is_private or (address.version == 4 and address in SHARED):
        return PRIVATE
    return PUBLIC
