# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure CLI's file of a migration's properties, as options of the module migration.

The CLI takes its keys in any case and drops without a word what it does not know. Here what is dropped is said.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field

from ..._core.errors import InvalidRequest
from .words import pick, squeezed

SSL_MODES = {"prefer": "prefer", "require": "require", "verifyca": "verify-ca", "verifyfull": "verify-full"}
# host:port@user; a user may hold an @ of its own, a host may not.
SERVER = re.compile(r"^(?P<host>\[[^\]]+\]|[^:@/]+):(?P<port>\d+)@(?P<user>.+)$")
SECRETS = "secretParameters"
CREDENTIALS = "adminCredentials"
# Keys that the CLI reads, with the option that has their value here; None for those that are taken apart.
KEYS = {
    "sourceDbServerResourceId": None,
    SECRETS: None,
    "sourceDbServerFullyQualifiedDomainName": "source_server_fqdn",
    "targetDbServerFullyQualifiedDomainName": "target_server_fqdn",
    "dbsToMigrate": "databases",
    "setupLogicalReplicationOnSourceDbIfNeeded": "setup_logical_replication",
    "overwriteDbsInTarget": None,
    "sourceType": "source_type",
    "sslMode": None,
    "migrationRuntimeResourceId": "runtime_server_id",
}
SECRET_KEYS = (CREDENTIALS, "sourceServerUsername", "targetServerUsername")
CREDENTIAL_KEYS = ("sourceServerPassword", "targetServerPassword")
# Keys of the API that the CLI drops, with what to use here.
DROPPED = {
    "migrateRoles": "migrate_roles",
    "migrationWindowStartTimeInUtc": "migration_window_start",
    "migrationMode": "mode",
    "migrationOption": "state",
    "migrationInstanceResourceId": "runtime_server_id",
    "migrationWindowEndTimeInUtc": "",
    "startDataMigration": "",
    "triggerCutover": "",
    "cancel": "",
    "location": "",
    "sourceServerUsername": "",
    "targetServerUsername": "",
    "sourceServerPassword": "",
    "targetServerPassword": "",
}


@dataclass
class PropertiesFile:
    """What a file says, as options; connection words of both ends are in C(source) and C(target)."""

    options: dict = field(default_factory=dict)
    warnings: list = field(default_factory=list)

    @property
    def secrets(self) -> list:
        """The passwords of the file."""
        ends = [self.options.get(side) or {} for side in ("source", "target")]
        return [end["password"] for end in ends if end.get("password")]


def read_properties_file(path: str) -> PropertiesFile:
    """Read a file.

    :raises InvalidRequest: when it cannot be read, is not JSON, or has values that the CLI would not take either
    """
    try:
        with open(path, encoding="utf-8-sig") as stream:
            content = json.load(stream)
    except OSError as error:
        raise InvalidRequest(
            f"The properties file {path} cannot be read: {error.strerror}.",
            "Correct 'properties_file'; it lies on the executing host.",
        ) from None
    except ValueError as error:
        # The error of the parser names a place, and never shows what is there.
        raise InvalidRequest(f"The properties file {path} is not JSON: {error}.", "Correct the file.") from None
    properties = pick(content, "properties")
    if not isinstance(properties, dict):
        raise InvalidRequest(
            f"The properties file {path} has no object 'properties'.", "The Azure CLI wants everything below that key."
        )
    return Reader(path).read(content, properties)


