# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out what M(preparation) decides about the target: raise, scale, restart once, and back again."""

from __future__ import annotations

from .._core.errors import PreconditionFailed
from . import preparation
from .runtime_common import TAGS, Watch, need_target, told
from .runtime_plan import target_size
from .scene import Scene
from .servers import Server, settle
from .sizing import Sku, offered_sizes


def prepare(scene: Scene, options: dict, check_mode: bool, seconds: float, watch: Watch | None = None) -> list:
    """Make the target ready for the load, as far as the user asks for it; return one line per change.

    :param options: the option C(azure_target)
    :raises PreconditionFailed: when another migration has prepared the target, or a restart is not allowed
    """
    options = {word: value for word, value in (options or {}).items() if value}
    if not any(word in options for word in ("parameters", "recommended_parameters", "extensions", "libraries", "sku")):
        return []
    target = need_target(scene)
    refuse_foreign(scene, target)
    held = scene.parameters(target)
    sku = wanted_sku(scene, target, options)
    size = sku or target_size(scene, target)
    suggestion = preparation.recommended(
        scene.request.mode, len(scene.request.databases), size.vcores, size.memory_mib, target.storage_gib
    )
    changes = preparation.plan_changes(preparation.wanted_parameters(options, held, suggestion), held)
    preparation.require_restart_allowed(changes, bool(options.get("restart")) or sku is not None)
    lines = [f"target {target.id.name}: {change.line}" for change in changes]
    lines += [f"target {target.id.name}: size {target.sku} -> {sku.name}"] if sku else []
    restart = any(change.static for change in changes) and not sku
    lines += [f"target {target.id.name}: restarted"] if restart else []
    if check_mode or not lines:
        return lines
    record = preparation.record_of(changes, target.tags, (target.sku, target.tier) if sku else None)
    write_tags(scene, {**record, preparation.PREPARED: scene.request.hash})
    for change in changes:
        set_parameter(scene, target, change, preparation.OVERRIDE, seconds, watch)
    if sku:
        scale(scene, target, sku.name, sku.tier, seconds, watch)
    if restart:
        act(scene, target, seconds, watch)
    scene.forget()
    return lines


def wanted_sku(scene: Scene, target: Server, options: dict) -> Sku | None:
    """Return the size that the target is scaled to for the load; None when it has it, or none is asked for.

    :raises PreconditionFailed: when the region does not offer it
    """
    asked = options.get("sku")
    if not asked or asked.lower() == target.sku.lower():
        return None
    found = scene.offer(target.location).find(asked)
    if found is None:
        raise PreconditionFailed(
            f"'azure_target.sku' is {asked}, which {target.location} does not offer.",
            offered_sizes(scene.offer(target.location), asked),
        )
    return found


def refuse_foreign(scene: Scene, target: Server) -> None:
    """Make sure that no other migration's record of what was is on the target.

    :raises PreconditionFailed: when there is one
    """
    by = target.tags.get(preparation.PREPARED)
    if by and by != scene.request.hash:
        raise PreconditionFailed(
            f"The target {target.id.name} was prepared for another migration, or other parameters of this one, and not yet "
            "restored.",
            "Clean up after that migration first; it restores what was from the tags that begin with azpg-was-.",
        )


def restoration(scene: Scene) -> list:
    """Return one line for everything that M(restore) would bring back."""
    target = scene.target
    if target is None or target.tags.get(preparation.PREPARED) != scene.request.hash:
        return []
    changes = preparation.plan_restoration(target.tags, scene.parameters(target))
    lines = [f"target {target.id.name}: {change.line}" for change in changes]
    sku = preparation.recorded_sku(target.tags)
    if sku and sku[0].lower() != target.sku.lower():
        lines.append(f"target {target.id.name}: size {target.sku} -> {sku[0]}")
    if any(change.static for change in changes):
        lines.append(f"target {target.id.name}: restarted")
    return lines or [f"target {target.id.name}: the record of what its parameters were"]


def restore(scene: Scene, seconds: float, watch: Watch | None = None) -> list:
    """Bring the target back to what it was before M(prepare); return one line per change.

    The tags go last, so that a crash leaves the record.
    """
    lines = restoration(scene)
    if not lines:
        return []
    target = settle(scene.azure, scene.target.id, seconds) or scene.target
    changes = preparation.plan_restoration(target.tags, scene.parameters(target))
    for change in changes:
        set_parameter(scene, target, change, change.source, seconds, watch)
    sku = preparation.recorded_sku(target.tags)
    scaled = bool(sku) and sku[0].lower() != target.sku.lower()
    if scaled:
        scale(scene, target, *sku, seconds, watch)
    if any(change.static for change in changes) and not scaled:
        act(scene, target, seconds, watch)
    names = [name for name in target.tags if name.startswith(preparation.WAS)] + [preparation.PREPARED]
    scene.azure.patch(
        f"{target.id}/{TAGS}",
        {"operation": "Delete", "properties": {"tags": {name: target.tags[name] for name in names}}},
    )
    scene.forget()
    return lines


def kept_lists(scene: Scene) -> list:
    """Return one line for each list that was added to and stays so."""
    target = scene.target
    if target is None or target.tags.get(preparation.PREPARED) != scene.request.hash:
        return []
    return [
        f"target {target.id.name}: what was added to {name}, which the databases need"
        for name in preparation.LISTS
        if str(scene.parameters(target).get(name, {}).get("source")) == preparation.OVERRIDE
    ]


def write_tags(scene: Scene, tags: dict) -> None:
    """Add tags to the target; those that it has stay."""
    scene.azure.patch(f"{scene.request.target_server_id}/{TAGS}", {"operation": "Merge", "properties": {"tags": tags}})


def set_parameter(
    scene: Scene, target: Server, change: preparation.Change, source: str, seconds: float, watch: Watch | None
) -> None:
    """Set one parameter of the target, and wait until Azure has taken it."""
    scene.azure.finish(
        "PUT",
        f"{target.id}/configurations/{change.name}",
        {"properties": {"value": change.new, "source": source}},
        seconds=seconds,
        watch=told(watch, f"parameter {change.name}"),
    )


def scale(scene: Scene, target: Server, name: str, tier: str, seconds: float, watch: Watch | None) -> None:
    """Give the target another size, which restarts it."""
    scene.azure.finish(
        "PATCH",
        target.id,
        {"sku": {"name": name, "tier": tier}},
        seconds=seconds,
        watch=told(watch, f"size of server {target.id.name}"),
    )


def act(scene: Scene, target: Server, seconds: float, watch: Watch | None) -> None:
    """Restart the target, once, for all parameters that need it."""
    scene.azure.finish(
        "POST", f"{target.id}/restart", seconds=seconds, watch=told(watch, f"restart of server {target.id.name}")
    )
