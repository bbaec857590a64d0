# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who: tokens for a service principal and for a managed identity, and the addresses where clients ask."""

from __future__ import annotations

import base64
import json

from tests.azure_simulator import wire
from tests.azure_simulator.cloud import Cloud
from tests.azure_simulator.routing import Routes
from tests.azure_simulator.wire import Answer, Request

ROUTES = Routes()


def _part(value: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def issue(cloud: Cloud, audience: str) -> str:
    """Return a new access token; it looks like a JSON Web Token, unsigned."""
    now = cloud.clock.now()
    claims = {
        "aud": audience,
        "iss": f"{cloud.url}/{cloud.tenant_id}/",
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now + cloud.token_lifetime),
        "appid": cloud.client_id,
        "oid": cloud.client_id,
        "tid": cloud.tenant_id,
        "idtyp": "app",
        "jti": wire.new_guid(),
    }
    token = f"{_part({'typ': 'JWT', 'alg': 'RS256'})}.{_part(claims)}.{_part({'signature': wire.new_guid()})}"
    cloud.tokens[token] = now + cloud.token_lifetime
    return token


def _refused(code: str, text: str, status: int = 401) -> Answer:
    """Return an error of the authority; it has a form of its own."""
    body = {
        "error": code,
        "error_description": f"{text} Trace ID: {wire.new_guid()}",
        "error_codes": [int(text[6:].split(":")[0])] if text.startswith("AADSTS") else [],
        "correlation_id": wire.new_guid(),
    }
    return Answer(status, body, {"Cache-Control": "no-store"})


def _token(cloud: Cloud, request: Request, tenant: str) -> Answer:
    form = request.form
    if tenant.lower() != cloud.tenant_id:
        return _refused("invalid_request", f"AADSTS90002: Tenant '{tenant}' not found.", 400)
    if form.get("grant_type") != "client_credentials":
        text = f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type')}'."
        return _refused("unsupported_grant_type", text, 400)
    if form.get("client_id", "").lower() != cloud.client_id:
        text = f"AADSTS700016: Application with identifier '{form.get('client_id')}' was not found in the directory."
        return _refused("unauthorized_client", text, 400)
    assertion = form.get("client_assertion")
    if assertion is not None:
        # A certificate's assertion is a signed token with three parts; a federated one is what the test was given.
        claims = _claims(assertion)
        if assertion != cloud.federated_token and claims.get("iss") != cloud.client_id:
            return _refused("invalid_client", "AADSTS700027: Client assertion failed signature validation.")
    elif form.get("client_secret") != cloud.client_secret:
        text = f"AADSTS7000215: Invalid client secret provided for app '{cloud.client_id}'."
        return _refused("invalid_client", text)
    audience = form.get("scope") or form.get("resource") or ""
    audience = audience.removesuffix("/.default").removesuffix(".default").rstrip("/") or cloud.url
    life = cloud.token_lifetime
    body = {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": issue(cloud, audience)}
    return Answer(200, body, {"Cache-Control": "no-store"})


def _claims(assertion: str) -> dict:
    try:
        middle = assertion.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, IndexError):
        return {}


@ROUTES.on("POST", "/{tenant}/oauth2/v2.0/token")
def token(cloud: Cloud, request: Request, tenant: str) -> Answer:
    return _token(cloud, request, tenant)


@ROUTES.on("POST", "/{tenant}/oauth2/token")
def token_of_version_1(cloud: Cloud, request: Request, tenant: str) -> Answer:
    return _token(cloud, request, tenant)


@ROUTES.on("GET", "/{tenant}/v2.0/.well-known/openid-configuration")
def configuration(cloud: Cloud, request: Request, tenant: str) -> Answer:
    base = f"{cloud.url}/{tenant}"
    body = {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "tenant_region_scope": None,
        "cloud_instance_name": "localhost",
    }
    return Answer(200, body)


@ROUTES.on("GET", "/common/discovery/instance")
def instances(cloud: Cloud, request: Request) -> Answer:
    """Tell clients that this authority may be trusted."""
    host = cloud.url.removeprefix("https://")
    metadata = [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}]
    tenant = f"{cloud.url}/{cloud.tenant_id}/.well-known/openid-configuration"
    return Answer(200, {"tenant_discovery_endpoint": tenant, "api-version": "1.1", "metadata": metadata})


@ROUTES.on("GET", "/metadata/endpoints")
def endpoints(cloud: Cloud, request: Request) -> Answer:
    """Describe this cloud; one object for new versions, as the az program wants it."""
    body = {
        "name": "AzureSimulator",
        "portal": cloud.url,
        "authentication": {
            "loginEndpoint": cloud.url + "/",
            "audiences": [cloud.url, cloud.url + "/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": cloud.url + "/",
        "graph": cloud.url + "/",
        "graphAudience": cloud.url + "/",
        "microsoftGraphResourceId": cloud.url + "/",
        "media": cloud.url,
        "batch": cloud.url + "/",
        "sqlManagement": cloud.url + "/",
        "gallery": cloud.url + "/",
        "suffixes": {
            "postgresqlServerEndpoint": ".postgres.database.azure.com",
            "storage": "storage.invalid",
            "keyVaultDns": "vault.invalid",
        },
    }
    if (request.api_version or "") < "2018":
        # The form of 2015: other names, and no name of the cloud.
        names = {"galleryEndpoint": "gallery", "graphEndpoint": "graph", "portalEndpoint": "portal"}
        old = {name: body[key] for name, key in names.items()}
        return Answer(200, {**old, "authentication": {**body["authentication"]}})
    return Answer(200, body)


@ROUTES.on("GET", "/metadata/identity/oauth2/token")
def managed_identity(cloud: Cloud, request: Request) -> Answer:
    """Give the token of the machine's own identity, to those who ask in the right way."""
    if request.headers.get("metadata", "").lower() != "true":
        return Answer(400, {"error": "bad_request_102", "error_description": "Required metadata header not specified"})
    wanted = request.query.get("client_id")
    if wanted and wanted.lower() != cloud.client_id:
        return Answer(400, {"error": "invalid_request", "error_description": "Identity not found"})
    audience = request.query.get("resource", cloud.url)
    now = int(cloud.clock.now())
    body = {
        "access_token": issue(cloud, audience),
        "client_id": cloud.client_id,
        "expires_in": str(cloud.token_lifetime),
        "expires_on": str(now + cloud.token_lifetime),
        "ext_expires_in": str(cloud.token_lifetime),
        "not_before": str(now),
        "resource": audience,
        "token_type": "Bearer",
    }
    return Answer(200, body)


@ROUTES.on("GET", "/metadata/instance")
def instance(cloud: Cloud, request: Request) -> Answer:
    """Say that there is a metadata endpoint; some clients look before they ask for a token."""
    return Answer(200, {"compute": {"subscriptionId": cloud.subscription_id, "azEnvironment": "AzureSimulator"}})
