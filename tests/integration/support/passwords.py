# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that are hard on everything that handles them, and a look for them wherever they might have got to."""

from __future__ import annotations

import json
import secrets
from urllib.parse import quote

from support.servers import USER, ask

# Tests that run beside these may put theirs where only these must not be.
OWN = secrets.token_hex(4)
# What is hard for shells, URIs, password files, SQL, YAML and JSON, and not ASCII throughout.
PASSWORDS = {
    "source": f'o\'ne "two" thr\\ee f:our f%ive sïx € $(id) #s{OWN}',
    "target": f"t\\'a\"r:g e%t pässwörd ; & | < > `x` {{y}} #t{OWN}",
}
WRONG = f"wr\"o'ng\\ p:a%ss wörd #w{OWN}"


def forms(password: str) -> set:
    """Return the ways in which a password may be spelled, as bytes."""
    spelled = {
        password,
        quote(password, safe=""),
        quote(password),
        json.dumps(password)[1:-1],
        json.dumps(password, ensure_ascii=False)[1:-1],
        repr(password)[1:-1],
        password.replace("'", "''"),
        password.replace("\\", "\\\\"),
        password.replace("\\", "\\\\").replace(":", "\\:"),
        password.replace("\\", "\\\\").replace("'", "\\'"),
    }
    return {text.encode() for text in spelled}


SECRETS = {form for password in (*PASSWORDS.values(), WRONG) for form in forms(password)}


def spilled(content: bytes) -> bool:
    """Tell whether a secret is in there."""
    return any(form in content for form in SECRETS)


def set_password(cluster, password: str) -> None:
    """Give the migration user a password that the server's log does not show."""
    text = "E'" + password.replace("\\", "\\\\").replace("'", "''") + "'"
    ask(cluster, f"SET log_min_error_statement = panic; ALTER ROLE {USER} PASSWORD {text}")