class Reader:
    """Reads one file; I(path) is for messages."""

    def __init__(self, path: str):
        self.path = path
        self.found = PropertiesFile()

    def read(self, content: dict, properties: dict) -> PropertiesFile:
        """Take what the file says to options, and complain of the rest."""
        self.complain(content, ("properties", "tags"), "")
        self.complain(properties, KEYS, "properties.")
        for key, option in KEYS.items():
            value = pick(properties, key)
            if option and value not in (None, ""):
                self.found.options[option] = value
        self.source(pick(properties, "sourceDbServerResourceId"))
        self.secrets(pick(properties, SECRETS) or {})
        self.flags(properties)
        databases = self.found.options.get("databases")
        if databases is not None and not (
            isinstance(databases, list) and all(isinstance(name, str) for name in databases)
        ):
            raise self.wrong("dbsToMigrate", "a list of names")
        mode = pick(properties, "sslMode")
        if mode:
            if squeezed(mode) not in SSL_MODES:
                raise self.wrong("sslMode", "Prefer, Require, VerifyCA or VerifyFull")
            self.end("source")["sslmode"] = SSL_MODES[squeezed(mode)]
        return self.found

    def wrong(self, key: str, expected: str) -> InvalidRequest:
        """Return the error for a value that is none; values are not shown, since they may be misplaced secrets."""
        return InvalidRequest(f"Key '{key}' of the properties file {self.path} is not {expected}.", "Correct the file.")

    def end(self, side: str) -> dict:
        """Return the connection words of a side, to be added to."""
        return self.found.options.setdefault(side, {})

    def complain(self, values: dict, known, prefix: str) -> None:
        """Warn of keys that the CLI drops without a word."""
        plain = {key.lower() for key in known}
        for key in values:
            if key.lower() in plain:
                continue
            sentence = f"{self.path}: the Azure CLI ignores '{prefix}{key}', and so does this module."
            dropped = next((word for word in DROPPED if word.lower() == key.lower()), None)
            near = difflib.get_close_matches(key.lower(), sorted(plain), 1, 0.75)
            if dropped and DROPPED[dropped]:
                sentence += f" Use the option '{DROPPED[dropped]}'."
            elif dropped and "server" in key.lower():
                sentence += f" It belongs into '{SECRETS}'."
            elif near:
                sentence += f" Is '{next(word for word in known if word.lower() == near[0])}' meant?"
            self.found.warnings.append(sentence)

    def source(self, text) -> None:
        """Take the source apart: a Single Server's id, or C(host:port@user)."""
        if not text:
            return
        if str(text).lower().startswith("/subscriptions/"):
            self.found.options["source_server_id"] = text
            return
        found = SERVER.fullmatch(str(text))
        if not found:
            raise self.wrong("sourceDbServerResourceId", "host:port@user, or the resource id of a Single Server")
        self.end("source").update(host=found["host"], port=int(found["port"]), user=found["user"])

    def secrets(self, values) -> None:
        """Take users and passwords."""
        if not isinstance(values, dict):
            raise self.wrong(SECRETS, "an object")
        self.complain(values, SECRET_KEYS, f"properties.{SECRETS}.")
        credentials = pick(values, CREDENTIALS) or {}
        if not isinstance(credentials, dict):
            raise self.wrong(CREDENTIALS, "an object")
        self.complain(credentials, CREDENTIAL_KEYS, f"properties.{SECRETS}.{CREDENTIALS}.")
        for side in ("source", "target"):
            for word, value in (
                ("user", pick(values, f"{side}ServerUsername")),
                ("password", pick(credentials, f"{side}ServerPassword")),
            ):
                if value:
                    self.end(side)[word] = value

    def flags(self, properties: dict) -> None:
        """Take the two flags, which are texts; the CLI ends with a traceback on JSON's own."""
        for key in ("setupLogicalReplicationOnSourceDbIfNeeded", "overwriteDbsInTarget"):
            value = pick(properties, key)
            if value is None:
                continue
            if str(value).lower() not in ("true", "false"):
                raise self.wrong(key, '"true" or "false"')
            if isinstance(value, bool):
                self.found.warnings.append(
                    f"{self.path}: the Azure CLI wants \"{str(value).lower()}\" in quotes for '{key}'."
                )
            if key == "overwriteDbsInTarget":
                if str(value).lower() == "true":
                    self.found.options["overwrite_databases"] = pick(properties, "dbsToMigrate") or []
            else:
                self.found.options[KEYS[key]] = str(value).lower() == "true"


def merged_with(parameters: dict, file: PropertiesFile, defaults: dict) -> dict:
    """Return a module's parameters together with what a file says.

    :param defaults: the module's defaults, which give way to the file
    :raises InvalidRequest: when an option that is set says otherwise than the file
    """
    result = dict(parameters)
    for option, value in file.options.items():
        given = parameters.get(option)
        if isinstance(value, dict):
            given = {word: item for word, item in (given or {}).items() if item is not None}
            for word in sorted(set(given) & set(value)):
                if str(given[word]) != str(value[word]):
                    shown = "" if word == "password" else f": {given[word]!r} here and {value[word]!r} there"
                    raise conflict(f"{option}.{word}", shown)
            result[option] = {**(parameters.get(option) or {}), **value, **given}
        elif given in (None, defaults.get(option)):
            result[option] = value
        elif same(given, value):
            continue
        else:
            raise conflict(option, f": {given!r} here and {value!r} there")
    return result


def same(given, value) -> bool:
    """Return whether an option and a file say the same; order of lists and case of ids do not count."""
    if isinstance(given, list) and isinstance(value, list):
        return sorted(given) == sorted(value)
    return str(given).lower() == str(value).lower()


def conflict(option: str, shown: str) -> InvalidRequest:
    """Return the error for an option that contradicts the file."""
    return InvalidRequest(
        f"'{option}' and the properties file say different things{shown}.",
        "Leave the option out, or correct one of them.",
    )
