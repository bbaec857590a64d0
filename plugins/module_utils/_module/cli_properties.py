# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a properties file of the Azure CLI says, for inventories and for modules of either provider."""

from __future__ import annotations

from .._azure.migrations.properties_file import Reader
from .._azure.migrations.words import pick
from .._core.errors import InvalidRequest

# The options that are the same whoever carries the data.
COMMON = ("source", "target", "databases", "source_type", "source_server_id", "runtime_server_id")


def options_of(content, target_host: str | None = None) -> tuple:
    """Return C((options, warnings)) of a file's parsed content.

    :param target_host: the target's name, which the CLI is told apart from the file
    :raises InvalidRequest: when something is missing, or is not what the CLI takes
    """
    properties = pick(content, "properties") if isinstance(content, dict) else None
    if not isinstance(properties, dict):
        raise InvalidRequest(
            f"A properties file is one object with the key 'properties', not {type(content).__name__}.",
            "Hand over the parsed file: lookup('ansible.builtin.file', path) | from_json.",
        )
    found = Reader("given to cli_properties").read(content, properties)
    options = found.options
    target = options.setdefault("target", {})
    target["host"] = options.get("target_server_fqdn") or target_host
    if not target["host"]:
        raise InvalidRequest(
            "The properties file does not say where the target is.",
            "Name it: cli_properties(target_host='name.postgres.database.azure.com').",
        )
    source = options.setdefault("source", {})
    if "host" not in source and options.get("source_server_id"):
        name = str(options["source_server_id"]).rstrip("/").rpartition("/")[2]
        source["host"] = options.get("source_server_fqdn") or f"{name}.postgres.database.azure.com"
    # The CLI has one word for both sides.
    if source.get("sslmode"):
        target["sslmode"] = source["sslmode"]
    return {word: options[word] for word in COMMON if options.get(word)}, found.warnings
