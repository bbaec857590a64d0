# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications that several modules share; the documentation fragments say the same in words."""

from __future__ import annotations

ENDPOINT = {
    "host": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "dbname": {"type": "str"},
    "sslmode": {"type": "str", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]},
    "sslrootcert": {"type": "path"},
    "sslcert": {"type": "path"},
    "sslkey": {"type": "path", "no_log": False},
    "passfile": {"type": "path", "no_log": False},
    "service": {"type": "str"},
    "options": {"type": "str"},
    "connect_timeout": {"type": "int"},
}

REQUEST = {
    "name": {"type": "str", "required": True},
    "provider": {"type": "str", "choices": ["host"], "default": "host"},
    "mode": {"type": "str", "choices": ["offline"], "default": "offline"},
    "source": {"type": "dict", "required": True, "options": ENDPOINT},
    "target": {"type": "dict", "required": True, "options": ENDPOINT},
    "databases": {"type": "list", "elements": "str", "required": True},
    "role_map": {"type": "dict", "default": {}},
    "state_directory": {"type": "path"},
    "archive_directory": {"type": "path"},
}

# What lets the gate in front of deletion open.
GATE = {
    "evidence": {"type": "dict"},
    "accept_sample": {"type": "bool", "default": False},
    "accept_warnings": {"type": "list", "elements": "str", "default": []},
    "accept_overrides": {"type": "bool", "default": False},
    "signing_key": {"type": "str", "no_log": True},
    "allowed_signers": {"type": "path"},
    "signer": {"type": "str"},
}

PROGRAMS = {"bin_directory": {"type": "path"}}


def merged(*specifications: dict, **own) -> dict:
    """Return one argument specification from several; an option named twice is a mistake of the programmer."""
    result: dict = {}
    for specification in (*specifications, own):
        twice = set(result) & set(specification)
        if twice:
            raise ValueError(f"Option {', '.join(sorted(twice))} is specified twice.")
        result.update(specification)
    return result
