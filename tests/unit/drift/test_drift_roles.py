# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks: what is specified, what is used and what is handed on are the same."""

from __future__ import annotations

import re

import drift_facts as facts
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._module import variables
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
    "provision": {"runtime_server_info": {"azure_server"}, "runtime_server": {"state", "wait", "operation", *GATE}},
    "premigration": {
        # The role fetches the report from a place that it makes and takes away again.
        # What asks Azure runs where the login is, and nowhere else.
        "premigration_check": {"report_directory", "only", "ask_azure", "begun"},
        # The service validates what it is going to be asked for anew; nothing is moved or cut over.
        "migration": {
            "state",
            "wait",
            "bin_directory",
            "jobs",
            "foreign_keys",
            "toast_compression",
            "maintenance_work_mem",
            "max_bytes_per_second",
            "max_lag",
            "cutover_databases",
            "online",
            "azure_migration_name",
            "migration_window_start",
            "unsafe_skip_validation",
        },
    },
    "migrate": {"migration": {"state"}, "database_roles": {"state", "final_record"}},
    # The role fetches the report before it stops the play, and the gate looks for it where the module puts it.
    # It waits: what follows needs the verdict.
    "verify": {"verification": {"fail_on", "report_directory", "wait", "run_id"}},
    # Reports are fetched to the controller; where they lie on the host is for those who call the module.
    # What was taken over, or described by a file, carries its tags.
    "fleet": {
        "verification_info": {"report_directory", "evidence"},
        "migration_info": {"azure_migration_name", "properties_file"},
    },
    # The decommissioned runtime server needs no client programs.
    # Nor does what is taken away have to be made ready before.
    "decommission": {
        "runtime_server": {
            "state",
            "bin_directory",
            "azure_target",
            "wait",
            "operation",
            "poll_interval",
            "evidence",
            "colocated",
            "max_migrations",
        },
        # What stops a transfer needs nothing of what moves one.
        "migration": set(facts.options("migration")),
        # Evidence comes from the data host where nobody hands it over.
        "cleanup": {"evidence"},
        "verification_info": {"evidence", "report_directory"},
        "database_roles": {"state", "final_record"},
    },
}
# What a role uses without handing it on as it is.
OWN_USE = {
    # Packages are Ansible's own modules' business.
    "azpg_client_programs",
    "azpg_client_packages",
    "azpg_client_repository",
    "azpg_client_repository_key",
    "azpg_report_directory",
    AZURE_VARIABLE,
    "azpg_data_host",
    "azpg_gate_evidence",
}


def block_of(role: str, entry: str = "main") -> dict:
    """Return the one block of an entry point that calls modules."""
    (block,) = (task for task in facts.role_tasks(role, entry) if "block" in task)
    return block


def handed_on(role: str, entry: str):
    """Yield C((module, option, value)) of everything that a role passes to modules, group defaults included."""
    defaults = block_of(role, entry)["module_defaults"][GROUP]
    for module, arguments in facts.calls(facts.role_tasks(role, entry)):
        for option, value in {**defaults, **arguments}.items():
            yield module, option, value


def test_there_are_roles_and_playbooks():
    assert set(DECIDED) == set(facts.ROLES)
    assert set(facts.ROLES) | {"cutover", "rollback", "site"} == set(facts.PLAYBOOKS)
    assert sorted(path.name for path in (facts.ROOT / "roles").iterdir() if path.is_dir()) == facts.ROLES


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_specification_names_exactly_the_variables_in_use(role, entry):
    used = {name for text in facts.strings(facts.role_tasks(role, entry)) for name in facts.VARIABLE.findall(text)}
    assert used == set(facts.role_options(role, entry))


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_modules_are_the_one_place_of_defaults(role, entry):
    assert not (facts.ROOT / "roles" / role / "defaults").exists()
    assert not [name for name, option in facts.role_options(role, entry).items() if "default" in option]


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_roles_pass_only_options_that_the_modules_have(role, entry):
    for module, option, _value in handed_on(role, entry):
        assert option in facts.options(module), f"{module} has no option {option}"


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_every_option_of_the_modules_can_be_set_through_the_role(role, entry):
    passed: dict = {}
    for module, option, _value in handed_on(role, entry):
        passed.setdefault(module, set()).add(option)
    for module, options in passed.items():
        left_out = set(facts.options(module)) - options
        if AZURE_GROUP in block_of(role, entry)["module_defaults"]:
            left_out -= set(AZURE)
        assert left_out <= DECIDED[role].get(module, set()), f"{module}: {left_out}"


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_role_options_have_the_types_of_the_module_options(role, entry):
    specified = facts.role_options(role, entry)
    checked = set()
    for module, option, value in handed_on(role, entry):
        match = HANDED_ON.fullmatch(value) if isinstance(value, str) else None
        if not match:
            assert option in DECIDED[role].get(module, set()), f"{module}.{option} is set to {value!r}"
            continue
        name, optional = match[1], bool(match[2])
        ours, theirs = specified[name], facts.options(module)[option]
        assert ours["type"] == theirs["type"], name
        assert ours.get("elements") == theirs.get("elements"), name
        # One module may do without what another one of the same role needs.
        assert ours.get("required", False) == (not optional), name
        assert ours.get("required", False) >= theirs.get("required", False), name
        checked.add(name)
    # What is not handed on is used by the role itself.
    assert set(specified) - checked <= OWN_USE


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_messages_know_by_which_variable_an_option_is_set(role, entry):
    for module, option, value in handed_on(role, entry):
        match = HANDED_ON.fullmatch(value) if isinstance(value, str) else None
        if match:
            assert variables.variable_of(option, module) == match[1], f"{module}.{option}"


