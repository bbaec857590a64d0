# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules about the target as a flexible server."""

from __future__ import annotations

from .._checks.rule import Rule, blind, fine, violated
from .._core.errors import ConnectionFailed
from .._core.units import count_of, human_bytes
from .migrations import identity
from .migrations.bodies import another_server
from .migrations.creating import free_place
from .migrations.record import Record
from .ownership import REQUEST
from .rules_login import LOGIN
from .servers import READY
from .sizing import BURSTABLE

EXISTS = "azure-target-exists"
BEST = (
    "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/best-practices-migration-service-postgresql"
)
ISSUES = (
    "https://learn.microsoft.com/azure/postgresql/migrate/migration-service/concepts-known-issues-migration-service"
)
# Room for the write-ahead log of the load.
ROOM = 1.25
GIBIBYTE = 1024**3
# Of the disk of 128 GiB with which Microsoft measured how long the service takes.
MEASURED_IOPS = 500


def command(server, words: str) -> str:
    """Return an az command about a server."""
    return f"az postgres flexible-server {words} --resource-group {server.id.resource_group} --name {server.id.name}"


def exists(scene, context):
    """The target is there, and the host that SQL goes to is the same server."""
    request = scene.request
    target = scene.target
    if target is None:
        yield violated(str(request.target_server_id), "there is no such server, or the identity may not see it")
        return
    if another_server(request.target.host, target.id.name, (scene.suffix.lower(),)):
        yield violated(
            target.id.name,
            f"'target.host' is {request.target.host}, which is another server than 'target_server_id'",
            expected=f"{target.fqdn}",
            remedy="Correct one of the two: data would be moved to one server and verified on another.",
        )
        return
    yield fine(target.id.name, f"{target.sku}, PostgreSQL {target.version}, {target.location}, {target.access}")


def ready(scene, context):
    """The target is ready."""
    target = scene.target
    if target.state != READY:
        start = f" {command(target, 'start')}" if target.state == "Stopped" else ""
        yield violated(target.id.name, f"its state is {target.state}", remedy=f"Wait, or start it.{start}")
    else:
        yield fine(target.id.name, f"its state is {target.state}")


def no_elastic_cluster(scene, context):
    """The target is no elastic cluster."""
    if scene.target.elastic:
        yield violated(scene.target.id.name, "it is an elastic cluster")


def not_burstable(scene, context):
    """The target is not burstable while data is moved."""
    target = scene.target
    if target.tier == BURSTABLE:
        yield violated(
            target.id.name,
            f"its size is {target.sku}, of tier {BURSTABLE}",
            remedy=command(target, "update --tier GeneralPurpose --sku-name Standard_D2ds_v5")
            + ", and back afterwards.",
        )


def no_high_availability(scene, context):
    """High availability is off while data is moved."""
    target = scene.target
    if target.high_availability.lower() != "disabled":
        yield violated(
            target.id.name,
            f"high availability is {target.high_availability}",
            remedy=command(target, "update --zonal-resiliency Disabled") + ", and on again afterwards.",
        )


def no_replicas(scene, context):
    """The target has no read replicas, and is none."""
    target = scene.target
    if target.replica:
        yield violated(target.id.name, "it is a read replica", remedy="Name its primary, or promote it first.")
    replicas = [entry["name"] for entry in scene.entries(f"{target.id}/replicas")]
    if replicas:
        yield violated(
            target.id.name, f"it has {count_of(len(replicas), 'read replica')}: {', '.join(replicas)}",
            remedy="Delete them, and make them anew after the migration.",
        )  # fmt: skip


def password_login(scene, context):
    """The target takes logins by password, since the migration service knows no other."""
    target = scene.target
    if not target.password_login:
        yield violated(
            target.id.name,
            "it takes logins by Microsoft Entra only",
            remedy=command(target, "update --password-auth Enabled") + ", and back afterwards.",
        )


def storage(scene, context):
    """The target's disk has room for the databases and the log of their load."""
    target, known = scene.target, None
    try:
        known = context.databases("source")
    except ConnectionFailed as error:
        yield blind(target.id.name, f"the source's databases cannot be measured from here: {error.msg}")
        return
    sizes = [known[name]["bytes"] for name in scene.request.databases if name in known and known[name]["bytes"]]
    wanted = sum(sizes) * ROOM
    held = target.storage_gib * GIBIBYTE
    if held < wanted:
        steps = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32767)
        enough = next((size for size in steps if size * GIBIBYTE >= wanted), steps[-1])
        yield violated(
            target.id.name,
            f"its disk has {human_bytes(held)}, the databases {human_bytes(sum(sizes))}",
            expected=f"at least {human_bytes(wanted)}, a quarter more than the databases",
            remedy=command(target, f"update --storage-size {enough}") + ". A disk never shrinks again.",
        )
    else:
        yield fine(target.id.name, f"its disk has {human_bytes(held)}, the databases {human_bytes(sum(sizes))}")


