# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the runtime server, and about the way that the data takes."""

from __future__ import annotations

from .._checks.rule import Rule, blind, fine, violated
from .addresses import PRIVATE, PUBLIC, UNKNOWN, Whereabouts, whereabouts
from .ownership import ownership
from .rules_login import LOGIN
from .rules_target import EXISTS, command
from .runtime_common import endpoint_of
from .runtime_keeping import contradictions
from .runtime_plan import target_size
from .scenarios import REQUIRED, SINGLE_SERVER, scenario
from .servers import READY

RUNTIME = "azure-runtime-exists"
NETWORK_PAGE = (
    "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/how-to-network-setup-migration-service"
)
RUNTIME_PAGE = (
    "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-migration-service-runtime-server"
)
FLEXIBLE_SOURCE = "PostgreSQLFlexibleServer"


def source_of(scene) -> Whereabouts:
    """Return where the source is, as far as its address, or Azure, tells."""
    request = scene.request
    if request.source_server_id:
        body = scene.known(
            ("single server", request.source_server_id.key), lambda: scene.azure.get(request.source_server_id)
        )
        words = (body or {}).get("properties") or {}
        if body is None:
            return Whereabouts(UNKNOWN, (), "the Single Server cannot be read")
        if words.get("privateEndpointConnections") and str(words.get("publicNetworkAccess")).lower() == "disabled":
            return Whereabouts(PRIVATE, (), "the Single Server has a private endpoint and no public access")
        return Whereabouts(PUBLIC, (), "the Single Server has public access")
    return scene.known("source", lambda: whereabouts(request.source.host))


def source_type_of(scene) -> str | None:
    """Return the migration service's word for the source, where it is known."""
    return SINGLE_SERVER if scene.request.source_server_id else scene.request.source_type


def way(scene, context):
    """The way from source to target is one that Azure supports, with a runtime server where it needs one."""
    source, target = source_of(scene), scene.target
    found = scenario(source.access, target.access, source_type_of(scene))
    name = f"{scene.request.source.address} to {target.id.name}"
    if found is None:
        yield blind(
            name,
            f"how the source is reached is not known: {source.reason}; the target's access is {target.access}",
            remedy="Compare with Azure's network scenarios, and let the service validate: migration with state=validated.",
        )
        return
    said = f"{found.number}: {found.says} ({source.reason})"
    if found.supported is False:
        yield violated(
            name,
            f"{said}, which the migration service does not support",
            expected=found.needs,
            remedy="Give the target a private endpoint or a subnet of its own, or use provider 'host'.",
        )
    elif found.runtime == REQUIRED and scene.runtime is None:
        yield violated(
            name,
            f"{said}; a runtime server is required, and there is none yet",
            expected=found.needs,
            remedy="Module runtime_server makes one: ansible-playbook azpg.migrate.provision",
            severity="warning",
        )
    elif found.supported is None:
        yield violated(name, said, expected=found.needs, severity="warning")
    else:
        yield fine(name, f"{said}; runtime server {found.runtime}")


def not_flexible(scene, context):
    """The source is no flexible server, which the migration service cannot read in practice."""
    request = scene.request
    host = (request.source.host or "").lower().rstrip(".")
    if request.source_type == FLEXIBLE_SOURCE or host.endswith(f".{scene.suffix.lower()}"):
        single = bool(request.source_server_id)
        if not single:
            yield violated(
                request.source.address,
                "the source is a flexible server itself",
                remedy="Use provider 'host'. The migration service ends with 603405 for the extensions azure and pgaadauth.",
                code="603405",
            )


def exists(scene, context):
    """The runtime server that is named is there."""
    runtime, request = scene.runtime, scene.request
    if runtime is None and request.runtime_server_id:
        yield violated(
            str(request.runtime_server_id),
            "there is no such server, or the identity may not see it",
            severity="warning",
            remedy="Module runtime_server makes it: ansible-playbook azpg.migrate.provision",
        )
    elif runtime is None:
        yield blind(scene.runtime_id.name, "there is no runtime server yet", because="azure-network-scenario")
    else:
        owner = ownership(runtime.tags, request)
        yield fine(runtime.id.name, f"{runtime.sku}, {runtime.location}; it belongs to {owner.said}")


def other_server(scene, context):
    """The runtime server is neither source nor target."""
    side = endpoint_of(scene)
    if side:
        yield violated(str(scene.runtime_id), f"it is the {side} of this migration")
    else:
        yield fine(scene.runtime_id.name, "it is neither source nor target")


def ready(scene, context):
    """The runtime server is ready."""
    runtime = scene.runtime
    if runtime and runtime.state != READY:
        yield violated(
            runtime.id.name,
            f"its state is {runtime.state}",
            remedy=f"Module runtime_server starts it when it is this migration's; else: {command(runtime, 'start')}",
        )


def large_enough(scene, context):
    """The runtime server is not smaller than the target."""
    runtime = scene.runtime
    if runtime is None:
        return
    wanted = target_size(scene, scene.target)
    size = scene.offer(runtime.location).find(runtime.sku)
    if size is None:
        yield blind(runtime.id.name, f"Azure does not say how large {runtime.sku} is")
    elif not size.holds(wanted):
        yield violated(
            runtime.id.name,
            f"its size is {size}",
            expected=f"not below the target's {wanted}",
            remedy=f"Module runtime_server scales it when it is this migration's; else: "
            f"{command(runtime, f'update --sku-name {wanted.name} --tier {wanted.tier}')}",
        )
    else:
        yield fine(runtime.id.name, f"its size is {size}, the target's {wanted}")


