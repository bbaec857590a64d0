# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to Azure, and how: options first, then the environment, then files, then the Azure CLI.

Words are azure.azcollection's; the names that Microsoft's SDK reads from the environment are understood as well.
Nothing is asked for here: this decides from what there is, and M(token_credential) makes the object that gets tokens.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from .._core.errors import InvalidRequest
from .clouds import CLOUDS, Cloud, find_cloud, trust
from .libraries import load

ENVIRONMENT = {
    "profile": ("AZURE_PROFILE",),
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "oidc_token": ("AZURE_FEDERATED_TOKEN",),
    "oidc_token_file_path": ("AZURE_FEDERATED_TOKEN_FILE",),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
    "auth_source": ("ANSIBLE_AZURE_AUTH_SOURCE",),
}
# Each of these, with client_id and tenant, makes a service principal.
PROOFS = ("secret", "x509_certificate_path", "oidc_token", "oidc_token_file_path")
DEFAULT_CLOUD = CLOUDS[0].name
CLI_SECONDS = 60

SERVICE_PRINCIPAL = "service principal"
MANAGED_IDENTITY = "managed identity"
CLI = "Azure CLI"


@dataclass(frozen=True)
class Credentials:
    """How to log in; I(source) says where that was found, in words."""

    kind: str
    source: str
    cloud: str = DEFAULT_CLOUD
    subscription_id: str | None = None
    client_id: str | None = None
    tenant: str | None = None
    secret: str | None = field(default=None, repr=False)
    x509_certificate_path: str | None = None
    certificate_password: str | None = field(default=None, repr=False)
    oidc_token: str | None = field(default=None, repr=False)
    oidc_token_file_path: str | None = None
    disable_instance_discovery: bool = False
    ca_certificates: str | None = None

    @property
    def secrets(self) -> list:
        """What must not be shown anywhere."""
        return [value for value in (self.secret, self.certificate_password, self.oidc_token) if value]

    def __str__(self) -> str:
        return f"{self.kind}{f' {self.client_id}' if self.client_id else ''} from {self.source}"

    def find_cloud(self) -> Cloud:
        """Return the cloud; one of the user's own is asked for its metadata."""
        return find_cloud(self.cloud, self.ca_certificates)

    def token_credential(self, cloud: Cloud):
        """Return the object of azure-identity that gets tokens in this way.

        :raises DependencyMissing: azure-identity is missing
        :raises InvalidRequest: the file of certificate or token cannot be used
        """
        identity = load("azure.identity")
        if self.kind == CLI:
            return identity.AzureCliCredential(tenant_id=self.tenant or "", process_timeout=CLI_SECONDS)
        if self.kind == MANAGED_IDENTITY:
            return identity.ManagedIdentityCredential(client_id=self.client_id)
        where = {
            "authority": cloud.authority,
            "disable_instance_discovery": self.disable_instance_discovery or cloud.own,
            **trust(self.ca_certificates),
        }
        if self.secret:
            return identity.ClientSecretCredential(self.tenant, self.client_id, self.secret, **where)
        if self.x509_certificate_path:
            return self.certificate(identity, where)
        return identity.ClientAssertionCredential(self.tenant, self.client_id, self.assertion, **where)

    def certificate(self, identity, where: dict):
        """Return the credential of a certificate.

        :raises InvalidRequest: when the file cannot be read, or holds no certificate with its private key
        """
        try:
            return identity.CertificateCredential(
                self.tenant,
                self.client_id,
                self.x509_certificate_path,
                password=self.certificate_password,
                **where,
            )
        except (OSError, ValueError, TypeError) as error:
            raise InvalidRequest(
                f"The certificate {self.x509_certificate_path} cannot be used: {type(error).__name__}.",
                "'x509_certificate_path' is a PEM file with the certificate and its private key; "
                "AZURE_CLIENT_CERTIFICATE_PASSWORD opens one that is encrypted.",
            ) from None

    def assertion(self) -> str:
        """Return the other identity provider's token; a file is read each time, since such tokens are short-lived.

        :raises InvalidRequest: when the file cannot be read
        """
        if self.oidc_token:
            return self.oidc_token
        try:
            with open(self.oidc_token_file_path, encoding="utf-8") as stream:
                return stream.read().strip()
        except (OSError, ValueError) as error:
            raise InvalidRequest(
                f"The token file {self.oidc_token_file_path} cannot be read: {error}.",
                "Correct 'oidc_token_file_path' or AZURE_FEDERATED_TOKEN_FILE.",
            ) from None


def find_credentials(parameters: Mapping, environment: Mapping | None = None) -> Credentials:
    """Decide how to log in.

    :param parameters: values of the options C(_module.arguments.AZURE); missing means not set
    :param environment: instead of the process's own
    :raises InvalidRequest: when what is given is not enough, contradicts itself, or names what is not there
    """
    given = {word: value for word, value in parameters.items() if value not in (None, "")}
    there = from_environment(os.environ if environment is None else environment)
    source = given.get("auth_source") or "auto"
    if source == "auto":
        source = str(there.get("auth_source") or "auto")
    common = {
        "cloud": chosen_cloud(given, there),
        "disable_instance_discovery": bool(given.get("disable_instance_discovery"))
        or truth(there.get("disable_instance_discovery")),
        "ca_certificates": existing_file("ca_certificates", given.get("ca_certificates")),
    }
    subscription = given.get("subscription_id") or there.get("subscription_id")
    if source == "cli":
        return Credentials(CLI, "its login", subscription_id=subscription, tenant=given.get("tenant"), **common)
    if source == "msi":
        identity = given.get("client_id") or there.get("client_id")
        return Credentials(MANAGED_IDENTITY, "this host", subscription_id=subscription, client_id=identity, **common)
    if source == "env":
        return principal(there, "the environment", common, required=True)
    if source == "credential_file":
        return from_file(given, there, common, required=True)
    return automatic(given, there, common, subscription)


