# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way to log in to Azure against the simulator's authority, and what is said when it fails."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import errors
from ansible_collections.azpg.migrate.plugins.module_utils._azure.client import Azure
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

VARIABLES = (
    "AZURE_", "ANSIBLE_AZURE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "MSI_", "IDENTITY_", "IMDS_",
)  # fmt: skip


@pytest.fixture
def clean(monkeypatch, tmp_path, azure):
    """An environment in which nobody has logged in, and a home directory of one's own."""
    for name in list(os.environ):
        if name.upper().startswith(VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    azure.add_resource_group("rg")
    return azure.add_flexible_server("shop", "rg")


def cloud(azure) -> dict:
    return {"cloud_environment": azure.url, "ca_certificates": str(azure.certificate)}


def principal(azure, **words) -> dict:
    return {**cloud(azure), "client_id": azure.client_id, "tenant": azure.tenant_id, **words}


def works(server: str, parameters: dict) -> None:
    session = Azure.login({"auth_source": "auto", **parameters})
    try:
        assert session.get(server)["name"] == "shop"
    finally:
        session.close()


def use(monkeypatch, variables: dict, *left_out: str) -> None:
    for name, value in variables.items():
        if name not in left_out:
            monkeypatch.setenv(name, value)


def test_a_secret_among_the_options(azure, clean):
    works(clean, principal(azure, secret=azure.client_secret))


@pytest.mark.parametrize("other", [("AZURE_SECRET", "AZURE_TENANT"), ("AZURE_CLIENT_SECRET", "AZURE_TENANT_ID")])
def test_the_environment_in_either_vocabulary(azure, clean, monkeypatch, other):
    use(monkeypatch, azure.environment, *other)
    works(clean, {})


def test_a_federated_token(azure, clean, monkeypatch, tmp_path):
    works(clean, principal(azure, oidc_token=azure.federated_token))
    path = tmp_path / "token"
    path.write_text(azure.federated_token, encoding="utf-8")
    works(clean, principal(azure, oidc_token_file_path=str(path)))
    # Workload identity, as Kubernetes sets it.
    use(monkeypatch, azure.environment, "AZURE_SECRET", "AZURE_CLIENT_SECRET")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    works(clean, {})


def test_a_certificate(azure, clean, tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "principal.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    works(clean, principal(azure, x509_certificate_path=str(path)))


def test_a_profile_of_the_credential_file(azure, clean, tmp_path):
    (tmp_path / ".azure").mkdir()
    (tmp_path / ".azure" / "credentials").write_text(
        f"[shop]\nclient_id={azure.client_id}\ntenant={azure.tenant_id}\nsecret={azure.client_secret}\n"
        f"cloud_environment={azure.url}\n",
        encoding="utf-8",
    )
    works(clean, {"profile": "shop", "ca_certificates": str(azure.certificate)})


def test_a_managed_identity(azure, clean, monkeypatch):
    use(monkeypatch, azure.managed_identity_environment)
    works(clean, {"auth_source": "msi"})


def test_the_login_of_the_azure_cli(azure, clean, monkeypatch, tmp_path):
    session = Azure.login(principal(azure, secret=azure.client_secret))
    token = session.pipelines.credential.get_token(session.pipelines.cloud.scope).token
    program = tmp_path / "bin" / "az"
    program.parent.mkdir()
    answer = {"accessToken": token, "expiresOn": "2199-01-01 00:00:00.000000", "tokenType": "Bearer"}
    program.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(answer))})\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    works(clean, cloud(azure))
    works(clean, {"auth_source": "cli", **cloud(azure)})


