# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded exchanges, sent to the simulator again; what comes back is compared with what Azure said then.

Compared are status, listed headers, and the shape of the body: which keys there are, of which types, and the values of
words that say a state. Names, ids and moments differ by nature.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.azure_simulator.client import Client, Reply

RECORDINGS = Path(__file__).parent / "data" / "recordings"
#: Seconds that pass between two requests, that a GET waits before it is sent again (longer each time), and that it
#: waits at the most.
BETWEEN, STEP, PATIENCE = 0.05, 0.25, 3600.0
PASSWORD = "Replayed-2024"
NOBODY = "00000000-0000-0000-0000-000000000000"
#: Headers that the recorder kept and that say something.
HEADERS = (
    "azure-asyncoperation", "location", "content-type", "x-ms-failure-cause",
    "x-ms-ratelimit-remaining-subscription-global-reads", "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-ratelimit-remaining-subscription-global-writes", "x-ms-ratelimit-remaining-subscription-deletes",
)  # fmt: skip
#: Words whose values must be the same.
WORDS = {
    "state", "currentSubState", "status", "provisioningState", "operation", "type", "code", "location", "error",
    "migrationMode", "migrationOption", "sourceType", "sslMode", "triggerCutover", "overwriteDbsInTarget",
    "migrateRoles", "tier", "version", "publicNetworkAccess", "mode", "source", "dataType", "collation", "charset",
    "virtualNetworkLinkState", "nameAvailable", "storageSizeGB", "iops", "storageMb",
}  # fmt: skip
SERVER = re.compile(
    r"/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.DBforPostgreSQL/(?P<kind>flexibleServers|servers)/(?P<name>[^/?\"]+)",
    re.I,
)


@dataclass(frozen=True)
class Difference:
    """One thing that is not as recorded: at which entry, where in it, how."""

    recording: str
    entry: int
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.recording}#{self.entry} {self.where}: {self.text}"


def names() -> list[str]:
    """Return the names of all recordings of exchanges."""
    folders = ("migrations", "servers")
    return sorted(f"{folder}/{file.name}" for folder in folders for file in (RECORDINGS / folder).glob("*.json"))


def load(name: str) -> list[dict]:
    """Return the entries of a recording, with `$sameAs` followed."""
    entries = _file(name)
    for entry in entries:
        body = entry.get("responseBody")
        while isinstance(body, dict) and "$sameAs" in body:
            other, _hash, number = body["$sameAs"].partition("#")
            body = next(one["responseBody"] for one in _file(other) if one["n"] == int(number))
        entry["responseBody"] = body
    return entries


def _file(name: str) -> list[dict]:
    return json.loads((RECORDINGS / name).read_text(encoding="utf-8"))


# -- the stage: what was there when the recording began --------------------------------------------------------------


def prepare(azure, entries: list[dict]) -> None:
    """Make what the recorded exchanges take for granted: groups, servers that nobody creates, migrations of before."""
    groups: dict[str, dict] = {}
    for entry in entries:
        for group in re.findall(r"/resource[gG]roups/([^/?\"]+)", entry["uri"] + json.dumps(entry.get("requestBody"))):
            groups.setdefault(group.lower(), {"name": group, "location": "eastus"})
        found = re.search(r"/resourcegroups/([^/?]+)\?", entry["uri"], re.I)
        if found and isinstance(entry.get("responseBody"), dict):
            groups[found[1].lower()].update(
                location=entry["responseBody"]["location"], tags=entry["responseBody"].get("tags")
            )
    for words in groups.values():
        azure.add_resource_group(**words)
    _servers(azure, entries)
    _earlier_migrations(azure, entries)