def as_quick(scene, context):
    """The runtime server's size lets through as many disk operations as the target's."""
    runtime = scene.runtime
    if runtime is None:
        return
    mine = scene.offer(runtime.location).find(runtime.sku)
    wanted = target_size(scene, scene.target)
    if mine is None or not mine.iops or not wanted.iops:
        yield blind(
            runtime.id.name,
            f"Azure does not say how many operations per second {wanted.name if mine and mine.iops else runtime.sku} lets through",
            remedy="Look at 'Compute + storage' of both servers in the portal.",
        )
    elif mine.iops < wanted.iops:
        yield violated(
            runtime.id.name,
            f"{runtime.sku} lets through {mine.iops} operations per second, the target's {wanted.name} {wanted.iops}",
            expected=f"{wanted.iops} or more",
            remedy=f"Module runtime_server scales it when it is this migration's; else: "
            f"{command(runtime, f'update --sku-name {wanted.name} --tier {wanted.tier}')}",
        )
    else:
        yield fine(runtime.id.name, f"{mine.iops} operations per second, the target's size {wanted.iops}")


def integrated(scene, context):
    """The runtime server is integrated into a virtual network."""
    runtime = scene.runtime
    if runtime is None:
        return
    if not runtime.subnet_id:
        yield violated(runtime.id.name, f"its access is {runtime.access}")
    for problem in contradictions(scene, runtime):
        yield violated(runtime.id.name, problem, remedy="Correct 'azure_server', or name another server.")


def single_zone(scene, context):
    """The runtime server pays for no high availability."""
    runtime = scene.runtime
    if runtime and runtime.high_availability.lower() != "disabled":
        yield violated(
            runtime.id.name,
            f"high availability is {runtime.high_availability}",
            remedy=command(runtime, "update --zonal-resiliency Disabled"),
        )


def same_tenant(scene, context):
    """Runtime server and target are in subscriptions of one tenant."""
    one, other = scene.runtime_id.subscription_id.lower(), scene.request.target_server_id.subscription_id.lower()
    if one == other:
        yield fine(scene.runtime_id.name, "the same subscription as the target")
        return
    tenants = {
        name: (scene.resource(f"/subscriptions/{identifier}") or {}).get("tenantId")
        for name, identifier in (("runtime server", one), ("target", other))
    }
    if len(set(tenants.values())) > 1:
        yield violated(scene.runtime_id.name, "it is in another tenant than the target")


def rule(name: str, title: str, look, expected: str, remedy: str, **more) -> Rule:
    """Return a rule about the runtime server."""
    words = {
        "documentation": RUNTIME_PAGE,
        "needs": (LOGIN, EXISTS, RUNTIME),
        "clean": "as expected",
        "side": "runtime",
        **more,
    }
    return Rule(id=f"azure-{name}", title=title, level="azure", look=look, expected=expected, remedy=remedy, **words)


RULES = (
    rule(
        "source-flexible",
        "The source is no flexible server",
        not_flexible,
        "a source that is no flexible server",
        "Use provider 'host'.",
        needs=(LOGIN, EXISTS),
        side="source",
        code="603405",
    ),
    rule(
        "network-scenario",
        "The way from source to target is one that Azure supports",
        way,
        "a row of Azure's network scenarios",
        "Change how the target is reached, or use provider 'host'.",
        needs=(LOGIN, EXISTS),
        documentation=NETWORK_PAGE,
    ),
    rule(
        "runtime-exists",
        "The runtime server is there",
        exists,
        "a flexible server",
        "Correct 'runtime_server_id', or have one made.",
        needs=(LOGIN, EXISTS),
    ),
    rule(
        "runtime-other",
        "The runtime server is neither source nor target",
        other_server,
        "a flexible server of its own",
        "Correct 'runtime_server_id'.",
        needs=(LOGIN, EXISTS),
    ),
    rule("runtime-ready", "The runtime server is ready", ready, "state Ready", "Start it."),
    rule(
        "runtime-size",
        "The runtime server is not smaller than the target",
        large_enough,
        "at least the target's vCores and memory",
        "Scale it up.",
    ),
    rule(
        "runtime-iops",
        "The runtime server's size lets through as many disk operations as the target's",
        as_quick,
        "no fewer operations per second than the target's size",
        "Scale it up.",
        severity="warning",
    ),
    rule(
        "runtime-network",
        "The runtime server is integrated into a virtual network",
        integrated,
        "a server with a delegated subnet",
        "Access cannot be changed later: name another server, or leave 'runtime_server_id' out to have one made.",
    ),
    rule(
        "runtime-high-availability",
        "The runtime server has no high availability",
        single_zone,
        "high availability Disabled: it costs a second server and helps nobody",
        "Switch it off.",
        severity="warning",
    ),
    rule(
        "runtime-tenant",
        "Runtime server and target are in one tenant",
        same_tenant,
        "one tenant",
        "Make a runtime server in the target's tenant.",
        needs=(LOGIN, EXISTS),
        clean="one tenant",
    ),
)
