# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments below .cache, made when somebody asks for one and anew only when what they hold changes.

Standard library only, and any Python that can make a venv: the project's own environment is made by this too.
Programs whose dependencies would get into each other's way have an environment each.
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


def fingerprint(venv: pathlib.Path, python: str, requirements: list[str]) -> str:
    """Return what the venv depends on: its place, its Python, and what is installed, files by their content."""
    digest = hashlib.sha256()
    for word in requirements:
        path = ROOT / word
        digest.update(path.read_bytes() if path.is_file() else word.encode())
    digest.update(str(venv).encode())
    version = subprocess.run([python, "-V"], check=True, capture_output=True, text=True).stdout
    digest.update(f"{os.path.realpath(python)} {version}".encode())
    return digest.hexdigest()


def holds(venv: pathlib.Path, wanted: str) -> bool:
    """Tell whether the venv is complete and was made from what is wanted now."""
    try:
        if (venv / ".made-from").read_text(encoding="utf-8").strip() != wanted:
            return False
    except OSError:
        return False
    return subprocess.run([str(venv / "bin" / "python"), "-c", ""], check=False).returncode == 0


def make(venv: pathlib.Path, requirements: list[str], python: str = sys.executable) -> pathlib.Path:
    """Make the venv unless it is there, and return its folder of programs.

    `requirements` are what pip takes, or paths of requirement files below the checkout. Raises
    subprocess.CalledProcessError where venv or pip fails.
    """
    wanted = fingerprint(venv, python, requirements)
    if holds(venv, wanted):
        return venv / "bin"
    name = venv.relative_to(ROOT)
    version = subprocess.run([python, "-V"], check=True, capture_output=True, text=True).stdout.split()[-1]
    print(f"Making {name} with Python {version} (about a minute, once)", flush=True)
    began = time.monotonic()
    shutil.rmtree(venv, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(venv)], check=True)
    words: list[str] = []
    for word in requirements:
        words += ["-r", str(ROOT / word)] if (ROOT / word).is_file() else [word]
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run([*pip, *words], check=True, cwd=ROOT)
    (venv / ".made-from").write_text(wanted + "\n", encoding="utf-8")
    print(f"Made {name} in {time.monotonic() - began:.0f} s", flush=True)
    return venv / "bin"