def _servers(azure, entries: list[dict]) -> None:
    created = {entry["uri"].partition("?")[0].lower() for entry in entries if entry["method"] == "PUT"}
    made: set[str] = set()
    for entry in entries:
        text = entry["uri"] + json.dumps(entry.get("requestBody"))
        for match in SERVER.finditer(text):
            key = f"{match['kind']}/{match['name']}".lower()
            if key in made or any(address.endswith("/" + key) for address in created):
                continue
            made.add(key)
            if match["kind"].lower() == "servers":
                words = _metadata(entries, "source")
                azure.add_single_server(match["name"], match["group"], location=words.get("location", "eastus"),
                                        storage_mb=words.get("storageMb", 102400), version=words.get("version", "11"))  # fmt: skip
            else:
                words = _metadata(entries, "target")
                sku = words.get("sku", {}).get("name", "Standard_D2s_v3")
                azure.add_flexible_server(match["name"], match["group"], sku=sku, location=words.get("location", "eastus"),
                                          storage_gb=words.get("storageMb", 131072) // 1024, version=words.get("version", "14"))  # fmt: skip


def _metadata(entries: list[dict], side: str) -> dict:
    """Return what a recording says of the server of one side."""
    for entry in entries:
        body = entry.get("responseBody")
        for one in body.get("value", [body]) if isinstance(body, dict) else []:
            properties = one.get("properties", {}) if isinstance(one, dict) else {}
            found = properties.get(f"{side}DbServerMetadata") or properties.get(f"{side}DBServerMetadata")
            if found:
                return found
    for entry in entries:
        body = entry.get("responseBody")
        if (
            side == "target"
            and entry["method"] == "GET"
            and isinstance(body, dict)
            and "migrationId" in body.get("properties", {})
        ):
            return {"location": body["location"]}
    return {}


def _earlier_migrations(azure, entries: list[dict]) -> None:
    """Make the migrations that a list shows although nobody in the recording made them; they are at validation."""
    names_made = {entry["uri"].partition("?")[0].rsplit("/", 1)[-1] for entry in entries if entry["method"] == "PUT"}
    client = Client(azure, "AZURECLI/replay")
    for entry in entries:
        body = entry.get("responseBody")
        for one in body.get("value", []) if isinstance(body, dict) else []:
            if "/migrations/" not in one.get("id", "") or one["name"] in names_made:
                continue
            names_made.add(one["name"])
            words = ("migrationMode", "migrationOption", "sourceType", "sslMode", "sourceDbServerResourceId", "dbsToMigrate",
                     "setupLogicalReplicationOnSourceDbIfNeeded", "overwriteDbsInTarget")  # fmt: skip
            sent = {word: one["properties"][word] for word in words}
            sent["secretParameters"] = {"adminCredentials": {"sourceServerPassword": "x", "targetServerPassword": "x"}}
            path = one["id"].replace(NOBODY, azure.subscription_id)
            client.call("PUT", path, {"location": "eastus", "properties": sent}, version="2024-08-01")
            made = azure.cloud.migrations[path.lower()]
            for word in ("since", "created"):
                setattr(made, word, getattr(made, word) - azure.cloud.clock.of("migration prerequisites"))


# -- sending ----------------------------------------------------------------------------------------------------------


class Replay:
    """Sends the entries of one recording in their order."""

    def __init__(self, azure, name: str, entries: list[dict]):
        self.azure = azure
        self.name = name
        self.entries = entries
        self.client = Client(azure, "AZURECLI/replay")
        self.addresses: dict[str, str] = {}

    def differences(self) -> Iterator[Difference]:
        """Send everything; yield what is not as recorded."""
        for entry in self.entries:
            if entry["status"]["code"] == 504:
                path = re.escape(unquote(urlsplit(self._address(entry)).path))
                self.azure.trouble.add("gateway_timeout", method=entry["method"], path=path)
            reply = self._reply(entry)
            self._remember(entry, reply)
            for where, text in compare(entry, reply):
                yield Difference(self.name, entry["n"], where, text)

    def _address(self, entry: dict) -> str:
        """Return the address of an entry for this simulator: of an operation, the one that it gave out."""
        parts = urlsplit(entry["uri"])
        key = parts.path.rsplit("/", 1)[-1] + ("#result" if "esults/" in parts.path else "")
        if key in self.addresses:
            return self.addresses[key]
        path = parts.path.replace(NOBODY, self.azure.subscription_id, 1)
        return f"{self.azure.url}{path}?{parts.query}"

    def _reply(self, entry: dict) -> Reply:
        """Send an entry's request; a GET again and again until it says the recorded state, while time goes on."""
        text = json.dumps(entry.get("requestBody"))
        body = json.loads(text.replace(NOBODY, self.azure.subscription_id).replace("REDACTED", PASSWORD))
        left, step = PATIENCE, STEP
        self.azure.clock.step(BETWEEN)
        while True:
            reply = self.client.call(entry["method"], self._address(entry), body)
            if entry["method"] != "GET" or left <= 0 or caught_up(entry, reply.body):
                return reply
            self.azure.clock.step(step)
            left -= step
            step = min(10.0, step * 1.5)

    def _remember(self, entry: dict, reply: Reply) -> None:
        """Keep which address the simulator gave out for which recorded one."""
        for header in ("azure-asyncoperation", "location"):
            recorded, given = (entry.get("headers") or {}).get(header), reply.headers.get(header)
            if recorded and given:
                path = urlsplit(recorded).path
                self.addresses[path.rsplit("/", 1)[-1] + ("#result" if "esults/" in path else "")] = given


def caught_up(entry: dict, given: object) -> bool:
    """Whether a GET says what was recorded, or something that will not come back to that."""
    if "knownStates" in entry:
        return entry["knownStates"] == states(given) or "InProgress" in entry["knownStates"]
    recorded = entry.get("responseBody")
    late = '"targetDbServerMetadata"'
    if late in json.dumps(recorded) and late not in json.dumps(given):
        return False
    return states(recorded) == states(given) or "InProgress" in states(recorded)


def states(body: object) -> list[str]:
    """Return the states that a body speaks of."""
    found = []
    if isinstance(body, dict):
        for key, value in body.items():
            if key in ("state", "status", "provisioningState", "currentSubState") and isinstance(value, str):
                found.append(value)
            else:
                found += states(value)
    elif isinstance(body, list):
        for one in body[:1]:
            found += states(one)
    return found


# -- comparing --------------------------------------------------------------------------------------------------------


def compare(entry: dict, reply: Reply) -> Iterator[tuple[str, str]]:
    """Yield where and how a reply is not as recorded."""
    if reply.status != entry["status"]["code"]:
        yield "status", f"{reply.status} instead of {entry['status']['code']}: {json.dumps(reply.body)[:300]}"
        return
    recorded = entry.get("headers") or {}
    for name in HEADERS if "knownStates" not in entry else ():
        if name == "content-type" and not entry.get("responseBody"):
            continue
        if (name in recorded) != (name in reply.headers):
            yield f"header {name}", "missing" if name in recorded else "not recorded"
    for name in ("azure-asyncoperation", "location"):
        if name in recorded and name in reply.headers:
            yield from _addresses(name, recorded[name], reply.headers[name])
    if "knownStates" in entry:
        if entry["knownStates"] != states(reply.body):
            yield "/", f"states {states(reply.body)} instead of {entry['knownStates']}"
        return
    yield from shapes("", entry.get("responseBody"), reply.body)


def _addresses(name: str, recorded: str, given: str) -> Iterator[tuple[str, str]]:
    """Compare two addresses of operations: same places, same names of what is signed."""
    plain = [
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9+=]{60,}", "ID", urlsplit(one).path) for one in (recorded, given)
    ]
    if plain[0] != plain[1]:
        yield f"header {name}", f"{plain[1]} instead of {plain[0]}"
    keys = [[part.partition("=")[0] for part in urlsplit(one).query.split("&")] for one in (recorded, given)]
    if keys[0] != keys[1]:
        yield f"header {name}", f"query {keys[1]} instead of {keys[0]}"


