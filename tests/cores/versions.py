# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ansible-core is tried, on which Python, against which Python of the runtime host; and where Pythons are."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tools.house import venvs


class Core(NamedTuple):
    """A minor version of ansible-core, the controller's Python and the runtime host's."""

    minor: str
    python: str
    runtime: str


# Controller Pythons are ones that the version supports; on the runtime host the oldest and the newest have their turn.
CORES = (
    Core("2.17", "3.11", "3.9"),
    Core("2.18", "3.11", "3.10"),
    Core("2.19", "3.11", "3.12"),
    Core("2.20", "3.12", "3.9"),
    Core("2.21", "3.13", "3.13"),
)


def python(version: str) -> str:
    """Return a program that is this Python; raises LookupError saying where it was looked for.

    What is called pythonX.Y on PATH may be a stub for a version that is not installed, so it counts only if it runs.
    """
    candidates = [shutil.which(f"python{version}")]
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += sorted(map(str, root.glob(f"{version}.*/bin/python{version}")), reverse=True)
    works = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    for candidate in filter(None, candidates):
        if subprocess.run([candidate, "-c", works], capture_output=True, check=False).returncode == 0:
            return candidate
    raise LookupError(f"no Python {version} with the venv module: neither python{version} on PATH nor below {root}")


def controller(core: Core) -> Path:
    """Return the folder of programs of an environment with this ansible-core, made if need be."""
    wanted = [f"ansible-core ~= {core.minor}.0", "psycopg2-binary >= 2.9.9"]
    return venvs.make(venvs.CACHE / f"venv-core-{core.minor}", wanted, python(core.python))


def runtime(version: str) -> Path:
    """Return the program that is Python on the runtime host: with psycopg2 and nothing else of ours."""
    wanted = ["psycopg2-binary >= 2.9.9"]
    return venvs.make(venvs.CACHE / f"venv-runtime-{version}", wanted, python(version)) / "python"


def newest() -> str:
    """Return the newest minor version of ansible-core that the package index has for the newest Python in use."""
    latest = max((core.python for core in CORES), key=lambda text: [int(part) for part in text.split(".")])
    command = [python(latest), "-m", "pip", "--disable-pip-version-check", "index", "versions", "ansible-core"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # ansible-core (2.21.5)
    return ".".join(listed.split("(")[1].split(")")[0].split(".")[:2])
