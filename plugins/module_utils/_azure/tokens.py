# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens for Resource Manager, with a login's failure told as one of our own errors."""

from __future__ import annotations

from .._core.redaction import redact
from .clouds import Cloud
from .credentials import Credentials
from .errors import LoginFailed, Unreachable
from .libraries import load


class Tokens:
    """A credential as azure-core takes it, around one of azure-identity."""

    def __init__(self, credentials: Credentials, cloud: Cloud):
        self.credentials = credentials
        self.authority = cloud.authority
        self.credential = credentials.token_credential(cloud)

    def get_token(self, *scopes, **words):
        """Return a token for the scopes."""
        return self.told(lambda: self.credential.get_token(*scopes, **words))

    def get_token_info(self, *scopes, **words):
        """Return a token for the scopes, in the form of newer versions of azure-core."""
        return self.told(lambda: self.credential.get_token_info(*scopes, **words))

    def close(self) -> None:
        """Close what azure-identity keeps open."""
        self.credential.close()

    def told(self, fetch):
        """Return what I(fetch()) returns.

        :raises LoginFailed: when the login is refused, or there is nobody to log in
        :raises Unreachable: when the login endpoint does not answer
        """
        core = load("azure.core.exceptions")
        try:
            return fetch()
        except (core.ServiceRequestError, core.ServiceResponseError) as error:
            problem = Unreachable(
                f"{self.authority}, which gives tokens for Azure, does not answer: {self.words(error)}",
                "Check name resolution, the proxy (HTTPS_PROXY, NO_PROXY), and 'ca_certificates'.",
            )
            problem.reached = False
            raise problem from None
        except (core.AzureError, ValueError) as error:
            raise LoginFailed(
                f"The login to Azure as {self.credentials} failed: {self.words(error)}",
                "Check tenant, client id and what proves it, or run 'az login'; 'auth_source' says where it comes from.",
            ) from None

    def words(self, error: Exception) -> str:
        """Return what the error says, in one line and without secrets."""
        return redact(" ".join(str(error).split()), self.credentials.secrets)
