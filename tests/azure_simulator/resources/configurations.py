# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server parameters: read from, and set in, the real server where one is behind; Azure's own are kept in memory."""

from __future__ import annotations

import contextlib
import os
import re
import time

import psycopg2

from tests.azure_simulator import operations, places
from tests.azure_simulator.cloud import Cloud, Resource
from tests.azure_simulator.operations import Operation, OperationFailed
from tests.azure_simulator.resources import flexible_servers, parameter_table
from tests.azure_simulator.resources.parameter_table import Parameter
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, ArmError, Request

ROUTES = Routes()
KIND = "Microsoft.DBforPostgreSQL/flexibleServers/configurations"
COLLECTION = flexible_servers.SERVER + "/configurations"
KINDS = {"bool": "Boolean", "integer": "Integer", "real": "Numeric", "enum": "Enumeration", "string": "String"}
SETTINGS = """
SELECT s.name, s.vartype, s.setting, s.min_val, s.max_val, s.enumvals, s.context, coalesce(s.unit, ''), s.short_desc,
       s.pending_restart, f.setting
FROM pg_settings s
LEFT JOIN LATERAL (SELECT setting FROM pg_file_settings f WHERE f.name = s.name ORDER BY seqno DESC LIMIT 1) f ON true
WHERE s.context <> 'internal' AND s.name !~ '[.]'
"""
BEGIN, END = "# azure-simulator: begin\n", "# azure-simulator: end\n"


# -- where a real server is behind -------------------------------------------------------------------------------------


def _session(server: Resource):
    connection = psycopg2.connect(**server.behind.connection())
    connection.autocommit = True
    return connection


def _real(server: Resource) -> dict[str, Parameter]:
    """Return the parameters of the server behind, with the values that Azure would show: pending ones included."""
    defaults = server.private.setdefault("defaults", {})
    overrides = server.private.setdefault("overrides", {})
    connection = _session(server)
    try:
        with connection.cursor() as cursor:
            cursor.execute(SETTINGS)
            rows = cursor.fetchall()
    finally:
        connection.close()
    found = {}
    for name, kind, setting, least, most, choices, context, unit, text, pending, _file in rows:
        default = defaults.setdefault(name, setting)
        allowed = (
            "on,off"
            if kind == "bool"
            else ",".join(choices)
            if choices
            else f"{least}-{most}"
            if least is not None
            else ".*"
        )
        parameter = Parameter(
            name, KINDS[kind], default, allowed, context != "postmaster", name in parameter_table.READ_ONLY, unit, text
        )
        # A value that waits for a restart is Azure's value already.
        parameter.value = overrides.get(name, setting)
        parameter.pending = bool(pending)
        parameter.overridden = name in overrides
        found[name] = parameter
    return found


def _apply(server: Resource, name: str, value: str | None) -> None:
    """Set a parameter of the server behind, or reset it (None). Raises OperationFailed with PostgreSQL's reason."""
    overrides = server.private.setdefault("overrides", {})
    connection = _session(server)
    try:
        with connection.cursor() as cursor:
            if value is None:
                cursor.execute(f'ALTER SYSTEM RESET "{name}"')
                overrides.pop(name, None)
            else:
                cursor.execute(f'ALTER SYSTEM SET "{name}" TO %s', (value,))
                overrides[name] = value
            cursor.execute("SELECT pg_reload_conf()")
    except psycopg2.Error as error:
        raise OperationFailed("InvalidParameterValue", str(error).strip()) from None
    finally:
        connection.close()


def publish(server: Resource) -> None:
    """Let SQL see Azure's own parameters too: written to the end of postgresql.conf of the server behind."""
    if server.behind is None or server.behind.data is None:
        return
    own = [one for one in table(server).values() if one.name.startswith("azure.")]
    _write(server, BEGIN + "".join(f"{one.name} = {_literal(one.value or '')}\n" for one in own) + END)
    # The postmaster reads it in its own time.
    wanted = table(server)["azure.extensions"].value or ""
    for _attempt in range(100):
        if _ask(server, "SELECT current_setting('azure.extensions', true)") == wanted:
            return
        time.sleep(0.02)


def unpublish(server: Resource) -> None:
    """Leave postgresql.conf as it was; a server that does not run learns of it when it is started."""
    _write(server, "")


def _write(server: Resource, section: str) -> None:
    """Put a section at the end of postgresql.conf, in the place of an earlier one."""
    file = server.behind.data / "postgresql.conf"
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    if BEGIN in text:
        text = text[: text.index(BEGIN)] + text[text.index(END) + len(END) :]
    # Put in its place whole: a server that reads half a file forgets even that it speaks TLS.
    fresh, known = file.with_name("postgresql.conf.fresh"), file.stat()
    fresh.write_text(text + section, encoding="utf-8")
    os.chown(fresh, known.st_uid, known.st_gid)
    fresh.chmod(known.st_mode)
    fresh.replace(file)
    with contextlib.suppress(psycopg2.OperationalError):
        _ask(server, "SELECT pg_reload_conf()")


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ask(server: Resource, sql: str):
    connection = _session(server)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0]
    finally:
        connection.close()


# -- the table of one server -------------------------------------------------------------------------------------------


