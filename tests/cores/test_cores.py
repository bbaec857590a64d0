# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a version of ansible-core may see differently: syntax, documentation, specifications, a whole run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import yaml
from support.migrations import environment
from versions import CORES, newest

ROOT = Path(__file__).resolve().parents[2]
FLOOR = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text(encoding="utf-8"))["requires_ansible"]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())
PLAYBOOKS = sorted(
    path
    for pattern in ("playbooks/*.yml", "extensions/patterns/*/playbooks/*.yml", "examples/*.yml")
    for path in ROOT.glob(pattern)
    if not path.name.endswith(".meta.yml")
)


def call(programs: Path, program: str, *words, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    """Run one of the version's programs; its output is text, both streams in one."""
    return subprocess.run(
        [str(programs / program), *map(str, words)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_the_oldest_is_the_floor_and_the_newest_is_that_of_the_package_index():
    assert f">={CORES[0].minor}.0" == FLOOR
    assert newest() == CORES[-1].minor


def test_it_is_this_version(core, programs, results):
    said = call(programs, "ansible", "--version").stdout
    version = re.match(r"ansible \[core ([0-9.]+)\]", said)[1]
    assert version.startswith(f"{core.minor}.")
    results[core.minor]["version"] = version


def test_playbooks_have_a_syntax_that_it_accepts(core, programs, results):
    assert len(PLAYBOOKS) >= 6
    done = call(programs, "ansible-playbook", "--syntax-check", "-i", "localhost,", *PLAYBOOKS)
    assert done.returncode == 0, done.stdout
    assert len(re.findall(r"^playbook: ", done.stdout, re.MULTILINE)) == len(PLAYBOOKS)
    results[core.minor]["syntax"] = len(PLAYBOOKS)


def test_documentation_is_read(core, programs, results):
    counted = 0
    for kind, names in (("module", MODULES), ("role", ROLES)):
        full = [f"azpg.migrate.{name}" for name in names]
        done = call(programs, "ansible-doc", "--json", "--type", kind, *full)
        assert done.returncode == 0, done.stdout
        answer = json.loads(done.stdout[done.stdout.index("{") :])
        assert set(answer) == set(full)
        assert all(item.get("doc") or item.get("entry_points") for item in answer.values())
        # As text too, which is rendered by other code.
        shown = call(programs, "ansible-doc", "--type", kind, *full)
        assert shown.returncode == 0, shown.stdout[-2000:]
        # Some versions warn of a collection inside themselves.
        assert not re.findall(r"^(?:\[WARNING\]|ERROR!).*azpg.*", shown.stdout, re.MULTILINE)
        counted += len(names)
    results[core.minor]["documented"] = counted


def test_a_role_refuses_what_its_specification_does_not_allow(core, programs, results, tmp_path):
    play = [{"hosts": "localhost", "gather_facts": False, "roles": ["azpg.migrate.provision"]}]
    (tmp_path / "play.yml").write_text(json.dumps(play), encoding="utf-8")
    done = call(programs, "ansible-playbook", "-i", "localhost,", "-c", "local", tmp_path / "play.yml")
    assert done.returncode == 2, done.stdout
    assert re.search(r"missing required arguments: azpg_databases, azpg_name, azpg_source, azpg_target", done.stdout)
    results[core.minor]["specification"] = "holds"


def test_a_whole_migration_and_again(core, programs, interpreter, results, migration):
    one = migration(f"core-{core.minor.replace('.', '-')}")
    began = time.monotonic()
    variables = {"ansible_python_interpreter": str(interpreter)}
    assert one.play("site", programs=programs, **variables).good().changed == 3
    results[core.minor]["site"] = time.monotonic() - began
    again = one.play("site", programs=programs, **variables).good()
    assert again.changed == 0
    # What the version is about to forbid is said as a warning.
    assert not re.search(r"deprecat", again.output, re.IGNORECASE), again.output
    record = json.loads((one.archive / "final-record.json").read_text(encoding="utf-8"))
    assert record["verification"]["verdict"] == "MATCH"


def test_sanity_without_ignore_entries(core, programs, results):
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    done = subprocess.run(
        [str(programs / "python"), "-m", "tools.house.sanity"],
        cwd=ROOT,
        env={**environment(), "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    results[core.minor]["sanity"] = re.search(r"sanity tests run: (\d+)", done.stdout)[1]
