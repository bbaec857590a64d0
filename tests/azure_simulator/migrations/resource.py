# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as a resource: PUT, GET, PATCH, DELETE, list, availability of names. All are answered at once."""

from __future__ import annotations

import copy
import re

from tests.azure_simulator import places, wire
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.migrations import ends
from tests.azure_simulator.migrations.course import Migration
from tests.azure_simulator.migrations.mover import ENDED, FAILED, WAITING
from tests.azure_simulator.resources import flexible_servers
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
KIND = "Microsoft.DBforPostgreSQL/flexibleServers/migrations"
COLLECTION = flexible_servers.SERVER + "/migrations"
ONE = COLLECTION + "/{migration}"
#: The specification says ^[a-z][a-z0-9]*$, the service takes more: recordings use identifiers with hyphens.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
MOST_DATABASES = 50

FLAG = ("True", "False")
CHOICES = {
    "migrationMode": ("Offline", "Online"),
    "migrationOption": ("Validate", "Migrate", "ValidateAndMigrate"),
    "sslMode": ("Prefer", "Require", "VerifyCA", "VerifyFull"),
    "sourceType": (
        "OnPremises", "AWS", "GCP", "AzureVM", "PostgreSQLSingleServer", "AWS_RDS", "AWS_AURORA", "AWS_EC2",
        "GCP_CloudSQL", "GCP_AlloyDB", "GCP_Compute", "EDB", "EDB_Oracle_Server", "EDB_PostgreSQL",
        "PostgreSQLFlexibleServer", "PostgreSQLCosmosDB", "Huawei_RDS", "Huawei_Compute", "Heroku_PostgreSQL",
        "Crunchy_PostgreSQL", "ApsaraDB_RDS", "Digital_Ocean_Droplets", "Digital_Ocean_PostgreSQL", "Supabase_PostgreSQL",
    ),
    "setupLogicalReplicationOnSourceDbIfNeeded": FLAG,
    "overwriteDbsInTarget": FLAG,
    "migrateRoles": FLAG,
    "startDataMigration": FLAG,
    "triggerCutover": FLAG,
    "cancel": FLAG,
}  # fmt: skip
TEXTS = (
    "migrationInstanceResourceId", "sourceDbServerResourceId", "sourceDbServerFullyQualifiedDomainName",
    "targetDbServerFullyQualifiedDomainName", "migrationWindowStartTimeInUtc", "migrationWindowEndTimeInUtc",
)  # fmt: skip
LISTS = ("dbsToMigrate", "dbsToTriggerCutoverOn", "dbsToCancelMigrationOn")
PATCHABLE = (
    "sourceDbServerResourceId", "sourceDbServerFullyQualifiedDomainName", "targetDbServerFullyQualifiedDomainName",
    "dbsToMigrate", "setupLogicalReplicationOnSourceDbIfNeeded", "overwriteDbsInTarget", "migrateRoles",
    "migrationWindowStartTimeInUtc", "startDataMigration", "migrationMode",
)  # fmt: skip


def bad(message: str, code: str = "InvalidParameterValue") -> ArmError:
    """Return a 400 of the service. Its texts for migrations were never recorded: these are made up."""
    return ArmError(400, code, message, cause="service")


# -- what is sent ------------------------------------------------------------------------------------------------------


def cleaned(properties: dict) -> dict:
    """Return what was sent in the service's own spelling; it takes any case and returns its own.

    Raises ArmError for a wrong type or a word that it does not know.
    """
    found = {}
    for word, value in properties.items():
        if value is None or word == "secretParameters":
            continue
        if word in CHOICES:
            if not isinstance(value, str):
                raise bad(
                    f"Error converting value {value!r} to type 'System.String'. Path 'properties.{word}'.",
                    "InvalidRequestContent",
                )
            known = {choice.lower(): choice for choice in CHOICES[word]}
            if value.lower() not in known:
                raise bad(
                    f"Invalid value given for parameter {word}: '{value}'. Allowed values are {', '.join(CHOICES[word])}."
                )
            found[word] = known[value.lower()]
        elif word in LISTS:
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise bad(
                    f"Invalid value given for parameter {word}: a list of names is expected.", "InvalidRequestContent"
                )
            found[word] = list(value)
        elif word in TEXTS:
            if not isinstance(value, str):
                raise bad(
                    f"Error converting value {value!r} to type 'System.String'. Path 'properties.{word}'.",
                    "InvalidRequestContent",
                )
            found[word] = value
    return found


