# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is let in, and how clients learn where to ask."""

from __future__ import annotations

import base64
import json

from tests.azure_simulator.client import Client


def assertion(**claims) -> str:
    parts = [{"alg": "RS256"}, claims, {"signature": True}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


def test_a_secret_gives_a_token_that_is_accepted(azure, client):
    found = client.log_in()
    assert found.status == 200 and found.body["token_type"] == "Bearer"
    client.token = found.body["access_token"]
    assert (
        client.get("/subscriptions", version="2022-12-01").body["value"][0]["subscriptionId"] == azure.subscription_id
    )


def test_a_wrong_secret_is_refused_in_the_authoritys_words(client):
    found = client.log_in(client_secret="wrong")
    assert found.status == 401 and found.body["error"] == "invalid_client"
    assert found.body["error_codes"] == [7000215]


def test_a_certificates_assertion_and_a_federated_token_are_accepted(azure, client):
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    for text in (assertion(iss=azure.client_id, sub=azure.client_id), azure.federated_token):
        found = client.log_in(client_secret=None, client_assertion=text, client_assertion_type=kind)
        assert found.status == 200, found.body
    found = client.log_in(client_secret=None, client_assertion=assertion(iss="somebody"), client_assertion_type=kind)
    assert found.status == 401


def test_without_a_token_nothing_is_said(azure, client, target):
    found = client.raw("GET", target + "?api-version=2025-08-01")
    assert (found.status, found.code) == (401, "AuthenticationFailed")
    assert "authorization_uri" in found.headers["www-authenticate"]


def test_a_token_expires(azure, client, target):
    azure.cloud.token_lifetime = 3599
    assert client.get(target).status == 200
    azure.clock.step(3600)
    assert client.get(target).code == "InvalidAuthenticationToken"


def test_the_machines_identity_needs_the_metadata_header(azure):
    client = Client(azure)
    address = (
        azure.managed_identity_environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"] + "/metadata/identity/oauth2/token"
    )
    query = f"?api-version=2018-02-01&resource={azure.url}"
    assert client.raw("GET", address + query).status == 400
    found = client.raw("GET", address + query, headers={"Metadata": "true"})
    assert found.status == 200
    client.token = found.body["access_token"]
    assert client.get("/subscriptions", version="2022-12-01").status == 200


def test_the_cloud_describes_itself_in_one_object(azure, client):
    found = client.raw("GET", "/metadata/endpoints?api-version=2022-09-01").body
    assert isinstance(found, dict)
    assert found["authentication"]["loginEndpoint"] == azure.url + "/"
    configuration = client.raw("GET", f"/{azure.tenant_id}/v2.0/.well-known/openid-configuration").body
    assert configuration["token_endpoint"] == f"{azure.url}/{azure.tenant_id}/oauth2/v2.0/token"


def test_a_version_must_be_given_and_known(azure, client, target):
    azure.mistakes = True
    assert client.get(target, version=None).code == "MissingApiVersionParameter"
    assert client.get(target, version="2019-01-01").code == "NoRegisteredProviderFound"
    assert client.get(target, version="tomorrow").code == "InvalidApiVersionParameter"


def test_a_provider_that_is_not_registered_is_registered_on_demand(azure, client, target):
    azure.unregister()
    assert (client.get(target).status, client.get(target).code) == (409, "MissingSubscriptionRegistration")
    path = f"/subscriptions/{azure.subscription_id}/providers/Microsoft.DBforPostgreSQL"
    assert client.call("POST", path + "/register", version="2016-02-01").body["registrationState"] == "Registering"
    assert client.get(target).status == 409
    azure.clock.step(60)
    assert client.get(path, version="2016-02-01").body["registrationState"] == "Registered"
    assert client.get(target).status == 200


def test_resource_groups_answer_as_recorded(azure, client):
    base = f"/subscriptions/{azure.subscription_id}/resourceGroups/"
    assert client.call("HEAD", base + "rg", version="2024-11-01").status == 204
    assert client.call("HEAD", base + "none", version="2024-11-01").status == 404
    assert client.get(base + "none", version="2024-11-01").code == "ResourceGroupNotFound"
    assert client.get(base + "RG", version="2024-11-01").body["location"] == "eastus"


def test_tags_of_any_resource_can_be_merged_and_replaced(azure, client, target):
    path = target + "/providers/Microsoft.Resources/tags/default"
    version = "2021-04-01"
    client.call("PUT", path, {"properties": {"tags": {"a": "1"}}}, version=version)
    merged = client.call("PATCH", path, {"operation": "Merge", "properties": {"tags": {"b": "2"}}}, version=version)
    assert merged.body["properties"]["tags"] == {"a": "1", "b": "2"}
    assert azure.resource(target)["tags"] == {"a": "1", "b": "2"}
