# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pattern as AWX gets to know it: its configuration applied by its own playbook, with a recorder in the place of AWX."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATTERN = ROOT / "extensions" / "patterns" / "migrate_postgresql"
RECORDED = json.loads((Path(__file__).parent / "recorded" / "awx-24.6.1.json").read_text(encoding="utf-8"))
SECRETS = {
    "vault_source_password": "first-secret-1",
    "vault_target_password": "second-secret-2",
    "vault_runtime_key": "third-secret-3",
}
# A module of the recorder: it takes what AWX's module takes and writes down what it was given.
STAND_IN = """\
#!/usr/bin/python
import json, os, uuid
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(argument_spec=json.loads({specification!r}))
path = os.path.join({folder!r}, "%s-%s.json" % ({name!r}, uuid.uuid4().hex))
with open(path, "w") as stream:
    json.dump({{"module": {name!r}, "at": os.times()[4], "given": module.params}}, stream)
module.exit_json(changed=True)
"""


def lay_out_project(directory: Path) -> Path:
    """Make the project that README of the pattern describes; return its folder."""
    project = directory / "project"
    shutil.copytree(PATTERN / "project", project)
    shutil.copytree(PATTERN / "playbooks", project / "playbooks")
    return project


def place_recorder(directory: Path) -> Path:
    """Make a collection awx.awx whose modules record; return the folder that holds the records."""
    folder = directory / "records"
    folder.mkdir()
    collection = directory / "collections" / "ansible_collections" / "awx" / "awx"
    (collection / "plugins" / "modules").mkdir(parents=True)
    for name, options in RECORDED["modules"].items():
        # Required options of inner dictionaries are judged too.
        text = STAND_IN.format(specification=json.dumps(options), folder=str(folder), name=name)
        (collection / "plugins" / "modules" / f"{name}.py").write_text(text, encoding="utf-8")
    manifest = {"collection_info": {"namespace": "awx", "name": "awx", "version": RECORDED["version"]}}
    (collection / "MANIFEST.json").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def configure(directory: Path) -> dict:
    """Run the pattern's playbook against the recorder; return C({module: [what it was given, in order]})."""
    folder = place_recorder(directory)
    secrets = directory / "secrets.yml"
    secrets.write_text(json.dumps(SECRETS), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(directory / "collections"),
        "ANSIBLE_HOME": str(directory / "home"),
        "ANSIBLE_NOCOLOR": "1",
    }
    environment.pop("ANSIBLE_CONFIG", None)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "ansible-playbook"),
            str(PATTERN / "configuration" / "configure.yml"),
            "-e",
            f"@{secrets}",
        ],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssertionError(done.stdout[-4000:])
    records = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    found: dict = {}
    for record in sorted(records, key=lambda record: record["at"]):
        found.setdefault(record["module"], []).append(record["given"])
    found["output"] = done.stdout
    return found
