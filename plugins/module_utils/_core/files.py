# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that nobody else may read and that are either whole or absent."""

from __future__ import annotations

import json
import os
import tempfile


def make_private_directory(path: str) -> bool:
    """Create I(path) with mode 0700, parents included; return True when it did not exist before.

    An existing directory is tightened to 0700 only when it belongs to this user.
    """
    created = not os.path.isdir(path)
    os.makedirs(path, mode=0o700, exist_ok=True)
    info = os.stat(path)
    if info.st_uid == os.geteuid() and info.st_mode & 0o077:
        os.chmod(path, 0o700)
    return created


def write_private(path: str, content: str | bytes) -> None:
    """Write I(content) to I(path) with mode 0600: to a temporary file, flushed, then renamed."""
    directory = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".", dir=directory)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_json(path: str, value) -> None:
    """Write I(value) as indented JSON with sorted keys, private and whole (see M(write_private))."""
    write_private(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: str):
    """Return the content of the JSON file I(path), or None when there is no such file.

    :raises ValueError: when the file is not JSON
    """
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return None
