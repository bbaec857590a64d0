# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a runtime server has to be: a pure choice from what a region offers (its capabilities)."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from .._core.errors import InvalidRequest, PreconditionFailed

BURSTABLE = "Burstable"
MEBIBYTES = 1024
# What the migration service needs of disk on the runtime server is published nowhere. Offline the data passes through;
# online, changes are kept in files until the base copy has arrived.
OFFLINE_GIBIBYTES = 64
ONLINE_GIBIBYTES = 128


@dataclass(frozen=True)
class Sku:
    """A size that a region offers."""

    name: str
    tier: str
    vcores: int
    memory_mib: int
    zones: tuple = ()
    # Operations per second that the size lets through to the disk; 0 when Azure does not say.
    iops: int = 0

    @property
    def size(self) -> tuple:
        """What is compared: C((vCores, MiB of memory))."""
        return self.vcores, self.memory_mib

    def holds(self, other: Sku) -> bool:
        """Tell whether this size is at least as large as I(other) in both respects."""
        return self.vcores >= other.vcores and self.memory_mib >= other.memory_mib

    @property
    def series(self) -> str:
        """The name without its number of vCores, for example C(Standard_Dds_v5)."""
        return series_of(self.name)

    def __str__(self) -> str:
        return f"{self.name} ({self.vcores} vCores, {self.memory_mib / MEBIBYTES:g} GiB)"


@dataclass(frozen=True)
class Offer:
    """What a region, or a server there, offers.

    I(skus) by name in lower case, I(defaults) is the region's own choice per tier, I(versions) are major versions,
    I(storage_gib) the sizes of a disk of the usual kind, per tier.
    """

    skus: dict
    defaults: dict
    versions: tuple
    storage_gib: dict
    restricted: bool = False

    @classmethod
    def from_capabilities(cls, entries: list) -> Offer:
        """Build it from the list that Azure calls capabilities."""
        skus, defaults, versions, storage, restricted = {}, {}, [], {}, False
        for entry in entries:
            features = {item.get("name"): item.get("status") for item in entry.get("supportedFeatures") or []}
            restricted = (
                restricted or features.get("OfferRestricted") == "Enabled" or entry.get("restricted") == "Enabled"
            )
            for edition in entry.get("supportedServerEditions") or []:
                tier = edition["name"]
                defaults[tier] = edition.get("defaultSkuName") or ""
                for sku in edition.get("supportedServerSkus") or []:
                    if usable(sku):
                        found = sku_of(sku, tier)
                        skus[found.name.lower()] = found
                storage[tier] = disk_sizes(edition)
            versions += [item["name"] for item in entry.get("supportedServerVersions") or [] if usable(item)]
        return cls(skus, defaults, tuple(sorted(set(versions), key=version_number)), storage, restricted)

    def find(self, name: str) -> Sku | None:
        """Return the size of this name, in any case."""
        return self.skus.get(name.lower())


def series_of(name: str) -> str:
    """Return a size's name without its number of vCores."""
    return re.sub(r"(?<=[A-Za-z])\d+(?=[a-z_]|$)", "", name, count=1)


def usable(item: dict) -> bool:
    """Tell whether Azure does not say that something it lists cannot be had."""
    return (item.get("status") or "Available") in ("Available", "Default", "Visible")


def sku_of(words: dict, tier: str) -> Sku:
    """Return a size from its entry in the capabilities."""
    cores = int(words.get("vCores") or 0)
    memory = cores * int(words.get("supportedMemoryPerVcoreMb") or 0)
    zones, iops = tuple(words.get("supportedZones") or ()), int(words.get("supportedIops") or 0)
    return Sku(words["name"], tier, cores, memory, zones, iops)


