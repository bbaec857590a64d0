# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the project's own environment below .cache: a venv, and the checkout as a collection.

Run by any Python that can make a venv; standard library only. It does nothing when nothing changed.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
VENV = CACHE / "venv"
STAMP = VENV / ".made-from"
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")
LINK = CACHE / "ansible" / "collections" / "ansible_collections" / "azpg" / "migrate"


def fingerprint() -> str:
    """What the venv depends on: the requirements, its place, and the Python it was made from."""
    digest = hashlib.sha256()
    for name in REQUIREMENTS:
        digest.update((ROOT / name).read_bytes())
    digest.update(str(VENV).encode())
    digest.update(f"{os.path.realpath(sys.executable)} {sys.version}".encode())
    return digest.hexdigest()


def stamp_holds(wanted: str) -> bool:
    """Tell whether the venv is complete and was made from what is wanted now."""
    try:
        if STAMP.read_text(encoding="utf-8").strip() != wanted:
            return False
    except OSError:
        return False
    probe = subprocess.run([str(VENV / "bin" / "python"), "-c", ""], check=False)
    return probe.returncode == 0


def make_venv() -> None:
    """Make the venv anew unless the stamp says that it is up to date."""
    wanted = fingerprint()
    if stamp_holds(wanted):
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Making .cache/venv with Python {version} (about a minute, once)", flush=True)
    began = time.monotonic()
    shutil.rmtree(VENV, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, "-r", str(ROOT / REQUIREMENTS[-1])], check=True, cwd=ROOT)
    STAMP.write_text(wanted + "\n", encoding="utf-8")
    print(f"Made .cache/venv in {time.monotonic() - began:.0f} s", flush=True)


def link_collection() -> None:
    """Let Ansible find the checkout as azpg.migrate, whatever the checkout's folder is called."""
    LINK.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(ROOT, LINK.parent)
    if LINK.is_symlink() and os.readlink(LINK) == target:
        return
    if LINK.is_symlink() or LINK.exists():
        LINK.unlink()
    LINK.symlink_to(target, target_is_directory=True)


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
        make_venv()
    except subprocess.CalledProcessError as failure:
        command = " ".join(failure.cmd)
        print(f"error: could not make .cache/venv: `{command}` ended with {failure.returncode}", file=sys.stderr)
        return 1
    link_collection()
    write_config()
    return 0


if __name__ == "__main__":
    sys.exit(main())
