# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON file that `az postgres flexible-server migration create --properties` takes, in this collection's words."""

from __future__ import annotations

import re

from .errors import InvalidRequest

ENDS = ("source", "target")
SSL_MODES = {"prefer": "prefer", "require": "require", "verifyca": "verify-ca", "verifyfull": "verify-full"}
# host:port@user; a user may hold an @ of its own, a host may not.
SERVER = re.compile(r"^(?P<host>\[[^\]]+\]|[^:@/]+):(?P<port>\d+)@(?P<user>.+)$")


def lowered(value):
    """Return the value with all keys in lower case, as the CLI reads them."""
    if isinstance(value, dict):
        return {str(key).lower(): lowered(item) for key, item in value.items()}
    return [lowered(item) for item in value] if isinstance(value, list) else value


def translate(content, target_host: str | None = None) -> dict:
    """Return C({source, target, databases}) and, where the file names them, C({source_type, source_server_id, runtime_server_id}).

    :param content: the file's content, C({properties: {...}})
    :param target_host: the target's name, which the CLI is told apart from the file
    :raises InvalidRequest: naming what is missing or cannot be understood
    """
    given = lowered(content) if isinstance(content, dict) else {}
    properties = given.get("properties")
    if not isinstance(properties, dict):
        raise InvalidRequest(
            f"A properties file is one JSON object with the key 'properties', not {type(content).__name__}.",
            "Hand over the parsed file: lookup('ansible.builtin.file', path) | from_json.",
        )
    secret = properties.get("secretparameters") or {}
    passwords = secret.get("admincredentials") or {}
    mode = ssl_mode(properties.get("sslmode", "Prefer"))
    # Users stand among the secrets; many examples have them outside.
    users = {side: secret.get(f"{side}serverusername") or properties.get(f"{side}serverusername") for side in ENDS}
    source, more = source_of(properties, users["source"])
    target = {"host": properties.get("targetdbserverfullyqualifieddomainname") or target_host, "user": users["target"]}
    if not target["host"]:
        raise InvalidRequest(
            "The properties file does not say where the target is.",
            "Name it: cli_properties(target_host='name.postgres.database.azure.com').",
        )
    databases = properties.get("dbstomigrate")
    if not isinstance(databases, list) or not databases:
        raise InvalidRequest(f"'dbsToMigrate' is {databases!r}, not a list of databases.", "Name the databases there.")
    if properties.get("sourcetype"):
        more["source_type"] = properties["sourcetype"]
    runtime = properties.get("migrationruntimeresourceid") or properties.get("migrationinstanceresourceid")
    if runtime:
        more["runtime_server_id"] = runtime
    ends = {}
    for side, words in (("source", source), ("target", target)):
        words["password"] = passwords.get(f"{side}serverpassword")
        words["sslmode"] = mode
        ends[side] = {word: item for word, item in words.items() if item is not None}
    return {**ends, "databases": databases, **more}


def ssl_mode(text: str) -> str:
    """Return libpq's word for the CLI's."""
    word = re.sub(r"[^a-z]", "", str(text).lower())
    if word not in SSL_MODES:
        raise InvalidRequest(f"'sslMode' is {text!r}.", "It is one of Prefer, Require, VerifyCA and VerifyFull.")
    return SSL_MODES[word]


def source_of(properties: dict, user: str | None) -> tuple:
    """Return C((words, more)) of the source, which is an address or a Single Server's resource id."""
    text = str(properties.get("sourcedbserverresourceid") or "")
    found = SERVER.match(text)
    if found:
        host = found["host"].strip("[]")
        return {"host": host, "port": int(found["port"]), "user": user or found["user"]}, {}
    if text.startswith("/subscriptions/"):
        name = text.rstrip("/").rpartition("/")[2]
        host = properties.get("sourcedbserverfullyqualifieddomainname") or f"{name}.postgres.database.azure.com"
        return {"host": host, "user": user}, {"source_server_id": text}
    raise InvalidRequest(
        f"'sourceDbServerResourceId' is {text!r}.",
        "It is host:port@user, or the resource id of a Single Server.",
    )
