# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of reports: the digest shows that a report was not edited, a signature also who made it.

Two kinds: C(hmac-sha256) with a key that signer and checker share, and C(ssh) with C(ssh-keygen -Y), whose checker needs
public keys only. Signed is the canonical JSON of the report without its fields C(sha256) and C(signature). No key comes
into a report or onto a command line.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
import tempfile

from .._core.canonical import canonical_json, digest
from .._core.errors import DependencyMissing, InvalidRequest, MigrationError

HMAC, SSH = "hmac-sha256", "ssh"
NAMESPACE = "azpg.migrate"
# Fields that neither the digest nor the signature covers.
OUTSIDE = frozenset(["sha256", "signature"])
SHORTEST_KEY = 16
PROGRAM = "ssh-keygen"
PATIENCE_SECONDS = 30

VERIFY_AGAIN = "Verify again and sign the new report; a signed report is never edited."


class SignatureRefused(MigrationError):
    """A report's signature is not what was asked for; C(details.cause) is missing, kind, key, edited or malformed."""

    code = "signature-refused"


def content(report: dict) -> dict:
    """Return the part of a report that its digest and its signature cover."""
    return {key: item for key, item in report.items() if key not in OUTSIDE}


def sign(report: dict, *, hmac_key: str | None = None, ssh_key: str | None = None) -> dict:
    """Return the value of the report's field C(signature), C({kind, value, ...}).

    :param hmac_key: the shared key as text; line ends around it do not count
    :param ssh_key: path of a private key without passphrase, or of a public key whose private one an agent holds
    :raises InvalidRequest: when not exactly one key is given, or the shared one is too short
    :raises DependencyMissing: without ssh-keygen
    :raises SignatureRefused: when ssh-keygen does not sign
    """
    if bool(hmac_key) == bool(ssh_key):
        raise InvalidRequest("A report is signed with one key.", "Give either the shared key or the SSH key.")
    message = _message(report)
    if hmac_key:
        key = _shared(hmac_key)
        return {"kind": HMAC, "key_id": _key_id(key), "value": hmac.new(key, message, hashlib.sha256).hexdigest()}
    done = _run(["-Y", "sign", "-f", ssh_key, "-n", NAMESPACE], message)
    value = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or not value.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise SignatureRefused(
            f"{PROGRAM} does not sign with {ssh_key}: {_said(done)}",
            "Name a private key that only you may read and that has no passphrase, or load it into an agent.",
            {"cause": "key"},
        )
    return {"kind": SSH, "namespace": NAMESPACE, "value": value}


def check(
    report: dict,
    *,
    hmac_key: str | None = None,
    allowed_signers: str | None = None,
    identity: str | None = None,
    required: bool = True,
) -> str | None:
    """Check a report's signature; return its kind, or None where there is none and none is required.

    :param hmac_key: the shared key as text
    :param allowed_signers: path of a file of public keys in ssh-keygen's ALLOWED SIGNERS format
    :param identity: who of them must have signed; anyone of them when None
    :param required: refuse a report without a signature
    :raises SignatureRefused: with a message of its own for each cause
    :raises InvalidRequest: when the report is signed, or must be, and no key to check it with is given
    :raises DependencyMissing: without ssh-keygen, for a signature of that kind
    """
    signature = report.get("signature")
    if signature is None:
        if required:
            raise SignatureRefused(
                "The report is not signed, and a signature is required.",
                "Sign it when it is made, with the key that belongs to this check.",
                {"cause": "missing"},
            )
        return None
    if not hmac_key and not allowed_signers:
        raise InvalidRequest(
            "No key is given to check the report's signature with.", "Give the key that belongs to it."
        )
    kind, value = (signature.get("kind"), signature.get("value")) if isinstance(signature, dict) else (None, None)
    if kind not in (HMAC, SSH) or not isinstance(value, str):
        raise SignatureRefused(
            f"The report's signature is of the unknown kind {kind!r}.", VERIFY_AGAIN, {"cause": "malformed"}
        )
    if not (hmac_key if kind == HMAC else allowed_signers):
        wanted = "the shared key" if kind == HMAC else "a file of allowed signers"
        raise SignatureRefused(
            f"The report is signed with the kind {kind}, and the key given is for the other one.",
            f"Give {wanted}.",
            {"cause": "kind"},
        )
    if kind == HMAC:
        _check_hmac(report, signature, _shared(hmac_key))
    else:
        _check_ssh(report, value, allowed_signers, identity)
    return kind


