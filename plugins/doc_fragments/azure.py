# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """How modules log in to Azure Resource Manager."""

    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - Where the credentials for Azure Resource Manager come from; used with O(provider=azure) only.
      - V(auto) takes the options below, then the environment, then O(profile) of the credential file, then the Azure CLI.
      - V(env) takes the environment only, V(credential_file) the file C(~/.azure/credentials) only, V(cli) the login of the
        Azure CLI, V(msi) the managed identity of the executing host.
    type: str
    choices: [auto, cli, credential_file, env, msi]
    default: auto
  profile:
    description: Section of C(~/.azure/credentials); C(AZURE_PROFILE), then C(default) if not set.
    type: str
  subscription_id:
    description:
      - Subscription of the target; taken from O(target_server_id) if not set. Another one is refused.
    type: str
  client_id:
    description:
      - Application id of the service principal, or client id of the managed identity; C(AZURE_CLIENT_ID) if not set.
    type: str
  secret:
    description: Secret of the service principal; C(AZURE_SECRET), then C(AZURE_CLIENT_SECRET) if not set.
    type: str
  tenant:
    description: Tenant of the service principal; C(AZURE_TENANT), then C(AZURE_TENANT_ID) if not set.
    type: str
  x509_certificate_path:
    description:
      - File with certificate and private key of the service principal, in PEM format, instead of O(secret).
      - C(AZURE_X509_CERTIFICATE_PATH), then C(AZURE_CLIENT_CERTIFICATE_PATH) if not set.
    type: path
  oidc_token:
    description: Token of another identity provider that the service principal trusts; C(AZURE_FEDERATED_TOKEN) if not set.
    type: str
  oidc_token_file_path:
    description: File with such a token, read whenever one is needed; C(AZURE_FEDERATED_TOKEN_FILE) if not set.
    type: path
  cloud_environment:
    description:
      - V(AzureCloud), V(AzureChinaCloud), V(AzureUSGovernment), or the address of a cloud's Resource Manager, which is asked
        for its metadata. C(AZURE_CLOUD_ENVIRONMENT) goes before the default.
    type: str
    default: AzureCloud
  disable_instance_discovery:
    description: Do not ask Microsoft whether the cloud's login endpoint is one of theirs; for clouds of one's own.
    type: bool
    default: false
  ca_certificates:
    description:
      - File with the certificates that are trusted to sign those of Azure's endpoints, for proxies that open TLS.
      - C(REQUESTS_CA_BUNDLE), then the usual ones if not set. C(HTTPS_PROXY) and C(NO_PROXY) count.
    type: path
"""
