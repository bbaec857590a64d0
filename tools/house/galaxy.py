# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand the built artefact to Galaxy's own importer and let no warning pass.

Its flake8 stays off, as it is by default: two of its rules contradict the formatter, and ruff holds the others. The
importer pins versions of its tools, so it has an environment of its own. A run that looked at nothing would be
silent too: what it says it loaded is compared with what the checkout holds.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from tools.house import check_artifact, venvs

ROOT = venvs.ROOT
REQUIREMENTS = ["galaxy-importer >= 0.4.40", "ansible-core >= 2.19.0", "ansible-lint >= 25.7.0"]
CONFIGURATION = """\
[galaxy-importer]
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
"""
COMPLAINT = re.compile(r"^(?:WARNING|ERROR|CRITICAL|Traceback)\b.*", re.MULTILINE)


def expected() -> set[tuple[str, str]]:
    """Return C((kind, name)) of what a user meets of the checkout, in the importer's words."""
    found = {("module", path.stem) for path in (ROOT / "plugins" / "modules").glob("*.py")}
    found |= {("action", path.stem) for path in (ROOT / "plugins" / "action").glob("*.py")}
    found |= {("role", path.name) for path in (ROOT / "roles").iterdir() if path.is_dir()}
    found |= {("playbook", path.name) for path in (ROOT / "playbooks").glob("*.yml")}
    for path in (ROOT / "extensions" / "patterns").glob("*/playbooks/*.yml"):
        found.add(("patterns", ".".join(path.relative_to(ROOT / "extensions").parts)))
    return found


def judge(artefact: pathlib.Path, programs: pathlib.Path, folder: pathlib.Path) -> list[str]:
    """Import the artefact inside `folder` and return what is wrong."""
    (folder / "importer.cfg").write_text(CONFIGURATION, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    environment.update(
        GALAXY_IMPORTER_CONFIG=str(folder / "importer.cfg"),
        HOME=str(folder),
        PATH=os.pathsep.join((str(programs), environment["PATH"])),
    )
    done = subprocess.run(
        [str(programs / "python"), "-m", "galaxy_importer.main", str(artefact)],
        cwd=folder,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = COMPLAINT.findall(done.stdout)
    if done.returncode:
        return [*found, f"the importer ended with {done.returncode}: {done.stdout[-2000:]}"]
    result = json.loads((folder / "importer_result.json").read_text(encoding="utf-8"))
    loaded = {(entry["content_type"], entry["name"]) for entry in result["contents"]}
    print(f"galaxy-importer: {len(loaded)} pieces of content, {len(found)} complaints")
    return found + [f"the importer has not seen the {kind} {name}" for kind, name in sorted(expected() - loaded)]


def main() -> int:
    """Build, import, complain."""
    programs = venvs.make(venvs.CACHE / "venv-galaxy", REQUIREMENTS)
    with tempfile.TemporaryDirectory(dir=venvs.CACHE, prefix="galaxy-") as place:
        folder = pathlib.Path(place)
        found = judge(check_artifact.build(folder), programs, folder)
    for line in found:
        print(f"error: {line}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
