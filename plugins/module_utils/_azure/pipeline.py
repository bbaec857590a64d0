# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way of every request: one list of policies of azure-core for PostgreSQL, networks and DNS.

Two things that Microsoft's own list does are left out on purpose: it registers resource providers in the subscription
without asking, and it repeats requests by rules of its own; M(retrying) does that here, for all requests alike.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from .._core.version import VERSION
from .clouds import Cloud, trust
from .errors import AzureError
from .libraries import load, postgresql_client, single_server_client

POSTGRESQL_VERSION = "2025-08-01"
CONNECT_SECONDS = 30
READ_SECONDS = 120


def check_host(address: str, cloud: Cloud) -> None:
    """Make sure that a request, which carries a token, goes to Resource Manager and to nobody else.

    :raises AzureError: when an answer of Azure sends us somewhere else
    """
    found, wanted = urlsplit(address), urlsplit(cloud.resource_manager)
    if (found.scheme.lower(), found.netloc.lower()) != (wanted.scheme.lower(), wanted.netloc.lower()):
        raise AzureError(
            f"An answer leads to {found.scheme}://{found.netloc}, which is not the Resource Manager {wanted.netloc}.",
            "Nothing was sent there. Check 'cloud_environment' and the proxy on the way.",
        )


def policies_for(credential, cloud: Cloud) -> list:
    """Return the policies of azure-core through which every request goes."""
    core, arm = load("azure.core.pipeline.policies"), load("azure.mgmt.core.policies")

    class OwnHost(core.SansIOHTTPPolicy):
        """Keeps requests from leaving for another host."""

        def on_request(self, request):
            """Look before the token is added."""
            check_host(request.http_request.url, cloud)

    return [
        core.RequestIdPolicy(),
        core.HeadersPolicy(),
        core.UserAgentPolicy(f"azpg.migrate/{VERSION}"),
        core.ProxyPolicy(),
        core.ContentDecodePolicy(),
        OwnHost(),
        arm.ARMChallengeAuthenticationPolicy(credential, cloud.scope),
        core.CustomHookPolicy(),
    ]


def transport_words(ca_certificates: str | None) -> dict:
    """Return the keyword arguments of a client for its transport."""
    return {"connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS, **trust(ca_certificates)}


class Pipelines:
    """The clients, made when they are needed: one for everything, and one of the SDK per subscription."""

    def __init__(self, credential, cloud: Cloud, ca_certificates: str | None = None):
        self.cloud = cloud
        self.credential = credential
        self.ca_certificates = ca_certificates
        self._general = None
        self._postgresql: dict = {}
        self._single: dict = {}

    @property
    def general(self):
        """A pipeline client of azure-mgmt-core."""
        if self._general is None:
            self._general = load("azure.mgmt.core").ARMPipelineClient(
                base_url=self.cloud.resource_manager,
                policies=policies_for(self.credential, self.cloud),
                **transport_words(self.ca_certificates),
            )
        return self._general

    def postgresql(self, subscription_id: str):
        """Return the client of azure-mgmt-postgresqlflexibleservers for a subscription."""
        if subscription_id not in self._postgresql:
            self._postgresql[subscription_id] = postgresql_client()(
                self.credential,
                subscription_id,
                base_url=self.cloud.resource_manager,
                api_version=POSTGRESQL_VERSION,
                policies=policies_for(self.credential, self.cloud),
                **transport_words(self.ca_certificates),
            )
        return self._postgresql[subscription_id]

    def single_servers(self, subscription_id: str):
        """Return the client of azure-mgmt-rdbms for a subscription; None where that library is not installed."""
        client = single_server_client()
        if client is not None and subscription_id not in self._single:
            self._single[subscription_id] = client(
                self.credential,
                subscription_id,
                base_url=self.cloud.resource_manager,
                policies=policies_for(self.credential, self.cloud),
                **transport_words(self.ca_certificates),
            )
        return self._single.get(subscription_id)

    def close(self) -> None:
        """Close every connection."""
        for client in (self._general, *self._postgresql.values(), *self._single.values(), self.credential):
            if client is not None:
                client.close()
