# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ends of a migration: which server is meant, how to connect to it, what it looks like from outside."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from tests.azure_simulator.cloud import Cloud, Resource

SINGLE_SERVER = re.compile(r"/subscriptions/.+/providers/Microsoft\.DBforPostgreSQL/servers/[^/]+", re.IGNORECASE)
FLEXIBLE_SERVER = re.compile(
    r"/subscriptions/.+/providers/Microsoft\.DBforPostgreSQL/flexibleServers/[^/]+", re.IGNORECASE
)
HOST = re.compile(r"(?P<host>[^:@/]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})@(?P<user>.+)")
SSL_MODES = {"Prefer": "prefer", "Require": "require", "VerifyCA": "verify-ca", "VerifyFull": "verify-full"}


@dataclass
class Source:
    """Where the data come from; `resource` is a Single Server, or None. `words` are libpq's, without a database."""

    host: str
    port: int
    resource: Resource | None = None
    words: dict = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def valid_source(text: str | None) -> bool:
    """Whether a text can be a source: `host:port@user`, or the id of a Single Server."""
    return bool(SINGLE_SERVER.fullmatch(text or "") or HOST.fullmatch(text or ""))


def source_of(migration) -> Source:
    """Return the source of a migration, with its password as long as the migration has one."""
    cloud, sent, secrets = migration.cloud, migration.sent, migration.secrets
    text = sent["sourceDbServerResourceId"]
    password = (secrets.get("adminCredentials") or {}).get("sourceServerPassword")
    found = HOST.fullmatch(text)
    if found:
        host, port, user = found["host"].strip("[]"), int(found["port"]), found["user"]
        resource, cluster = None, cluster_at(cloud, host, port)
    else:
        resource = cloud.find(text)
        cluster = resource.behind if resource is not None else None
        host = cluster.host if cluster is not None else f"{text.rsplit('/', 1)[-1]}.postgres.database.azure.com"
        port = cluster.port if cluster is not None else 5432
        login = resource.properties["administratorLogin"] if resource is not None else ""
        user = secrets.get("sourceServerUsername") or login
        # A Single Server's users are written name@server.
        user = user.rsplit("@", 1)[0]
    if found and secrets.get("sourceServerUsername"):
        user = secrets["sourceServerUsername"]
    words = {"host": host, "port": port, "user": user, "password": password, "sslmode": SSL_MODES[sent["sslMode"]]}
    if cluster is not None and words["sslmode"].startswith("verify"):
        words["sslrootcert"] = str(cluster.certificate)
        words["host"] = cluster.host
    return Source(host, port, resource, words)


def target_words(migration) -> dict | None:
    """Return libpq's words for the target as the user that the migration names; None without a cluster behind it."""
    target, secrets = migration.target, migration.secrets
    if target.behind is None:
        return None
    user = secrets.get("targetServerUsername") or target.properties.get("administratorLogin")
    password = (secrets.get("adminCredentials") or {}).get("targetServerPassword")
    words = target.behind.connection(user, password)
    words.pop("dbname")
    return words


def cluster_at(cloud: Cloud, host: str, port: int):
    """Return the cluster that somebody put behind a resource, or named as a source, and that listens there; or None."""
    behind = [one.behind for one in cloud.resources.values() if one.behind is not None]
    for cluster in [*cloud.source_clusters, *behind]:
        if cluster.port == port and host in (cluster.host, "localhost", "127.0.0.1", "::1"):
            return cluster
    return None


def private(cloud: Cloud, source: Source) -> bool:
    """Whether a source is out of reach of the internet: said so, an address of a private range, or by its resource."""
    if source.address.lower() in cloud.private_sources:
        return True
    if source.resource is not None:
        return source.resource.properties.get("publicNetworkAccess") == "Disabled"
    try:
        address = ipaddress.ip_address(source.host)
    except ValueError:
        return False
    return address.is_private and not address.is_loopback