def shapes(where: str, recorded: object, given: object) -> Iterator[tuple[str, str]]:
    """Yield where two bodies have not the same shape."""
    if recorded in (None, "") and given in (None, ""):
        return
    if type(recorded) is not type(given):
        yield where or "/", f"{kind(given)} instead of {kind(recorded)}"
    elif isinstance(recorded, dict):
        for key in sorted(set(recorded) | set(given)):
            place = f"{where}/{key}"
            if key not in given:
                yield place, f"missing, recorded as {json.dumps(recorded[key])[:80]}"
            elif key not in recorded:
                yield place, f"not recorded: {json.dumps(given[key])[:80]}"
            elif key in WORDS and isinstance(recorded[key], (str, int, bool)):
                if recorded[key] != given[key]:
                    yield place, f"{given[key]!r} instead of {recorded[key]!r}"
            else:
                yield from shapes(place, recorded[key], given[key])
    elif isinstance(recorded, list):
        if bool(recorded) != bool(given):
            yield where, f"{len(given)} entries instead of {len(recorded)}"
        for one, other in list(zip(recorded, given))[:3]:
            yield from shapes(f"{where}/0", one, other)


def kind(value: object) -> str:
    return "nothing" if value is None else type(value).__name__


# -- recordings of versions that are gone -----------------------------------------------------------------------------

#: Words of the private previews of 2020 and 2022, and today's.
OLD_WORDS = {
    "SourceDBServerResourceId": "sourceDbServerResourceId",
    "sourceDBServerResourceId": "sourceDbServerResourceId",
    "targetDBServerResourceId": "targetDbServerResourceId",
    "DBsToMigrate": "dbsToMigrate",
    "dBsToMigrate": "dbsToMigrate",
    "SetupLogicalReplicationOnSourceDBIfNeeded": "setupLogicalReplicationOnSourceDbIfNeeded",
    "OverwriteDBsInTarget": "overwriteDbsInTarget",
    "OverwriteDBsinTarget": "overwriteDbsInTarget",
    "MigrationMode": "migrationMode",
    "SecretParameters": "secretParameters",
    "AdminCredentials": "adminCredentials",
    "SourceServerPassword": "sourceServerPassword",
    "TargetServerPassword": "targetServerPassword",
}
#: What today's version has no place for.
GONE = {"AADApp", "MigrationResourceGroup", "TargetDBServerSubnetResourceId", "TriggerCutover"}
STANDS_FOR_IT = "2024-08-01"


def in_todays_words(entries: list[dict]) -> list[dict]:
    """Return the requests of an old recording as they would be sent today, and of the answers only status and states."""
    found = []
    for entry in entries:
        body = _today(entry.get("requestBody"))
        if isinstance(body, dict) and "properties" in body:
            body.setdefault("location", "westus2")
        uri = re.sub(r"api-version=[^&]*", f"api-version={STANDS_FOR_IT}", entry["uri"]).replace("level=Default&", "")
        answer = entry.get("responseBody")
        known = [state for state in states(answer) if state not in ("Full", "Default")]
        found.append(
            {**entry, "requestBody": body, "uri": uri, "responseBody": None, "headers": {}, "knownStates": known}
        )
    return found


def _today(value: object) -> object:
    if isinstance(value, dict):
        return {OLD_WORDS.get(key, key): _today(one) for key, one in value.items() if key not in GONE}
    if isinstance(value, list):
        return [_today(one) for one in value]
    if value in ("true", "false"):
        return value.title()
    return "/" + value if isinstance(value, str) and value.startswith("subscriptions/") else value