def table(server: Resource) -> dict[str, Parameter]:
    """Return all parameters of a server by name."""
    if "parameters" not in server.private:
        known = [*parameter_table.AZURE, parameter_table.PRELOAD]
        known += parameter_table.POSTGRESQL if server.behind is None else []
        server.private["parameters"] = {one.name: one.copy() for one in known}
        for one in server.private["parameters"].values():
            one.value = one.default
    memory = server.private["parameters"]
    return {**(_real(server) if server.behind is not None else {}), **memory}


def shown(server: Resource, parameter: Parameter) -> dict:
    properties = {
        "value": parameter.value if parameter.value is not None else parameter.default,
        "description": parameter.description,
        "defaultValue": parameter.default,
        "dataType": parameter.kind,
        "allowedValues": parameter.allowed,
        # Recorded: a value that was set is an override, also where it is the default.
        "source": "user-override" if parameter.overridden else "system-default",
        "isDynamicConfig": parameter.dynamic,
        "isReadOnly": parameter.read_only,
        "isConfigPendingRestart": parameter.pending,
    }
    if parameter.unit:
        properties["unit"] = parameter.unit
    return {
        "properties": properties,
        "id": f"{server.id}/configurations/{parameter.name}",
        "name": parameter.name,
        "type": KIND,
    }


def _find(server: Resource, name: str) -> Parameter:
    found = {key.lower(): one for key, one in table(server).items()}.get(name.lower())
    if found is None:
        raise ArmError(
            404,
            "ResourceNotFound",
            f"The requested resource of type '{KIND}' with name '{name}' was not found.",
            cause="service",
        )
    return found


def _check(parameter: Parameter, value: str) -> None:
    """Refuse a value that Azure would refuse."""
    text = f"Invalid value given for parameter {parameter.name}: '{value}'. Allowed values are '{parameter.allowed}'."
    if parameter.read_only:
        raise OperationFailed("InvalidParameterValue", f"The server parameter '{parameter.name}' is read-only.")
    if parameter.kind == "Set":
        allowed = parameter.allowed.lower().split(",")
        bad = [one for one in value.split(",") if one.strip() and one.strip().lower() not in allowed]
    elif parameter.kind in ("Boolean", "Enumeration"):
        bad = [] if value.lower() in parameter.allowed.lower().split(",") else [value]
    elif parameter.kind in ("Integer", "Numeric"):
        bounds = re.fullmatch(r"(-?[0-9.e+]+)-(-?[0-9.e+]+)", parameter.allowed)
        try:
            number = float(value)
            bad = [] if bounds is None or float(bounds[1]) <= number <= float(bounds[2]) else [value]
        except ValueError:
            bad = [value]
    else:
        bad = []
    if bad:
        raise OperationFailed("InvalidParameterValue", text)


def assign(server: Resource, name: str, value: str | None) -> None:
    """Give a parameter a value, or its default back (None). Raises OperationFailed where Azure or PostgreSQL refuses."""
    parameter = _find(server, name)
    _check(parameter, parameter.default if value is None else value)
    if parameter.name not in server.private["parameters"]:
        _apply(server, parameter.name, value)
        return
    parameter.overridden = value is not None
    parameter.value = parameter.default if value is None else value
    if not parameter.dynamic:
        running = server.private.setdefault("running", {}).setdefault(parameter.name, parameter.default)
        parameter.pending = parameter.value != running
    publish(server)


def restarted(server: Resource) -> None:
    """Let what waited for a restart be in force."""
    for parameter in server.private.get("parameters", {}).values():
        if parameter.pending:
            server.private["running"][parameter.name] = parameter.value
            parameter.pending = False


# -- the calls ---------------------------------------------------------------------------------------------------------


@ROUTES.on("GET", COLLECTION)
def listed(cloud: Cloud, request: Request, group: str, server: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    _check_running(found)
    parameters = sorted(table(found).values(), key=lambda one: one.name.lower())
    return Answer(200, {"value": [shown(found, one) for one in parameters]})


@ROUTES.on("GET", COLLECTION + "/{name}")
def get(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    _check_running(found)
    return Answer(200, shown(found, _find(found, name)))


def _check_running(server: Resource) -> None:
    if server.properties["state"] == "Stopped":
        raise ArmError(
            409,
            "ServerStateNotAllowed",
            f"Operation is not allowed while server '{server.name}' is in state 'Stopped'.",
            cause="service",
        )


def _set(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    found = flexible_servers.need(cloud, group, server)
    _check_running(found)
    flexible_servers.check_idle(found)
    parameter = _find(found, name)
    properties = request.document().get("properties") or {}
    value = properties.get("value")
    if value is not None and not isinstance(value, str):
        raise ArmError(
            400, "InvalidRequestContent", "Error converting value to type 'System.String'. Path 'properties.value'."
        )
    if (properties.get("source") or "").lower() == "system-default":
        value = None

    def finish() -> None:
        assign(found, parameter.name, value)

    operation = Operation(
        cloud,
        "UpdateOrcasServerParameterManagementOperation",
        cloud.clock.of("configuration"),
        finish,
        retry_after=15.0,
    )
    flexible_servers.begin(found, operation)
    return operations.accepted(operation, request, places.short(found.body["location"]))


@ROUTES.on("PUT", COLLECTION + "/{name}")
def put(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    return _set(cloud, request, group, server, name)


@ROUTES.on("PATCH", COLLECTION + "/{name}")
def patch(cloud: Cloud, request: Request, group: str, server: str, name: str) -> Answer:
    return _set(cloud, request, group, server, name)
