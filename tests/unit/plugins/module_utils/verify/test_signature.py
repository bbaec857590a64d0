# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of reports: what is refused, and that each cause has a message of its own."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import digest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing, InvalidRequest
from ansible_collections.azpg.migrate.plugins.module_utils._verify import signature
from ansible_collections.azpg.migrate.plugins.module_utils._verify.signature import (
    SignatureRefused,
    check,
    content,
    sign,
)

KEY = "a shared key of some length"
ssh = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen here")


def make_report() -> dict:
    report = {"format": "azpg.migrate/verification/1", "verdict": "MISMATCH", "reason": "Zoë: 1 table differs."}
    return {**report, "sha256": digest(report)}


def signed(**key) -> dict:
    report = make_report()
    return json.loads(json.dumps({**report, "signature": sign(report, **key)}))


def refused(report: dict, **words) -> SignatureRefused:
    with pytest.raises(SignatureRefused) as caught:
        check(report, **words)
    return caught.value


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two key pairs, and a file that allows the first of them."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("first", "second"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
        subprocess.run(command, check=True)
    public = (folder / "first.pub").read_text(encoding="ascii")
    (folder / "allowed").write_text(f"dba@example.com {public}", encoding="ascii")
    return folder


def test_a_shared_key_signs_and_checks():
    report = signed(hmac_key=KEY)
    assert check(report, hmac_key=KEY + "\n") == "hmac-sha256"
    assert KEY not in json.dumps(report)
    assert content(report) == content(make_report()) and report["sha256"] == make_report()["sha256"]
    assert sign(make_report(), hmac_key=KEY) == report["signature"]


def test_the_signature_does_not_depend_on_the_order_of_the_fields():
    report = signed(hmac_key=KEY)
    assert check(dict(reversed(list(report.items()))), hmac_key=KEY)


def test_each_refusal_of_a_shared_key_has_its_own_message():
    report = signed(hmac_key=KEY)
    edited = {**report, "verdict": "MATCH"}
    cured = {**edited, "sha256": digest(content(edited))}
    unsigned = make_report()
    found = [
        refused(report, hmac_key="another key of some length"),
        refused(edited, hmac_key=KEY),
        refused(cured, hmac_key=KEY),
        refused(unsigned, hmac_key=KEY),
        refused({**report, "signature": {"kind": "rot13", "value": "x"}}, hmac_key=KEY),
        refused({**report, "signature": "yes"}, hmac_key=KEY),
        refused(report, allowed_signers="allowed"),
    ]
    causes = [error.details["cause"] for error in found]
    assert causes == ["key", "edited", "edited", "missing", "malformed", "malformed", "kind"]
    assert len({error.msg for error in found}) == len(found)
    assert all(error.hint and error.code == "signature-refused" for error in found)
    assert not any(KEY in str(error) for error in found)


def test_a_signature_with_odd_characters_is_refused_not_fatal():
    report = signed(hmac_key=KEY)
    report["signature"]["value"] = "ä" + report["signature"]["value"][1:]
    assert refused(report, hmac_key=KEY).details["cause"] == "edited"


def test_an_unsigned_report_passes_where_none_is_required():
    assert check(make_report(), required=False) is None
    with pytest.raises(InvalidRequest, match="No key"):
        check(signed(hmac_key=KEY), required=False)


@pytest.mark.parametrize("words", [{}, {"hmac_key": ""}, {"hmac_key": KEY, "ssh_key": "x"}])
def test_one_key_signs(words):
    with pytest.raises(InvalidRequest, match="one key"):
        sign(make_report(), **words)


def test_a_key_that_can_be_guessed_is_refused():
    with pytest.raises(InvalidRequest, match="6 characters"):
        sign(make_report(), hmac_key="secret")


@ssh
def test_an_ssh_key_signs_and_its_public_key_checks(keys):
    report = signed(ssh_key=str(keys / "first"))
    allowed = str(keys / "allowed")
    assert check(report, allowed_signers=allowed) == "ssh"
    assert check(report, allowed_signers=allowed, identity="dba@example.com") == "ssh"
    private = (keys / "first").read_text(encoding="ascii").split("\n")[1]
    assert private not in json.dumps(report)


@ssh
def test_each_refusal_of_an_ssh_key_has_its_own_message(keys):
    report = signed(ssh_key=str(keys / "first"))
    foreign = signed(ssh_key=str(keys / "second"))
    allowed = str(keys / "allowed")
    edited = {**report, "verdict": "MATCH"}
    found = [
        refused(foreign, allowed_signers=allowed),
        refused(report, allowed_signers=allowed, identity="boss@example.com"),
        refused(edited, allowed_signers=allowed),
        refused({**edited, "sha256": digest(content(edited))}, allowed_signers=allowed),
        refused(report, hmac_key=KEY),
        refused(make_report(), allowed_signers=allowed),
    ]
    assert [error.details["cause"] for error in found] == ["key", "key", "edited", "edited", "kind", "missing"]
    assert len({error.msg for error in found}) == len(found)


@ssh
def test_keys_that_do_not_sign(keys, tmp_path):
    locked = tmp_path / "locked"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", str(locked)]
    subprocess.run(command, check=True)
    for path in (locked, tmp_path / "absent"):
        with pytest.raises(SignatureRefused, match="does not sign") as caught:
            sign(make_report(), ssh_key=str(path))
        assert caught.value.details["cause"] == "key"


def test_without_ssh_keygen(monkeypatch):
    monkeypatch.setattr(signature.shutil, "which", lambda name: None)
    with pytest.raises(DependencyMissing, match="ssh-keygen"):
        sign(make_report(), ssh_key="key")
