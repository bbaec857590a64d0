# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks: what is specified, what is used and what is handed on are the same."""

from __future__ import annotations

import re

import drift_facts as facts
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._module.arguments import AZURE, GATE

# A role hands an option on in one of these two forms, and in no other.
HANDED_ON = re.compile(r"\{\{ (azpg_[a-z0-9_]+)( \| default\(omit\))? \}\}")
GROUP = f"group/{facts.COLLECTION}.all"
# Credentials for Resource Manager go to the modules that take them as one dictionary of their options.
AZURE_GROUP = f"group/{facts.COLLECTION}.azure"
AZURE_VARIABLE = "azpg_azure"

# Options that a role decides by itself, because that is what the role is for.
DECIDED = {
    # Making ready asks no gate.
    # Azure is waited for; the action plugin hands on what a run without waiting returns.
    "provision": {"runtime_server": {"state", "wait", "operation", *GATE}},
    # The role fetches the report from a place that it makes and takes away again.
    "premigration": {"premigration_check": {"report_directory"}},
    "migrate": {"migration": {"state"}},
    # The role fetches the report before it stops the play, and the gate looks for it where the module puts it.
    # It waits: what follows needs the verdict.
    "verify": {"verification": {"fail_on", "report_directory", "wait", "run_id"}},
    # Reports are fetched to the controller; where they lie on the host is for those who call the module.
    "fleet": {"verification_info": {"report_directory", "evidence"}},
    # The decommissioned runtime server needs no client programs.
    # Nor does what is taken away have to be made ready before.
    "decommission": {
        "runtime_server": {"state", "bin_directory", "azure_target", "wait", "operation", "poll_interval"},
        "cleanup": set(),
    },
}


def tasks(role: str) -> list:
    return facts.load("roles", role, "tasks", "main.yml")


def handed_on(role: str):
    """Yield C((module, option, value)) of everything that a role passes to modules, group defaults included."""
    (block,) = tasks(role)
    defaults = block["module_defaults"][GROUP]
    for module, arguments in facts.calls(tasks(role)):
        for option, value in {**defaults, **arguments}.items():
            yield module, option, value


def test_there_are_roles_and_playbooks():
    assert set(DECIDED) == set(facts.ROLES)
    assert set(facts.ROLES) < set(facts.PLAYBOOKS) | {"migrate"}
    assert sorted(path.name for path in (facts.ROOT / "roles").iterdir() if path.is_dir()) == facts.ROLES


@pytest.mark.parametrize("role", facts.ROLES)
def test_specification_names_exactly_the_variables_in_use(role):
    used = {name for text in facts.strings(tasks(role)) for name in facts.VARIABLE.findall(text)}
    assert used == set(facts.role_options(role))


@pytest.mark.parametrize("role", facts.ROLES)
def test_modules_are_the_one_place_of_defaults(role):
    assert not (facts.ROOT / "roles" / role / "defaults").exists()
    assert not [name for name, option in facts.role_options(role).items() if "default" in option]


@pytest.mark.parametrize("role", facts.ROLES)
def test_roles_pass_only_options_that_the_modules_have(role):
    for module, option, _value in handed_on(role):
        assert option in facts.options(module), f"{module} has no option {option}"


@pytest.mark.parametrize("role", facts.ROLES)
def test_every_option_of_the_modules_can_be_set_through_the_role(role):
    passed: dict = {}
    for module, option, _value in handed_on(role):
        passed.setdefault(module, set()).add(option)
    for module, options in passed.items():
        left_out = set(facts.options(module)) - options
        if AZURE_GROUP in tasks(role)[0]["module_defaults"]:
            left_out -= set(AZURE)
        assert left_out <= DECIDED[role].get(module, set()), f"{module}: {left_out}"


@pytest.mark.parametrize("role", facts.ROLES)
def test_role_options_have_the_types_of_the_module_options(role):
    specified = facts.role_options(role)
    checked = set()
    for module, option, value in handed_on(role):
        match = HANDED_ON.fullmatch(value) if isinstance(value, str) else None
        if not match:
            assert option in DECIDED[role].get(module, set()), f"{module}.{option} is set to {value!r}"
            continue
        name, optional = match[1], bool(match[2])
        ours, theirs = specified[name], facts.options(module)[option]
        assert ours["type"] == theirs["type"], name
        assert ours.get("elements") == theirs.get("elements"), name
        assert ours.get("required", False) == theirs.get("required", False) == (not optional), name
        checked.add(name)
    # What is not handed on is used by the role itself.
    assert set(specified) - checked <= {"azpg_report_directory", AZURE_VARIABLE}


@pytest.mark.parametrize("role", facts.ROLES)
def test_credentials_for_azure_go_where_they_are_taken_and_nowhere_else(role):
    taking = [module for module, _arguments in facts.calls(tasks(role)) if "tenant" in facts.options(module)]
    handed = tasks(role)[0]["module_defaults"].get(AZURE_GROUP)
    assert handed == (f"{{{{ {AZURE_VARIABLE} | default({{}}) }}}}" if taking else None)


@pytest.mark.parametrize("role", facts.ROLES)
def test_role_readme_names_what_the_role_sets(role):
    text = (facts.ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    words = list(facts.tasks_of(tasks(role)))
    registered = {task["register"] for task in words if "register" in task}
    registered.update(*(task.get("ansible.builtin.set_fact", {}) for task in words))
    assert set(re.findall(rf"`({role}_[a-z_]+|verify_result)`", text)) - set(facts.FILTERS) == registered
    assert "meta/argument_specs.yml" in text


@pytest.mark.parametrize("playbook", facts.PLAYBOOKS)
def test_playbooks_refer_to_what_is_there(playbook):
    for play in facts.load("playbooks", f"{playbook}.yml"):
        if "ansible.builtin.import_playbook" in play:
            # By its file: Galaxy's importer looks at a collection that is not installed.
            name, _dot, ending = play["ansible.builtin.import_playbook"].rpartition(".")
            assert ending == "yml"
            assert name in facts.PLAYBOOKS
            continue
        assert play["hosts"] == "{{ azpg_hosts | default('migrations') }}"
        assert play["gather_facts"] is False
        for role in play["roles"]:
            prefix, _dot, name = role["role"].rpartition(".")
            assert prefix == facts.COLLECTION
            assert name in facts.ROLES
        used = {name for text in facts.strings(play) for name in facts.VARIABLE.findall(text)}
        assert used <= facts.all_variables()


def test_site_runs_every_phase_once_and_in_order():
    imported = [
        play["ansible.builtin.import_playbook"].removesuffix(".yml") for play in facts.load("playbooks", "site.yml")
    ]
    assert imported == ["provision", "premigration", "migrate", "verify", "decommission"]
    for number, name in enumerate(imported, 1):
        (play,) = facts.load("playbooks", f"{name}.yml")
        assert play["name"].startswith(f"({number}/{len(imported)}) ")


def test_variables_of_one_name_mean_the_same_in_every_role():
    known: dict = {}
    for role in facts.ROLES:
        for name, option in facts.role_options(role).items():
            shape = (option["type"], option.get("elements"), option.get("required", False))
            assert known.setdefault(name, shape) == shape, name