def _message(report: dict) -> bytes:
    """Return the bytes that are signed; their first line keeps them apart from anything else signed with the key."""
    return f"{NAMESPACE} report\n{canonical_json(content(report))}".encode()


def _edited(report: dict) -> SignatureRefused:
    named, found = str(report.get("sha256"))[:12], digest(content(report))[:12]
    more = f": it names the digest {named}, its content has {found}" if named != found else ""
    return SignatureRefused(f"The report was edited after it was signed{more}.", VERIFY_AGAIN, {"cause": "edited"})


# -- shared key ---------------------------------------------------------------------------------------------------


def _shared(key: str) -> bytes:
    """Return the key's bytes; one that can be guessed is refused."""
    key = key.strip("\r\n")
    if len(key) < SHORTEST_KEY:
        raise InvalidRequest(
            f"The key for signatures has {len(key)} characters, expected at least {SHORTEST_KEY}.",
            "Take a random one, for example of 'openssl rand -hex 32'.",
        )
    return key.encode("utf-8")


def _key_id(key: bytes) -> str:
    """Return a name of the key, which says no more about it than a signature does; it tells a wrong key from an edit."""
    return hmac.new(key, f"{NAMESPACE} key".encode(), hashlib.sha256).hexdigest()[:16]


def _check_hmac(report: dict, signature: dict, key: bytes) -> None:
    expected = hmac.new(key, _message(report), hashlib.sha256).hexdigest()
    # As bytes: compare_digest() takes no text beyond ASCII, and the file may hold any.
    if hmac.compare_digest(expected.encode(), signature["value"].encode("utf-8", "replace")):
        return
    if signature.get("key_id") != _key_id(key):
        raise SignatureRefused(
            "The report was signed with another key than the one given.",
            "Give the key that it was signed with; if nobody has it, verify again.",
            {"cause": "key"},
        )
    raise _edited(report)


# -- SSH key ------------------------------------------------------------------------------------------------------


def _check_ssh(report: dict, value: str, allowed_signers: str, identity: str | None) -> None:
    message = _message(report)
    with tempfile.TemporaryDirectory(prefix="azpg-signature-") as folder:
        path = os.path.join(folder, "signature")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(value + "\n")
        # Fits the signature the content at all, whoever made it?
        if _run(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", path], message).returncode:
            raise _edited(report)
        found = _run(["-Y", "find-principals", "-f", allowed_signers, "-s", path], b"")
        names = found.stdout.decode("utf-8", "replace").split("\n")[0].split(",")
        signer = identity or names[0].strip()
        done = _run(["-Y", "verify", "-f", allowed_signers, "-I", signer, "-n", NAMESPACE, "-s", path], message)
        if not signer or done.returncode:
            who = f"{identity} among the" if identity else "any of the"
            raise SignatureRefused(
                f"The report was not signed by {who} allowed signers in {allowed_signers}"
                f"{': ' + _said(done) if signer and _said(done) else ''}.",
                "Add the signer's public key to the file if you trust it, or sign with one that is there.",
                {"cause": "key"},
            )


def _run(arguments: list, data: bytes):
    """Run ssh-keygen, which never asks anything here."""
    program = shutil.which(PROGRAM)
    if program is None:
        raise DependencyMissing(
            f"The program {PROGRAM} is not on the PATH.", "Install the OpenSSH client, or sign with a shared key."
        )
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SSH_AUTH_SOCK") if name in os.environ}
    try:
        # Library code has no module whose run_command it could use, and feeds the program through its standard input.
        return subprocess.run(  # pylint: disable=ansible-bad-function
            [program, *arguments],
            input=data,
            capture_output=True,
            env={**kept, "LC_ALL": "C", "SSH_ASKPASS_REQUIRE": "never"},
            start_new_session=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SignatureRefused(f"{PROGRAM} did not answer.", "Run it by hand to see why.", {"cause": "key"}) from error


def _said(done) -> str:
    return " ".join(done.stderr.decode("utf-8", "replace").split())