def automatic(given: dict, there: dict, common: dict, subscription: str | None) -> Credentials:
    """Return the first that is there: options (the environment fills gaps), environment, file, Azure CLI."""
    if given.get("profile"):
        return from_file(given, there, common, required=True)
    own = any(word in given for word in ("client_id", *PROOFS))
    proofs = [word for word in PROOFS if word in given]
    if len(proofs) > 1:
        raise InvalidRequest(f"The login to Azure gives {' and '.join(proofs)}.", "Give one of them.")
    # A proof among the options goes before every proof of the environment.
    words = {**{word: value for word, value in there.items() if not (proofs and word in PROOFS)}, **given}
    found = principal(words, "options" if own else "the environment", common, required=own)
    return (
        found
        or from_file(given, there, common, required=False)
        or Credentials(CLI, "its login", subscription_id=subscription, tenant=given.get("tenant"), **common)
    )


def principal(words: Mapping, source: str, common: dict, required: bool) -> Credentials | None:
    """Return the service principal that I(words) describe; None when something is missing and it is not I(required).

    :raises InvalidRequest: naming what is missing
    """
    proofs = [word for word in PROOFS if words.get(word)]
    missing = [word for word in ("client_id", "tenant") if not words.get(word)] + ([] if proofs else ["secret"])
    if missing:
        if not required:
            return None
        names = ", ".join(f"'{word}' ({' or '.join(ENVIRONMENT[word])})" for word in missing)
        raise InvalidRequest(
            f"The login to Azure from {source} lacks {names}.",
            "A service principal needs client_id, tenant, and one of secret, x509_certificate_path, oidc_token, "
            "oidc_token_file_path; 'auth_source: cli' or 'msi' needs none of them.",
        )
    used = proofs[0]
    return Credentials(
        SERVICE_PRINCIPAL,
        source,
        subscription_id=words.get("subscription_id"),
        client_id=words["client_id"],
        tenant=words["tenant"],
        certificate_password=words.get("certificate_password") if used == "x509_certificate_path" else None,
        **{**common, used: existing_file(used, words[used]) if used == "x509_certificate_path" else words[used]},
    )


def from_file(given: dict, there: dict, common: dict, required: bool) -> Credentials | None:
    """Return the service principal of a profile in C(~/.azure/credentials).

    :raises InvalidRequest: when it is I(required) and file, profile or words in it are missing
    """
    path = os.path.join(os.path.expanduser("~"), ".azure", "credentials")
    profile = given.get("profile") or there.get("profile") or "default"
    content = configparser.ConfigParser(interpolation=None)
    try:
        content.read(path, encoding="utf-8")
    except (configparser.Error, OSError, ValueError) as error:
        # The parser quotes the line that it does not understand, which may hold a secret.
        raise InvalidRequest(f"{path} is not a credential file ({type(error).__name__}).", "Correct it.") from None
    if not content.has_section(profile):
        if not required and profile == "default":
            return None
        raise InvalidRequest(
            f"{path} has no profile {profile!r}; it has {', '.join(content.sections()) or 'none'}.",
            "Correct 'profile' or AZURE_PROFILE.",
        )
    words = {
        **content[profile],
        **({"subscription_id": given["subscription_id"]} if "subscription_id" in given else {}),
    }
    if words.get("cloud_environment") and common["cloud"] == DEFAULT_CLOUD:
        common = {**common, "cloud": words["cloud_environment"]}
    return principal(words, f"profile {profile} of {path}", common, required=True)


def from_environment(environment: Mapping) -> dict:
    """Return the words that the environment sets; azure.azcollection's name goes before the SDK's."""
    found = {}
    for word, names in ENVIRONMENT.items():
        value = next((environment[name] for name in names if environment.get(name)), None)
        if value:
            found[word] = value
    return found


def chosen_cloud(given: Mapping, there: Mapping) -> str:
    """Return the cloud's name or address; the option's default does not count as a choice."""
    asked = given.get("cloud_environment") or DEFAULT_CLOUD
    return there.get("cloud_environment", asked) if asked == DEFAULT_CLOUD else asked


def truth(text: str | None) -> bool:
    """Return what an environment variable says of yes or no."""
    return str(text or "").strip().lower() in ("1", "true", "yes", "on")


def existing_file(option: str, path: str | None) -> str | None:
    """Return the path when there is such a file, or None for none.

    :raises InvalidRequest: when there is no file
    """
    if not path:
        return None
    full = os.path.expanduser(path)
    if not os.path.isfile(full):
        raise InvalidRequest(
            f"'{option}' names the file {path}, which does not exist on this host.", "Correct the path."
        )
    return full