def test_variables_that_messages_know_are_those_of_roles_and_playbooks():
    assert {variables.PREFIX + name for name in variables.NAMES | variables.PLAYBOOKS} == facts.all_variables()


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_credentials_for_azure_go_where_they_are_taken_and_nowhere_else(role, entry):
    taking = [
        module for module, _arguments in facts.calls(facts.role_tasks(role, entry)) if "tenant" in facts.options(module)
    ]
    handed = block_of(role, entry)["module_defaults"].get(AZURE_GROUP)
    assert handed == (f"{{{{ {AZURE_VARIABLE} | default({{}}) }}}}" if taking else None)


@pytest.mark.parametrize("role", facts.ROLES)
def test_role_readme_names_what_the_role_sets(role):
    text = (facts.ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")
    everything = [task for entry in facts.entries(role) for task in facts.role_tasks(role, entry)]
    words = list(facts.tasks_of(everything))
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
        entries = [(role["role"], "main") for role in play.get("roles", ())]
        for task in play.get("tasks", ()):
            role = task["ansible.builtin.import_role"]
            entries.append((role["name"], role["tasks_from"]))
        assert entries
        for role, entry in entries:
            prefix, _dot, name = role.rpartition(".")
            assert prefix == facts.COLLECTION
            assert entry in facts.entries(name)
        used = {name for text in facts.strings(play) for name in facts.VARIABLE.findall(text)}
        assert used <= facts.all_variables()


def test_site_runs_every_phase_once_and_in_order():
    imported = [
        play["ansible.builtin.import_playbook"].removesuffix(".yml") for play in facts.load("playbooks", "site.yml")
    ]
    assert imported == ["provision", "premigration", "migrate", "cutover", "verify", "decommission"]
    for number, name in enumerate(imported, 1):
        (play,) = facts.load("playbooks", f"{name}.yml")
        assert play["name"].startswith(f"({number}/{len(imported)}) ")


def test_variables_of_one_name_mean_the_same_in_every_role():
    known: dict = {}
    for role, entry in facts.ENTRIES:
        for name, option in facts.role_options(role, entry).items():
            shape = (option["type"], option.get("elements"), option.get("required", False))
            assert known.setdefault(name, shape) == shape, name


def placed(tasks: list, where=None):
    """Yield C((module, where it runs)) of every task; what is said of a block holds for what is in it."""
    for task in tasks:
        here = task.get("delegate_to", where)
        yield from ((word.rpartition(".")[2], here) for word in task if word.startswith(f"{facts.COLLECTION}."))
        for word in ("block", "rescue", "always"):
            yield from placed(task.get(word, []), here)


@pytest.mark.parametrize(("role", "entry"), facts.ENTRIES)
def test_what_asks_azure_runs_on_the_controller_and_what_asks_servers_on_the_data_host(role, entry):
    azure = "(azpg_provider | default('host') == 'azure')"
    controller = {"localhost", f"{{{{ {azure} | ternary('localhost', inventory_hostname) }}}}"}
    data = {f"{{{{ {azure} | ternary(azpg_data_host | default('localhost'), inventory_hostname) }}}}"}
    wanted = dict.fromkeys(("database_roles", "verification", "verification_info"), data)
    # Its rules are of both kinds, and run apart where there is a data host.
    wanted["premigration_check"] = controller | data
    found = list(placed([block_of(role, entry)]))
    assert found
    for module, where in found:
        assert where in wanted.get(module, controller), module
