# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the execution environment the way ansible-builder does, as far as that goes without a container engine.

The definition that users start from must make a build context, and what the collection says it needs must be found
in the installed artefact.
"""

from __future__ import annotations

import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEFINITIONS = sorted((ROOT / "extensions" / "patterns").glob("*/execution_environments/*.yml"))


def builder(*words: str) -> subprocess.CompletedProcess:
    """Run ansible-builder, its output as text."""
    return subprocess.run(["ansible-builder", *words], cwd=ROOT, check=False, capture_output=True, text=True)


def listed(name: str) -> list[str]:
    """Return the lines of a requirements file that are requirements."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def context_complaints(definition: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """Make the build context of a definition; name what is wrong with it."""
    name = definition.relative_to(ROOT)
    done = builder("create", "--file", str(definition), "--context", str(folder), "--output-filename", "Containerfile")
    if done.returncode:
        return [f"ansible-builder refuses {name}: {(done.stdout + done.stderr).strip()[-1000:]}"]
    wanted = yaml.safe_load(definition.read_text(encoding="utf-8"))["dependencies"]["galaxy"]["collections"]
    written = yaml.safe_load((folder / "_build" / "requirements.yml").read_text(encoding="utf-8"))["collections"]
    return [] if wanted and written == wanted else [f"{name} does not install the collection: {written}"]


def complaints(collections: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """Name what is wrong for an artefact that is installed below `collections`; `folder` is for scratch."""
    found = [] if DEFINITIONS else ["there is no definition of an execution environment"]
    for number, definition in enumerate(DEFINITIONS):
        found += context_complaints(definition, folder / f"context-{number}")
    files = folder / "pip.txt", folder / "bindep.txt"
    done = builder("introspect", str(collections), "--write-pip", str(files[0]), "--write-bindep", str(files[1]))
    if done.returncode:
        return [*found, f"ansible-builder introspect ended with {done.returncode}: {done.stderr[-1000:]}"]
    for path, source in zip(files, ("meta/ee-requirements.txt", "meta/ee-bindep.txt")):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        seen = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
        if seen != set(listed(source)):
            found.append(f"ansible-builder reads {sorted(seen)} where {source} says {listed(source)}")
    return found
