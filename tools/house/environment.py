# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the project's own environment below .cache: a venv, and the checkout as a collection.

Run by any Python that can make a venv; standard library only. It does nothing when nothing changed.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

from tools.house import venvs

ROOT = venvs.ROOT
CACHE = venvs.CACHE
REQUIREMENTS = ["requirements.txt", "requirements-dev.txt"]
LINK = CACHE / "ansible" / "collections" / "ansible_collections" / "azpg" / "migrate"


def link_collection(link: pathlib.Path = LINK) -> None:
    """Let Ansible find the checkout as azpg.migrate, whatever the checkout's folder is called."""
    link.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(ROOT, link.parent)
    if link.is_symlink() and os.readlink(link) == target:
        return
    if link.is_symlink() or link.exists():
        link.unlink()
    link.symlink_to(target, target_is_directory=True)


def write_config() -> None:
    """Keep a configuration of the project's own, so that the user's does not change results."""
    path = CACHE / "ansible" / "ansible.cfg"
    text = (
        "# Written by tools/house/environment.py. Set ANSIBLE_CONFIG to use another file.\n"
        "[defaults]\n"
        "retry_files_enabled = false\n"
        "nocows = true\n"
    )
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> int:
    """Make whatever is missing."""
    CACHE.mkdir(exist_ok=True)
    try:
        venvs.make(CACHE / "venv", REQUIREMENTS)
    except subprocess.CalledProcessError as failure:
        command = " ".join(failure.cmd)
        print(f"error: could not make .cache/venv: `{command}` ended with {failure.returncode}", file=sys.stderr)
        return 1
    link_collection()
    write_config()
    return 0


if __name__ == "__main__":
    sys.exit(main())