def test_without_any_login_the_way_out_is_said(azure, clean, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(errors.LoginFailed, match="as Azure CLI from its login failed.*run 'az login'"):
        works(clean, cloud(azure))


def test_a_wrong_secret_is_told_and_not_shown(azure, clean):
    with pytest.raises(errors.LoginFailed, match="AADSTS7000215") as caught:
        works(clean, principal(azure, secret="wrong-s3cret"))
    assert "wrong-s3cret" not in str(caught.value) + repr(caught.value.as_dict())
    assert azure.client_id in caught.value.msg


def test_an_authority_that_nobody_trusts_here_is_told_from_an_endpoint_that_is_silent(azure, clean, monkeypatch):
    words = principal(azure, secret=azure.client_secret)
    with pytest.raises(errors.Untrusted, match="CERTIFICATE_VERIFY_FAILED"):
        works(clean, {**words, "ca_certificates": None})
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.certificate))
    works(clean, {**words, "ca_certificates": None})
    with pytest.raises(errors.Unreachable, match="does not answer as Resource Manager"):
        works(clean, {**words, "cloud_environment": "https://localhost:1"})


def test_a_cloud_of_ones_own_that_is_throttled_or_out_of_order_is_asked_again(azure, clean):
    words = principal(azure, secret=azure.client_secret)
    throttled = azure.trouble.add("throttled", path="metadata/endpoints", times=2, retry_after="0.05")
    unavailable = azure.trouble.add("unavailable", path="metadata/endpoints", retry_after="0.05")
    lost = azure.trouble.add("lost_before", path="metadata/endpoints")
    works(clean, words)
    assert (throttled.hits, unavailable.hits, lost.hits) == (2, 1, 1)
    azure.trouble.add("refused", path="metadata/endpoints", status=404, code="NotFound", message="no such path")
    with pytest.raises(errors.NotFound, match="does not answer as Resource Manager: HTTP status 404, no such path"):
        works(clean, words)


def test_a_login_that_is_throttled_is_repeated(azure, clean):
    throttled = azure.trouble.add("throttled", path="oauth2/v2.0/token", times=2, retry_after="0.05")
    works(clean, principal(azure, secret=azure.client_secret))
    assert throttled.hits == 2


def test_a_proxy_is_used_and_exceptions_from_it(azure, clean, monkeypatch):
    words = principal(azure, secret=azure.client_secret)
    monkeypatch.setenv("HTTPS_PROXY", "http://localhost:1")
    with pytest.raises(errors.Unreachable, match="[Pp]roxy"):
        works(clean, words)
    monkeypatch.setenv("NO_PROXY", "localhost")
    works(clean, words)


def test_a_provider_that_is_not_registered_is_not_registered_behind_ones_back(azure, clean):
    azure.unregister("Microsoft.DBforPostgreSQL")
    with pytest.raises(errors.NotRegistered, match="az provider register --namespace Microsoft.DBforPostgreSQL"):
        works(clean, principal(azure, secret=azure.client_secret))
    assert azure.calls("POST", "register") == []


def test_a_token_that_runs_out_is_fetched_anew(azure, clean):
    azure.cloud.token_lifetime = 1
    session = Azure.login(principal(azure, secret=azure.client_secret))
    for _look in range(2):
        assert session.get(clean)
        time.sleep(1.1)
    session.close()
    assert len(azure.calls("POST", "oauth2")) == 2


def test_a_token_that_azure_does_not_take_is_a_failed_login(azure, clean):
    session = Azure.login(principal(azure, secret=azure.client_secret))
    assert session.get(clean)
    with azure.cloud.lock:
        azure.cloud.tokens.clear()
    with pytest.raises(errors.LoginFailed, match="HTTP status 401"):
        session.get(clean)
    session.close()


def test_the_session_names_itself_and_sends_its_token_to_nobody_else(azure, clean):
    session = Azure.login(principal(azure, secret=azure.client_secret))
    session.get(clean)
    assert azure.exchanges[-1].request_headers.get("user-agent", "").startswith("azpg.migrate/")
    with pytest.raises(errors.AzureError, match="Nothing was sent there"):
        session.request_address("GET", "https://elsewhere.example/poll")
    session.close()