def disk_sizes(edition: dict) -> tuple:
    """Return the sizes in GiB of the usual kind of disk; the odd ones just below a power of two are left out."""
    sizes = set()
    for kind in edition.get("supportedStorageEditions") or []:
        if kind.get("name") == "ManagedDisk":
            sizes.update(int(item["storageSizeMb"]) for item in kind.get("supportedStorageMb") or [])
    # The largest disk is one of those, 32767 GiB.
    return tuple(sorted({size // MEBIBYTES for size in sizes if size % 32768 == 0 or size == max(sizes)}))


def version_number(text: str) -> int:
    """Return a major version as a number, 0 for what is none."""
    digits = re.match(r"\d+", text)
    return int(digits.group()) if digits else 0


def choose_sku(target: Sku, offer: Offer, tier: str | None = None) -> Sku:
    """Return the smallest size of the region that is not below the target's.

    Smallest by vCores, then by memory. Burstable ones count only when I(tier) asks for them: their credits end while a
    copy runs. Among equals the target's own series wins, then the region's default, then the newest.

    :raises PreconditionFailed: when the region has none
    """
    if tier is None:
        wanted = [sku for sku in offer.skus.values() if sku.tier != BURSTABLE]
    else:
        wanted = [sku for sku in offer.skus.values() if sku.tier.lower() == tier.lower()]
    fitting = [sku for sku in wanted if sku.holds(target)]
    if not fitting:
        largest = max(wanted, key=lambda sku: sku.size, default=None)
        raise PreconditionFailed(
            f"No size{f' of tier {tier}' if tier else ''} in this region is as large as the target's {target}; "
            + (f"the largest is {largest}." if largest else "none is offered at all."),
            "Choose another 'location' or 'tier', or make the target smaller for the time of the migration.",
        )
    smallest = min(sku.size for sku in fitting)
    equals = [sku for sku in fitting if sku.size == smallest]
    return min(equals, key=lambda sku: preference(sku, target, offer))


def preference(sku: Sku, target: Sku, offer: Offer) -> tuple:
    """Return what equals are sorted by."""
    generation = re.search(r"_v(\d+)$", sku.name)
    return (
        sku.name.lower() != target.name.lower(),
        sku.series != target.series,
        sku.series != series_of(offer.defaults.get(sku.tier) or ""),
        -int(generation.group(1)) if generation else 0,
        sku.name,
    )


def offered_sizes(offer: Offer, asked: str) -> str:
    """Return a sentence on which sizes there are, those that look like what was asked for first."""
    names = [sku.name for sku in offer.skus.values()]
    near = difflib.get_close_matches(asked, names, 5, 0.7)
    more = [name for name in names if name not in near]
    return f"It offers {', '.join([*near, *more][:12])}{' and more' if len(names) > 12 else ''}."


def named_sku(name: str, tier: str | None, target: Sku, offer: Offer) -> Sku:
    """Return the size that the user names.

    :raises InvalidRequest: when the region does not have it, or not in this tier
    :raises PreconditionFailed: when it is below the target's
    """
    found = offer.find(name)
    if found is None:
        raise InvalidRequest(
            f"'sku' is {name}, which this region does not offer.",
            f"{offered_sizes(offer, name)} 'auto' chooses.",
        )
    if tier and found.tier.lower() != tier.lower():
        raise InvalidRequest(f"'sku' {found.name} is of tier {found.tier}, but 'tier' is {tier}.", "Leave 'tier' out.")
    if not found.holds(target):
        raise PreconditionFailed(
            f"'sku' {found} is smaller than the target's {target}; the runtime server must not be.",
            "Use 'sku: auto', or name a size that is not below the target's.",
        )
    return found


def choose_storage(mode: str, target_gib: int, asked: int | None, sizes: tuple) -> int:
    """Return the runtime server's disk in GiB: what is asked for, or what the mode needs, as a size that there is.

    :param sizes: what is offered; empty when that is not known
    :raises InvalidRequest: when what is asked for is not offered
    """
    if asked:
        if sizes and asked not in sizes:
            raise InvalidRequest(
                f"'storage_size_gb' is {asked}, which is no size of a disk there.",
                f"Use one of {', '.join(map(str, sizes))}.",
            )
        return asked
    wanted = max(ONLINE_GIBIBYTES, target_gib) if mode == "online" else OFFLINE_GIBIBYTES
    return next((size for size in sizes if size >= wanted), sizes[-1] if sizes else wanted)


def choose_version(asked: str | None, target: str, offer: Offer) -> str:
    """Return the major version of the runtime server; any will do, so it is the target's unless another is asked for.

    :raises InvalidRequest: when the region does not offer what is asked for
    """
    if asked and offer.versions and asked not in offer.versions:
        raise InvalidRequest(
            f"'version' is {asked}, which this region does not offer.", f"It offers {', '.join(offer.versions)}."
        )
    if asked:
        return asked
    return target if not offer.versions or target in offer.versions else offer.versions[-1]