def checked(cloud: Cloud, target: Resource, name: str, body: dict) -> tuple[dict, dict]:
    """Return what a PUT asks for, completed as the service does, and its secrets."""
    properties = body.get("properties") or {}
    sent = cleaned(properties)
    if not NAME.fullmatch(name):
        raise bad(f"Invalid migration name '{name}'.", "InvalidMigrationName")
    source = sent.get("sourceDbServerResourceId")
    single = bool(ends.SINGLE_SERVER.fullmatch(source or ""))
    if not ends.valid_source(source):
        raise bad(f"Invalid value given for parameter sourceDbServerResourceId: '{source}'.")
    databases = sent.get("dbsToMigrate") or []
    if not databases:
        raise bad("Parameter dbsToMigrate must name at least one database.")
    if len(databases) > MOST_DATABASES:
        raise bad(f"Parameter dbsToMigrate names {len(databases)} databases, at most {MOST_DATABASES} are allowed.")
    if len(set(databases)) != len(databases):
        raise bad("Parameter dbsToMigrate names a database twice.")
    if target.properties.get("cluster"):
        raise bad("Elastic cluster does not currently support this operation.", "ElasticClusterNotSupported")
    _check_runtime(target, sent.get("migrationInstanceResourceId"))
    secrets = properties.get("secretParameters") or {}
    credentials = secrets.get("adminCredentials") or {}
    for word in ("sourceServerPassword", "targetServerPassword"):
        if not isinstance(credentials.get(word), str) or not credentials[word]:
            raise bad(f"Parameter secretParameters.adminCredentials.{word} is missing.")
    kind = "PostgreSQLSingleServer" if single else "OnPremises"
    sent.setdefault("migrationMode", "Offline")
    sent.setdefault("migrationOption", "ValidateAndMigrate")
    sent.setdefault("sourceType", kind)
    sent.setdefault("sslMode", "VerifyFull" if sent["sourceType"] == "PostgreSQLSingleServer" else "Prefer")
    sent.setdefault("setupLogicalReplicationOnSourceDbIfNeeded", "False")
    sent.setdefault("overwriteDbsInTarget", "False")
    sent.setdefault("migrateRoles", "False")
    return sent, copy.deepcopy(secrets)


def _check_runtime(target: Resource, runtime: str | None) -> None:
    if runtime is None:
        return
    if not ends.FLEXIBLE_SERVER.fullmatch(runtime):
        raise bad("The migration runtime resource identifier must reference a flexible server.")
    if runtime.lower() == target.id.lower():
        raise bad("The migration runtime server cannot be the same as the target flexible server.")


# -- what is shown -----------------------------------------------------------------------------------------------------


def metadata(cloud: Cloud, server: Resource | None) -> dict | None:
    """Return `targetDbServerMetadata` or `sourceDbServerMetadata`."""
    if server is None:
        return None
    held = server.properties
    if server.type.lower().endswith("/flexibleservers"):
        size = held["storage"]["storageSizeGB"] * 1024
        return {
            "location": server.body["location"],
            "version": held["version"],
            "storageMb": size,
            "sku": dict(server.body["sku"]),
        }
    size = held["storageProfile"]["storageMB"]
    # Recorded in 2022 and 2023: the SKU of a Single Server is an empty object, its region is spelled short.
    return {"location": places.short(server.body["location"]), "version": held["version"], "storageMb": size, "sku": {}}


