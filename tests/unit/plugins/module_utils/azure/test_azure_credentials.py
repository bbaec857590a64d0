# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who logs in to Azure, and how: which of all that is there counts, and that nothing secret is shown."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import clouds, credentials
from ansible_collections.azpg.migrate.plugins.module_utils._azure.credentials import find_credentials
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import InvalidRequest

SECRET = "s3cret-of-the-principal"
TOKEN = "eyJ.a-federated.token"
OPTIONS = {"client_id": "c", "tenant": "t"}
ENVIRONMENT = {"AZURE_CLIENT_ID": "ec", "AZURE_TENANT": "et"}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home directory of one's own."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def profile(home, text: str) -> None:
    (home / ".azure").mkdir()
    (home / ".azure" / "credentials").write_text(text, encoding="utf-8")


def found(given: dict | None = None, environment: dict | None = None):
    return find_credentials(
        {"auth_source": "auto", "cloud_environment": "AzureCloud", **(given or {})}, environment or {}
    )


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ({**OPTIONS, "secret": SECRET}, {}, ("c", "t", SECRET)),
        (OPTIONS, {"AZURE_SECRET": SECRET}, ("c", "t", SECRET)),
        (OPTIONS, {"AZURE_CLIENT_SECRET": SECRET}, ("c", "t", SECRET)),
        ({}, {**ENVIRONMENT, "AZURE_SECRET": SECRET, "AZURE_CLIENT_SECRET": "other"}, ("ec", "et", SECRET)),
        ({}, {"AZURE_CLIENT_ID": "ec", "AZURE_TENANT_ID": "et", "AZURE_CLIENT_SECRET": SECRET}, ("ec", "et", SECRET)),
        ({"tenant": "t"}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}, ("ec", "t", SECRET)),
        ({"auth_source": "env", **OPTIONS}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}, ("ec", "et", SECRET)),
        ({}, {**ENVIRONMENT, "AZURE_SECRET": SECRET, "ANSIBLE_AZURE_AUTH_SOURCE": "env"}, ("ec", "et", SECRET)),
    ],
)
def test_a_service_principal_with_a_secret(given, environment, expected):
    who = found(given, environment)
    assert (who.kind, who.client_id, who.tenant, who.secret) == (credentials.SERVICE_PRINCIPAL, *expected)


@pytest.mark.parametrize(
    ("given", "environment", "word", "value"),
    [
        ({**OPTIONS, "oidc_token": TOKEN}, {}, "oidc_token", TOKEN),
        ({**OPTIONS, "oidc_token_file_path": "/t"}, {}, "oidc_token_file_path", "/t"),
        ({}, {**ENVIRONMENT, "AZURE_FEDERATED_TOKEN": TOKEN}, "oidc_token", TOKEN),
        ({}, {**ENVIRONMENT, "AZURE_FEDERATED_TOKEN_FILE": "/t"}, "oidc_token_file_path", "/t"),
        # A proof among the options goes before those of the environment.
        ({**OPTIONS, "oidc_token": TOKEN}, {"AZURE_SECRET": SECRET}, "oidc_token", TOKEN),
    ],
)
def test_a_service_principal_with_a_federated_token(given, environment, word, value):
    who = found(given, environment)
    assert getattr(who, word) == value
    assert who.secret is None


def test_a_service_principal_with_a_certificate(home):
    path = home / "certificate.pem"
    path.write_text("no certificate", encoding="utf-8")
    who = found({**OPTIONS, "x509_certificate_path": str(path)}, {"AZURE_CLIENT_CERTIFICATE_PASSWORD": SECRET})
    assert (who.x509_certificate_path, who.certificate_password) == (str(path), SECRET)
    with pytest.raises(InvalidRequest, match=r"certificate.pem cannot be used") as caught:
        who.token_credential(clouds.CLOUDS[0])
    assert SECRET not in str(caught.value)
    with pytest.raises(InvalidRequest, match="does not exist"):
        found({**OPTIONS, "x509_certificate_path": str(home / "none.pem")})


def test_the_token_file_is_read_each_time(home):
    path = home / "token"
    who = found({**OPTIONS, "oidc_token_file_path": str(path)})
    with pytest.raises(InvalidRequest, match="cannot be read"):
        who.assertion()
    for text in ("one", "two"):
        path.write_text(text + "\n", encoding="utf-8")
        assert who.assertion() == text


def test_without_anything_the_cli_is_asked():
    who = found({}, {"AZURE_CLIENT_ID": "only this"})
    assert who.kind == credentials.CLI
    assert found({"auth_source": "cli"}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}).kind == credentials.CLI


def test_a_managed_identity_may_be_named():
    assert found({"auth_source": "msi"}).client_id is None
    assert found({"auth_source": "msi", "client_id": "c"}, ENVIRONMENT).client_id == "c"
    assert found({"auth_source": "msi"}, ENVIRONMENT).client_id == "ec"


PROFILES = f"""[default]
client_id = dc
tenant = dt
secret = {SECRET}%x
[china]
client_id = cc
tenant = ct
secret = {SECRET}
cloud_environment = AzureChinaCloud
subscription_id = cs
[half]
client_id = hc
"""


