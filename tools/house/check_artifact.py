# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection artefact and look at it the way a user meets it.

It must hold only what users need, install without a network, show its modules' documentation, and tell
ansible-builder what it needs.
"""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

from tools.house import execution_environment

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / ".cache" / "build"

ALLOWED = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "examples",
    "extensions",
    "meta",
    "playbooks",
    "plugins",
    "requirements.txt",
    "roles",
}
NEEDED = {"CHANGELOG.md", "LICENSE", "README.md", "meta", "playbooks", "plugins", "requirements.txt", "roles"}
# Inside an allowed folder, what must not be there all the same.
FORBIDDEN = ("changelogs/fragments", "changelogs/config.yaml", "docs/design", "extensions/molecule")
ENDINGS = (".pyc", ".pyo", ".swp", ".orig", ".rej", ".retry", ".log", ".tar.gz")
MODULES = ("migration_info",)
# Galaxy takes no more than 20 MB; this collection has no reason to come near.
LARGEST = 2 * 1024 * 1024


def run(*command: str, env: dict[str, str] | None = None) -> str:
    """Run a command and return what it printed; end with that if it failed."""
    done = subprocess.run(command, cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: `{' '.join(command)}` ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(folder: pathlib.Path) -> pathlib.Path:
    """Build the artefact into `folder`."""
    run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(folder))
    made = sorted(folder.glob("*.tar.gz"))
    if len(made) != 1:
        sys.exit(f"error: expected one artefact in {folder}, found {len(made)}")
    return made[0]


def complaints(artefact: pathlib.Path) -> tuple[list[str], int]:
    """Name everything about the artefact's contents that is wrong; count its files."""
    with tarfile.open(artefact) as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    tops = {name.split("/")[0] for name in names}
    found = [f"it holds {name}, which users do not need" for name in sorted(tops - ALLOWED)]
    found += [f"it lacks {name}" for name in sorted(NEEDED - tops)]
    for member in members:
        parts = member.name.split("/")
        if member.name.startswith(FORBIDDEN) or member.name.endswith(ENDINGS) or "__pycache__" in parts:
            found.append(f"it holds {member.name}, which users do not need")
        elif any(part.startswith(".") for part in parts):
            found.append(f"it holds the hidden file {member.name}")
        elif member.issym() and member.linkname.startswith(("/", "..")):
            found.append(f"the link {member.name} leads to {member.linkname}")
    if artefact.stat().st_size > LARGEST:
        found.append(f"it is larger than {LARGEST} bytes")
    return found, sum(member.isfile() for member in members)


def install_and_ask(artefact: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """Install the artefact without a network into an empty place, and read a module's documentation there."""
    collections = folder / "collections"
    env = {**os.environ, "ANSIBLE_HOME": str(folder / "home"), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    run("ansible-galaxy", "collection", "install", "--offline", "-p", str(collections), str(artefact), env=env)
    installed = collections / "ansible_collections" / "azpg" / "migrate"
    found = [] if (installed / "MANIFEST.json").is_file() else ["it does not install"]
    for name in MODULES:
        if not (ROOT / "plugins" / "modules" / f"{name}.py").is_file():
            found.append(f"it has no module {name}")
            continue
        answer = json.loads(run("ansible-doc", "--json", "-t", "module", f"azpg.migrate.{name}", env=env))
        if not answer.get(f"azpg.migrate.{name}", {}).get("doc"):
            found.append(f"ansible-doc knows nothing of azpg.migrate.{name}")
    return found + execution_environment.complaints(collections, folder)


def main(arguments: list[str]) -> int:
    """Build, look, install, ask; with --keep, leave the artefact in .cache/build."""
    BUILD.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD.parent, prefix="artefact-") as place:
        folder = pathlib.Path(place)
        artefact = build(folder)
        found, files = complaints(artefact)
        found += install_and_ask(artefact, folder)
        for line in found:
            print(f"error: {artefact.name}: {line}")
        size = artefact.stat().st_size
        if "--keep" in arguments:
            BUILD.mkdir(exist_ok=True)
            artefact = shutil.move(artefact, BUILD / artefact.name)
            print(f"built {pathlib.Path(artefact).relative_to(ROOT)}")
        print(f"artefact: {files} files, {size / 1024:.0f} KiB, {len(found)} complaints")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
