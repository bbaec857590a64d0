# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The listener's certificate: an authority of its own and one certificate for localhost, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

AUTHORITY = """[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = azure-simulator authority
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
SERVER = """basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
authorityKeyIdentifier = keyid
"""
_made: tuple[bytes, ...] | None = None


def make(directory: Path) -> tuple[Path, Path, Path]:
    """Return paths of the authority's certificate, the listener's certificate and its key; made once per directory.

    Raises RuntimeError where openssl is missing or fails.
    """
    global _made
    authority, certificate, key = paths = tuple(
        directory / name for name in ("authority.crt", "server.crt", "server.key")
    )
    if all(path.exists() for path in paths):
        return paths
    if shutil.which("openssl") is None:
        raise RuntimeError("the program openssl is needed to make the simulator's certificate")
    directory.mkdir(parents=True, exist_ok=True)
    if _made is not None:
        # One is enough for all simulators of a process.
        for path, content in zip(paths, _made):
            path.touch(0o600)
            path.write_bytes(content)
        return paths
    settings, extensions = directory / "authority.cnf", directory / "server.ext"
    authority_key, request = directory / "authority.key", directory / "server.csr"
    settings.write_text(AUTHORITY, encoding="ascii")
    extensions.write_text(SERVER, encoding="ascii")
    new_key = ["-newkey", "rsa:2048", "-nodes"]
    _openssl("req", "-x509", *new_key, "-days", "30", "-config", settings, "-keyout", authority_key, "-out", authority)
    _openssl("req", *new_key, "-subj", "/CN=localhost", "-config", settings, "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-days", "30",
             "-extfile", extensions, "-out", certificate)  # fmt: skip
    for path in (request, extensions, settings, authority_key, directory / "authority.srl"):
        path.unlink(missing_ok=True)
    _made = tuple(path.read_bytes() for path in paths)
    return paths


def _openssl(*words) -> None:
    command = ["openssl", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, umask=0o077, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {words[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