def operations(scene, context):
    """Disk and size let through as many operations per second as Microsoft measured the service with."""
    target = scene.target
    size = scene.offer(target.location).find(target.sku)
    limits = {"its disk": target.disk_iops, f"its size {target.sku}": size.iops if size else 0}
    known = {name: number for name, number in limits.items() if number}
    if not known:
        yield blind(
            target.id.name,
            f"Azure says neither how many operations per second the disk does, nor how many {target.sku} lets through",
            remedy="Look at 'Compute + storage' of the target in the portal.",
        )
        return
    found = ", ".join(f"{name} {number} operations per second" for name, number in known.items())
    least = min(known, key=known.get)
    if known[least] >= MEASURED_IOPS:
        yield fine(target.id.name, f"{found}; {least} sets the pace")
        return
    yield violated(
        target.id.name,
        f"{found}; {least} sets the pace",
        remedy=command(target, "update --performance-tier P10")
        + ", and back afterwards; a larger size where that is what limits.",
    )


def not_busy(scene, context):
    """No other migration is active on the target."""
    target = scene.target
    records = [Record.read(item) for item in scene.entries(f"{target.id}/migrations", migrationListFilter="All")]
    active = [record for record in records if record.active]
    foreign = [record for record in active if record.tags.get(REQUEST) != scene.request.hash]
    for record in foreign:
        yield violated(
            target.id.name,
            f"migration {record.name} is active: {record.phase}",
            remedy="Wait for its end ('on_busy: wait' does), or cancel it: az postgres flexible-server migration update "
            f"--cancel --resource-group {target.id.resource_group} --server-name {target.id.name} --name {record.name}",
        )
    if active and not foreign:
        yield fine(target.id.name, "this migration is active already")


def name_free(scene, context):
    """A name is free for the record of a run; names of former records can never be used again."""
    request = scene.request
    place = free_place(scene.azure, request, identity.MIGRATE, 1, 1)
    name = identity.record_name(request.name, request.hash, place)
    yield fine(
        scene.target.id.name,
        f"{name} has never been used" + (f", {place.run - 1} before it have" if place.run > 1 else ""),
    )


def rule(name: str, title: str, look, expected: str, remedy: str, **more) -> Rule:
    """Return a rule about the target."""
    words = {"documentation": BEST, "needs": (LOGIN, EXISTS), "clean": "as expected", **more}
    return Rule(
        id=f"azure-target-{name}",
        title=title,
        level="azure",
        side="target",
        look=look,
        expected=expected,
        remedy=remedy,
        **words,
    )


RULES = (
    rule(
        "exists",
        "The target is a flexible server, and the one that SQL reaches",
        exists,
        "a flexible server at target_server_id, whose name is that of target.host",
        "Correct 'target_server_id'; 'az postgres flexible-server list --query [].id' prints what there is.",
        needs=(LOGIN,),
    ),
    rule("ready", "The target is ready", ready, "state Ready", "Wait, or start it."),
    rule(
        "elastic-cluster",
        "The target is no elastic cluster",
        no_elastic_cluster,
        "a server that is no elastic cluster",
        "Move to another server: the migration service does not take elastic clusters.",
        documentation=ISSUES,
    ),
    rule(
        "burstable",
        "The target is not burstable while data is moved",
        not_burstable,
        "tier GeneralPurpose or MemoryOptimized for the time of the migration",
        "Scale the target up, and back afterwards.",
        severity="warning",
    ),
    rule(
        "high-availability",
        "High availability is off while data is moved",
        no_high_availability,
        "high availability Disabled for the time of the migration",
        "Switch it off, and on again afterwards.",
    ),
    rule(
        "replicas",
        "The target has no read replicas while data is moved",
        no_replicas,
        "no read replica for the time of the migration",
        "Delete them, and make them anew afterwards.",
    ),
    rule(
        "password-login",
        "The target takes logins by password",
        password_login,
        "password authentication enabled: the migration service logs in with user and password only",
        "Enable it for the time of the migration.",
    ),
    rule(
        "storage",
        "The target's disk has room for the databases and the log of their load",
        storage,
        "a quarter more than the databases",
        "Make the disk larger.",
    ),
    rule(
        "iops",
        "The target's disk and size are quick enough for the times that Microsoft measured",
        operations,
        f"{MEASURED_IOPS} operations per second or more, from the disk and through the size",
        "Raise the disk's performance tier, or scale the target up, for the time of the migration.",
        severity="warning",
    ),
    rule(
        "migration-name",
        "A name is free for the migration's record",
        name_free,
        "a name that the target has never seen: records cannot be removed, and their names not be used again",
        "Choose another 'name' for the migration.",
        documentation=ISSUES,
    ),
    rule(
        "busy",
        "No other migration is active on the target",
        not_busy,
        "no active migration or validation on the target: there can be one at a time",
        "Wait for its end, or cancel it.",
        documentation=ISSUES,
        severity="warning",
        clean="no migration is active",
    ),
)
