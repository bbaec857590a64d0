# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clouds: where Resource Manager is, who gives tokens for it, and for which audience."""

from __future__ import annotations

from dataclasses import dataclass

from .._core.errors import InvalidRequest
from .errors import AzureError, Unreachable, Untrusted, classify, parse, problem_of
from .libraries import load
from .retrying import Patience, hinted_pause

METADATA_VERSION = "2022-09-01"


@dataclass(frozen=True)
class Cloud:
    """One cloud; I(own) says that it is none of Microsoft's public ones."""

    name: str
    resource_manager: str
    authority: str
    audience: str
    own: bool = False

    @property
    def scope(self) -> str:
        """What a token for Resource Manager is asked for."""
        return f"{self.audience.rstrip('/')}/.default"


CLOUDS = (
    Cloud(
        "AzureCloud",
        "https://management.azure.com",
        "https://login.microsoftonline.com",
        "https://management.azure.com",
    ),
    Cloud(
        "AzureChinaCloud",
        "https://management.chinacloudapi.cn",
        "https://login.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
    ),
    Cloud(
        "AzureUSGovernment",
        "https://management.usgovcloudapi.net",
        "https://login.microsoftonline.us",
        "https://management.core.usgovcloudapi.net",
    ),
)


def find_cloud(words: str, ca_certificates: str | None = None) -> Cloud:
    """Return the cloud that I(words) name, or whose Resource Manager has this address; that one is asked.

    :raises InvalidRequest: when it is neither a known name nor an address that answers as Resource Manager does
    """
    for cloud in CLOUDS:
        if words.lower() in (cloud.name.lower(), cloud.resource_manager):
            return cloud
    if not words.lower().startswith("https://"):
        raise InvalidRequest(
            f"'cloud_environment' is {words!r}.",
            f"Use {', '.join(cloud.name for cloud in CLOUDS)}, or the https:// address of the cloud's Resource Manager.",
        )
    return from_metadata(words.rstrip("/"), ask(words.rstrip("/"), ca_certificates))


def ask(address: str, ca_certificates: str | None, patience: Patience | None = None):
    """Return the JSON that a Resource Manager says of itself; it asks for no login.

    :raises AzureError: when no answer comes, or another one
    """
    exceptions, rest = load("azure.core.exceptions"), load("azure.core.rest")

    def attempt():
        request = rest.HttpRequest("GET", f"{address}/metadata/endpoints", params={"api-version": METADATA_VERSION})
        try:
            answer = client.send_request(request)
            if answer.status_code < 400:
                return answer.json()
        except (exceptions.AzureError, ValueError) as error:
            kind = Untrusted if "CERTIFICATE_VERIFY_FAILED" in str(error) else Unreachable
            problem = silent(kind, address, " ".join(str(error).split()))
            problem.reached = False
            raise problem from error
        said = problem_of(parse(answer.text()))
        problem = silent(
            classify(answer.status_code, said["code"], said["message"])[0],
            address,
            ", ".join(filter(None, (f"HTTP status {answer.status_code}", said["message"]))),
        )
        problem.pause = hinted_pause(answer.headers)
        raise problem

    with load("azure.core").PipelineClient(address, **trust(ca_certificates)) as client:
        return (patience or Patience()).run(attempt)


def silent(kind: type, address: str, words: str) -> AzureError:
    """Return the error for an address that does not answer as Resource Manager does."""
    return kind(
        f"'cloud_environment' names {address}, which does not answer as Resource Manager: {words}",
        "Check the address, the proxy (HTTPS_PROXY, NO_PROXY) and 'ca_certificates'.",
    )


def from_metadata(address: str, metadata) -> Cloud:
    """Return the cloud from what its Resource Manager says of itself, in the newer or in the older form.

    :raises InvalidRequest: when something is missing there
    """
    entries = metadata if isinstance(metadata, list) else [metadata]
    matching = [
        entry
        for entry in entries
        if str(entry.get("resourceManager") or address).rstrip("/").lower() == address.lower()
    ]
    try:
        entry = matching[0]
        login = entry["authentication"]
        authority, audience = login["loginEndpoint"], login["audiences"][0]
    except (IndexError, KeyError, TypeError) as error:
        raise InvalidRequest(
            f"The metadata of {address} names no login endpoint and audience for this address.",
            "Give the address of the cloud's Resource Manager as its administrator publishes it.",
        ) from error
    return Cloud(str(entry.get("name") or address), address, str(authority).rstrip("/"), str(audience), own=True)


def trust(ca_certificates: str | None) -> dict:
    """Return the keyword arguments that make a pipeline of azure-core trust these certificates."""
    return {"connection_verify": ca_certificates} if ca_certificates else {}