def test_profiles_of_the_credential_file(home):
    profile(home, PROFILES)
    who = found()
    assert (who.client_id, who.secret) == ("dc", f"{SECRET}%x")
    assert found({"profile": "china"}).cloud == "AzureChinaCloud"
    assert found({}, {"AZURE_PROFILE": "china"}).client_id == "cc"
    assert found({"profile": "china", "subscription_id": "s"}).subscription_id == "s"
    # What is complete in the environment goes before the file.
    assert found({}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}).client_id == "ec"
    assert found({"auth_source": "credential_file"}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}).client_id == "dc"
    # A profile that is named goes before all.
    assert found({"profile": "china"}, {**ENVIRONMENT, "AZURE_SECRET": SECRET}).client_id == "cc"


@pytest.mark.parametrize(
    ("given", "environment", "problem"),
    [
        ({"client_id": "c"}, {}, "lacks 'tenant' .*'secret' "),
        ({"secret": SECRET}, {}, "lacks 'client_id' .*'tenant' "),
        ({"auth_source": "env"}, {}, "from the environment lacks"),
        ({**OPTIONS, "secret": SECRET, "oidc_token": TOKEN}, {}, "gives secret and oidc_token"),
        ({"profile": "none"}, {}, "has no profile 'none'; it has default, china, half"),
        ({"profile": "half"}, {}, "from profile half .* lacks 'tenant'"),
        ({}, {"AZURE_PROFILE": "none"}, "has no profile 'none'"),
        ({"ca_certificates": "/none"}, {}, "'ca_certificates' names the file /none"),
    ],
)
def test_what_is_not_enough_is_said(home, given, environment, problem):
    profile(home, PROFILES)
    with pytest.raises(InvalidRequest, match=problem) as caught:
        found(given, environment)
    assert SECRET not in str(caught.value) and TOKEN not in str(caught.value)


def test_a_broken_credential_file_is_said_without_its_lines(home):
    profile(home, f"secret = {SECRET}\n")
    with pytest.raises(InvalidRequest, match="is not a credential file") as caught:
        found()
    assert SECRET not in str(caught.value)


def test_nothing_secret_is_shown():
    who = found({**OPTIONS, "secret": SECRET})
    assert SECRET not in repr(who) and SECRET not in str(who)
    assert TOKEN not in repr(found({**OPTIONS, "oidc_token": TOKEN}))
    assert who.secrets == [SECRET]


@pytest.mark.parametrize(
    ("given", "environment", "cloud"),
    [
        ("AzureCloud", {}, "AzureCloud"),
        ("AzureCloud", {"AZURE_CLOUD_ENVIRONMENT": "AzureChinaCloud"}, "AzureChinaCloud"),
        ("AzureUSGovernment", {"AZURE_CLOUD_ENVIRONMENT": "AzureChinaCloud"}, "AzureUSGovernment"),
        ("https://own.example", {}, "https://own.example"),
    ],
)
def test_the_cloud_is_the_option_then_the_environment(given, environment, cloud):
    assert found({"cloud_environment": given}, environment).cloud == cloud


@pytest.mark.parametrize("text", ["true", "True", "1", "yes"])
def test_instance_discovery_can_be_switched_off_by_the_environment(text):
    assert found({}, {"AZURE_DISABLE_INSTANCE_DISCOVERY": text}).disable_instance_discovery
    assert not found({}, {"AZURE_DISABLE_INSTANCE_DISCOVERY": "false"}).disable_instance_discovery


@pytest.mark.parametrize(
    ("name", "manager", "scope"),
    [
        ("azurecloud", "https://management.azure.com", "https://management.azure.com/.default"),
        ("AzureChinaCloud", "https://management.chinacloudapi.cn", "https://management.chinacloudapi.cn/.default"),
        (
            "AzureUSGovernment",
            "https://management.usgovcloudapi.net",
            "https://management.core.usgovcloudapi.net/.default",
        ),
    ],
)
def test_microsofts_clouds(name, manager, scope):
    cloud = clouds.find_cloud(name)
    assert (cloud.resource_manager, cloud.scope, cloud.own) == (manager, scope, False)


ADDRESS = "https://management.own.example"
LOGIN = {"loginEndpoint": "https://login.own.example/", "audiences": ["https://management.own.example/"]}


@pytest.mark.parametrize(
    "metadata",
    [
        {"name": "Own", "resourceManager": f"{ADDRESS}/", "authentication": LOGIN},
        [{"resourceManager": "https://other"}, {"name": "Own", "resourceManager": ADDRESS, "authentication": LOGIN}],
        {"name": "Own", "authentication": LOGIN},
    ],
)
def test_a_cloud_of_ones_own_is_known_by_its_metadata(metadata):
    cloud = clouds.from_metadata(ADDRESS, metadata)
    assert cloud == clouds.Cloud("Own", ADDRESS, "https://login.own.example", "https://management.own.example/", True)
    assert cloud.scope == "https://management.own.example/.default"


@pytest.mark.parametrize(
    "metadata", [{}, [], {"authentication": {}}, {"resourceManager": "https://other", "authentication": LOGIN}]
)
def test_metadata_that_say_nothing_are_refused(metadata):
    with pytest.raises(InvalidRequest, match="names no login endpoint and audience"):
        clouds.from_metadata(ADDRESS, metadata)


def test_another_cloud_name_is_refused():
    with pytest.raises(InvalidRequest, match="'cloud_environment' is 'AzureGermanCloud'"):
        clouds.find_cloud("AzureGermanCloud")
    with pytest.raises(InvalidRequest, match="'cloud_environment' is 'http://plain.example'"):
        clouds.find_cloud("http://plain.example")