def shown(migration: Migration, *, fresh: bool = False) -> dict:
    """Return a migration in wire form; `fresh` is the answer to its PUT."""
    cloud, sent = migration.cloud, migration.sent
    state, substate = migration.state
    status: dict = {"state": state}
    if migration.error and not fresh:
        status["error"] = migration.error
    if not fresh:
        details: dict = {"currentSubState": substate or "PerformingPreRequisiteSteps"}
        details["dbDetails"] = {name: one.shown() for name, one in migration.progress().items()}
        if migration.validation is not None:
            details["validationDetails"] = migration.validation
        status["currentSubStateDetails"] = details
    found: dict = {"migrationId": migration.guid, "currentStatus": status}
    if "migrationInstanceResourceId" in sent:
        found["migrationInstanceResourceId"] = sent["migrationInstanceResourceId"]
    found["migrationMode"] = sent["migrationMode"]
    if migration.window_end:
        found["migrationWindowEndTimeInUtc"] = migration.window_end
    found["sourceDbServerResourceId"] = sent["sourceDbServerResourceId"]
    for word in ("sourceDbServerFullyQualifiedDomainName", "targetDbServerFullyQualifiedDomainName"):
        if word in sent:
            found[word] = sent[word]
    found["targetDbServerResourceId"] = migration.target.id
    for word in ("dbsToMigrate", "setupLogicalReplicationOnSourceDbIfNeeded", "overwriteDbsInTarget"):
        found[word] = copy.deepcopy(sent[word])
    found["migrationWindowStartTimeInUtc"] = migration.window_start
    # Recorded: every offline migration says that its cutover was triggered.
    found["triggerCutover"] = "True" if not migration.online or migration.cut_over else "False"
    if migration.cut_over:
        found["dbsToTriggerCutoverOn"] = list(migration.cut_over)
    if migration.cancelled:
        found["cancel"], found["dbsToCancelMigrationOn"] = "True", list(migration.cancelled)
    if not fresh:
        found["migrateRoles"] = sent["migrateRoles"]
        if cloud.clock.now() - migration.created >= cloud.clock.of("migration metadata"):
            source = metadata(cloud, cloud.find(sent["sourceDbServerResourceId"]))
            if source is not None:
                found["sourceDbServerMetadata"] = source
            found["targetDbServerMetadata"] = metadata(cloud, migration.target)
    for word in ("migrationOption", "sourceType", "sslMode"):
        found[word] = sent[word]
    body: dict = {"properties": found}
    if migration.tags is not None:
        body["tags"] = dict(migration.tags)
    # Recorded: PUT returns the region as it was sent, GET the name of the target's region.
    body["location"] = migration.location if fresh else migration.target.body["location"]
    return {**body, "id": migration.id, "name": migration.name, "type": KIND}


def of_target(cloud: Cloud, target: Resource) -> list[Migration]:
    """Return the migrations of a target, oldest first."""
    return [one for one in cloud.migrations.values() if one.target.id.lower() == target.id.lower()]


def find(cloud: Cloud, group: str, server: str, name: str) -> Migration:
    """Return a migration, moved on."""
    target = flexible_servers.need(cloud, group, server)
    found = cloud.migrations.get(f"{target.id}/migrations/{name}".lower())
    if found is None:
        raise wire.resource_not_found(KIND, f"{server}/{name}", group)
    found.advance(cloud.clock.now())
    return found


# -- the calls ---------------------------------------------------------------------------------------------------------


@ROUTES.on("PUT", ONE)
def put(cloud: Cloud, request: Request, group: str, server: str, migration: str) -> Answer:
    target = flexible_servers.need(cloud, group, server)
    body = request.document()
    if not isinstance(body.get("location"), str) or not body["location"]:
        raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
    known = cloud.migrations.get(f"{target.id}/migrations/{migration}".lower())
    sent, secrets = checked(cloud, target, migration, body)
    if known is not None:
        return _again(known, sent)
    busy = any(not one.ended and not one.refused for one in of_target(cloud, target))
    made = Migration(cloud, cloud.troubles, target, migration, sent, secrets, busy)
    made.id = f"{target.id}/migrations/{migration}"
    made.location = body["location"]
    made.tags = dict(body["tags"]) if body.get("tags") is not None else None
    if "migrationWindowStartTimeInUtc" in sent:
        made.window_start = sent["migrationWindowStartTimeInUtc"]
    cloud.migrations[made.id.lower()] = made
    return Answer(201, shown(made, fresh=True))


def _again(known: Migration, sent: dict) -> Answer:
    """Answer a PUT of a name that is known: 200 for the same request while it runs; a name is never free again."""
    if known.ended or sent != known.sent:
        raise ArmError(
            409,
            "MigrationAlreadyExists",
            f"A migration with the name '{known.name}' already exists on this server.",
            cause="service",
        )
    known.advance(known.cloud.clock.now())
    return Answer(200, shown(known))


@ROUTES.on("GET", ONE)
def get(cloud: Cloud, request: Request, group: str, server: str, migration: str) -> Answer:
    return Answer(200, shown(find(cloud, group, server, migration)))


