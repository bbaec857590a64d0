# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the files of the checkout say of themselves, read once for all drift tests."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = "azpg.migrate"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
FILTERS = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.yml"))
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
VARIABLE = re.compile(r"\bazpg_[a-z0-9_]+\b")

# Variables that the playbooks read, in no role's specification.
PLAYBOOK_VARIABLES = {"azpg_hosts"}


def load(*parts: str):
    """Return the content of a YAML file of the checkout."""
    return yaml.safe_load(ROOT.joinpath(*parts).read_text(encoding="utf-8"))


def specification(module: str) -> dict:
    """Return a module's argument specification."""
    return importlib.import_module(f"ansible_collections.azpg.migrate.plugins.modules.{module}").SPECIFICATION


def ansible_doc(*modules: str) -> subprocess.CompletedProcess:
    """Ask Ansible itself for the documentation of modules, fragments included."""
    cache = ROOT / ".cache" / "ansible"
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(cache / "collections"),
        "ANSIBLE_HOME": str(cache),
        "ANSIBLE_CONFIG": str(cache / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }
    names = [f"{COLLECTION}.{module}" for module in modules]
    command = [str(Path(sys.executable).parent / "ansible-doc"), "--json", "--type", "module", *names]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


@functools.cache
def answers() -> dict:
    """Return C({module: {doc, examples, return}}); a text instead where Ansible cannot read the documentation."""
    together = ansible_doc(*MODULES)
    if together.returncode == 0:
        return {name.rpartition(".")[2]: content for name, content in json.loads(together.stdout).items()}
    # One that cannot be read spoils the answer for all.
    found = {}
    for module in MODULES:
        alone = ansible_doc(module)
        found[module] = alone.stderr if alone.returncode else json.loads(alone.stdout)[f"{COLLECTION}.{module}"]
    return found


def documentation(module: str) -> dict:
    """Return C({doc, examples, return}) of a module."""
    answer = answers()[module]
    assert isinstance(answer, dict), answer
    return answer


def options(module: str) -> dict:
    """Return the documented options of a module."""
    return documentation(module)["doc"].get("options", {})


def entries(role: str) -> list:
    """Return the names of a role's entry points."""
    return sorted(load("roles", role, "meta", "argument_specs.yml")["argument_specs"])


def role_options(role: str, entry: str = "main") -> dict:
    """Return the options that a role's specification names for an entry point."""
    return load("roles", role, "meta", "argument_specs.yml")["argument_specs"][entry]["options"]


def role_tasks(role: str, entry: str = "main") -> list:
    """Return the tasks of a role's entry point, those of other files in the place where they are imported or included."""
    return expanded(role, load("roles", role, "tasks", f"{entry}.yml"))


def expanded(role: str, tasks: list) -> list:
    """Return tasks with those of other files in the place where they are imported or included, inside blocks too."""
    found = []
    for task in tasks:
        imported = task.pop("ansible.builtin.import_tasks", None) or task.pop("ansible.builtin.include_tasks", None)
        if isinstance(imported, dict):
            imported = imported["file"]
        if "block" in task:
            task["block"] = expanded(role, task["block"])
        # What the import says holds for each task of the file.
        inside = expanded(role, load("roles", role, "tasks", imported)) if imported else []
        found += [{**task, **inner} for inner in inside] if imported else [task]
    return found


ENTRIES = [(role, entry) for role in ROLES for entry in entries(role)]


def all_variables() -> set:
    """Return every variable that some role or playbook reads."""
    return PLAYBOOK_VARIABLES.union(*(role_options(role, entry) for role, entry in ENTRIES))


def strings(value):
    """Yield every text inside a structure, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def tasks_of(value):
    """Yield every dictionary inside a structure that could be a task, blocks included."""
    if isinstance(value, dict):
        yield value
        for word in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from tasks_of(value.get(word))
    elif isinstance(value, list):
        for item in value:
            yield from tasks_of(item)


def calls(value):
    """Yield C((module, arguments)) of every task that uses a module of this collection."""
    for task in tasks_of(value):
        for word, arguments in task.items():
            if isinstance(word, str) and word.startswith(f"{COLLECTION}."):
                yield word.rpartition(".")[2], arguments or {}


def unknown_arguments(module: str, arguments: dict) -> list:
    """Return the arguments, suboptions included, that the module's documentation does not know."""

    def compare(given: dict, known: dict, prefix: str) -> list:
        unknown = []
        for word, value in given.items():
            if word not in known:
                unknown.append(f"{prefix}{word}")
            elif known[word].get("suboptions") and isinstance(value, dict):
                unknown += compare(value, known[word]["suboptions"], f"{prefix}{word}.")
        return unknown

    return compare(arguments, options(module), "")


def project_files() -> list:
    """Return the files that git knows, or would add, as paths relative to the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    environment = {word: text for word, text in os.environ.items() if not word.startswith("GIT_")}
    listed = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True).stdout
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())