@ROUTES.on("GET", COLLECTION)
def listed(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    target = flexible_servers.need(cloud, group, server)
    wanted = request.query.get("migrationListFilter", "Active")
    if wanted.lower() not in ("active", "all"):
        raise bad(f"Invalid value given for parameter migrationListFilter: '{wanted}'.")
    found = []
    for one in of_target(cloud, target):
        one.advance(cloud.clock.now())
        if wanted.lower() == "all" or not one.ended:
            found.append(shown(one))
    return Answer(200, {"value": found})


@ROUTES.on("PATCH", ONE)
def patch(cloud: Cloud, request: Request, group: str, server: str, migration: str) -> Answer:
    found = find(cloud, group, server, migration)
    body = request.document()
    properties = body.get("properties") or {}
    sent = cleaned(properties)
    if "tags" in body:
        found.tags = dict(body["tags"] or {})
    if sent.get("cancel") == "True":
        _cancel(found, sent.get("dbsToCancelMigrationOn"))
    elif sent.get("triggerCutover") == "True":
        _cut_over(found, sent.get("dbsToTriggerCutoverOn"))
    elif sent or properties.get("secretParameters"):
        _change(found, sent, properties.get("secretParameters") or {})
    return Answer(200, shown(found))


def _change(migration: Migration, sent: dict, secrets: dict) -> None:
    if migration.ended:
        raise bad(f"Migration '{migration.name}' has ended and cannot be changed.", "MigrationStateNotAllowed")
    if "dbsToMigrate" in sent and len(sent["dbsToMigrate"]) > MOST_DATABASES:
        raise bad(
            f"Parameter dbsToMigrate names {len(sent['dbsToMigrate'])} databases, at most {MOST_DATABASES} are allowed."
        )
    migration.sent.update({word: value for word, value in sent.items() if word in PATCHABLE})
    if "migrationWindowStartTimeInUtc" in sent:
        migration.window_start = sent["migrationWindowStartTimeInUtc"]
    if sent.get("startDataMigration") == "True" and migration.phase == "window":
        migration.window_start = wire.stamp()
    for word, value in secrets.items():
        migration.secrets[word] = {**migration.secrets.get(word, {}), **value} if isinstance(value, dict) else value
    migration.advance(migration.cloud.clock.now())


def _chosen(migration: Migration, databases: list[str] | None) -> list[str]:
    if not databases:
        return list(migration.databases)
    unknown = [name for name in databases if name not in migration.databases]
    if unknown:
        raise bad(f"Database(s) {', '.join(unknown)} are not part of migration '{migration.name}'.")
    return list(databases)


def _cut_over(migration: Migration, databases: list[str] | None) -> None:
    if not migration.online:
        raise bad("603114: Cutover is not possible for migrations in offline mode.", "603114")
    names = _chosen(migration, databases)
    # The same request again, after an answer that never arrived, changes nothing and is no error.
    if set(names) <= set(migration.cut_over) and migration.state[0] not in ("Failed", "Canceled"):
        return
    progress = migration.progress()
    for name in names:
        state = progress[name].state if name in progress else None
        if migration.ended or (state in ENDED and name not in migration.cut_over):
            text = "Failed" if state == FAILED else state or migration.state[0]
            raise bad(f"603113: Cutover cannot be triggered on database {name}: its migration is {text}.", "603113")
        if state != WAITING and name not in migration.cut_over:
            raise bad(
                f"Cutover cannot be triggered on database {name}: it does not wait for it.", "MigrationStateNotAllowed"
            )
    migration.request_cutover(names)


def _cancel(migration: Migration, databases: list[str] | None) -> None:
    names = _chosen(migration, databases)
    if set(names) <= set(migration.cancelled):
        return
    if migration.ended or migration.phase in ("completing", "refusal", "cleaning"):
        raise bad(
            f"Migration '{migration.name}' cannot be canceled: its state is {migration.state[0]}.",
            "MigrationStateNotAllowed",
        )
    migration.request_cancel(names)


@ROUTES.on("DELETE", ONE)
def delete(cloud: Cloud, request: Request, group: str, server: str, migration: str) -> Answer:
    """Cancel; the record stays. Recorded once, in 2022: 200 with a body."""
    target = flexible_servers.need(cloud, group, server)
    known = cloud.migrations.get(f"{target.id}/migrations/{migration}".lower())
    if known is None:
        return Answer(204)
    known.advance(cloud.clock.now())
    if not known.ended and known.phase not in ("cleaning", "refusal"):
        known.request_cancel([name for name in known.databases if name not in known.cancelled])
    return Answer(200, shown(known))


@ROUTES.on("POST", flexible_servers.SERVER + "/checkMigrationNameAvailability")
def availability(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    target = flexible_servers.need(cloud, group, server)
    body = request.document()
    name = body.get("name") or ""
    answer = {"name": name, "type": body.get("type"), "nameAvailable": True}
    if not NAME.fullmatch(name):
        answer.update(nameAvailable=False, reason="Invalid", message=f"Migration name '{name}' is not valid.")
    elif f"{target.id}/migrations/{name}".lower() in cloud.migrations:
        text = f"A migration with the name '{name}' already exists on this server."
        answer.update(nameAvailable=False, reason="AlreadyExists", message=text)
    return Answer(200, answer)
