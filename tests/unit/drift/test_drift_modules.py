# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules: action group, argument specification, documentation and examples say the same."""

from __future__ import annotations

import importlib
import re

import drift_facts as facts
import pytest
import yaml
from ansible_collections.azpg.migrate.plugins.module_utils._core.version import VERSION
from ansible_collections.azpg.migrate.plugins.module_utils._module.migration import USUAL_PAUSE
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.driver import MINIMUM
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.runtime import MINIMUM_PYTHON

GALAXY = facts.load("galaxy.yml")
RUNTIME = facts.load("meta", "runtime.yml")
REQUIREMENTS = (facts.ROOT / "requirements.txt").read_text(encoding="utf-8")
# What a specification may say that documentation has no word for.
SPECIFICATION_ONLY = {"no_log", "options", "apply_defaults", "fallback", "removed_in_version"}


def documented(option: dict) -> dict:
    """Return a documented option as an argument specification would put it."""
    words = {"type": option.get("type", "str"), "required": option.get("required", False)}
    for word in ("default", "choices", "elements", "aliases"):
        if word in option:
            words[word] = option[word]
    if option.get("suboptions"):
        words["options"] = {name: documented(part) for name, part in option["suboptions"].items()}
    return words


def specified(option: dict) -> dict:
    """Return an option of an argument specification, with the defaults of its own written out."""
    words = {"type": option.get("type", "str"), "required": option.get("required", False)}
    words.update({word: text for word, text in option.items() if word not in SPECIFICATION_ONLY and word not in words})
    if option.get("options"):
        words["options"] = {name: specified(part) for name, part in option["options"].items()}
    return words


def test_there_are_modules():
    assert len(facts.MODULES) >= 8


def test_version_constant_is_that_of_the_collection():
    assert GALAXY["version"] == VERSION


def test_collection_has_the_name_that_everything_uses():
    assert f"{GALAXY['namespace']}.{GALAXY['name']}" == facts.COLLECTION


def test_action_group_names_exactly_the_modules():
    assert RUNTIME["action_groups"]["all"] == facts.MODULES


def test_second_group_names_the_modules_that_take_credentials_for_azure():
    taking = [name for name in facts.MODULES if "tenant" in facts.options(name)]
    assert taking
    assert RUNTIME["action_groups"] == {"all": facts.MODULES, "azure": taking}


def test_ansible_floor_is_one_and_the_same():
    floor = RUNTIME["requires_ansible"]
    assert floor.startswith(">=")
    minor = ".".join(floor[2:].split(".")[:2])
    for role in facts.ROLES:
        assert str(facts.load("roles", role, "meta", "main.yml")["galaxy_info"]["min_ansible_version"]) == minor
    development = (facts.ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert f"ansible-core >= {floor[2:]}" in development
    assert f"ansible-core {minor} or newer" in (facts.ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("module", facts.MODULES)
def test_documented_options_are_the_argument_specification(module):
    wanted = {name: specified(option) for name, option in facts.specification(module).items()}
    assert {name: documented(option) for name, option in facts.options(module).items()} == wanted


@pytest.mark.parametrize("module", facts.MODULES)
def test_documentation_states_the_floors_that_the_code_holds(module):
    python, driver = (".".join(map(str, floor)) for floor in (MINIMUM_PYTHON, MINIMUM))
    requirements = facts.documentation(module)["doc"]["requirements"]
    wanted = [f"Python {python} or newer on the executing host", f"psycopg2 {driver} or newer"]
    if "tenant" in facts.options(module):
        floors = dict(re.findall(r"^(azure-\S+) >= (\S+)$", REQUIREMENTS, re.MULTILINE))
        named = " and ".join(f"{name} {floor}" for name, floor in sorted(floors.items()))
        wanted.append(f"{named} or newer, with O(provider=azure)")
    assert requirements == wanted


@pytest.mark.parametrize("module", facts.MODULES)
def test_every_attribute_is_stated(module):
    attributes = facts.documentation(module)["doc"]["attributes"]
    assert set(attributes) == {"check_mode", "diff_mode", "idempotent", "platform", "action_group"}
    assert all(attribute.get("support") for attribute in attributes.values())
    assert attributes["action_group"]["membership"] == [f"{facts.COLLECTION}.all"]
    assert ("tenant" in facts.options(module)) == (module in RUNTIME["action_groups"]["azure"])


@pytest.mark.parametrize("module", facts.MODULES)
def test_examples_are_tasks_with_documented_options(module):
    tasks = yaml.safe_load(facts.documentation(module)["examples"])
    assert tasks
    for task in tasks:
        assert re.match(r"[A-Z]", task["name"]), "a task's name is a sentence"
        short = set(task).intersection(facts.MODULES)
        assert not short, f"without the collection's name: {short}"
    used = list(facts.calls(tasks))
    assert module in {name for name, _arguments in used}
    for name, arguments in used:
        assert facts.unknown_arguments(name, arguments) == []
        required = {word for word, option in facts.options(name).items() if option.get("required")}
        assert required <= set(arguments)


@pytest.mark.parametrize("module", facts.MODULES)
def test_info_modules_and_their_twins(module):
    if module.endswith("_info"):
        assert module[: -len("_info")] in facts.MODULES
        assert "state" not in facts.options(module)


@pytest.mark.parametrize("module", facts.MODULES)
def test_return_values_are_described_with_types(module):
    def look(values):
        for name, value in values.items():
            assert value.get("type"), name
            assert value.get("description"), name
            assert value.get("returned"), name
            look(value.get("contains", {}))

    returned = facts.documentation(module)["return"]
    assert returned
    look(returned)


def test_action_plugin_has_the_defaults_of_its_module():
    plugin = importlib.import_module("ansible_collections.azpg.migrate.plugins.action.migration")
    specification = facts.specification("migration")
    assert specification["wait_timeout"]["default"] == plugin.DEFAULT_WAIT_TIMEOUT
    assert specification["max_lag"]["default"] == plugin.DEFAULT_MAX_LAG
    assert plugin.USUAL_PAUSE == USUAL_PAUSE
    assert set(plugin.LOOKING) <= set(facts.specification("migration_info"))


def test_watching_has_the_defaults_of_the_modules_that_are_watched():
    shared = importlib.import_module("ansible_collections.azpg.migrate.plugins.plugin_utils.watching")
    plugin = importlib.import_module("ansible_collections.azpg.migrate.plugins.action.verification")
    specification = facts.specification("verification")
    assert specification["poll_interval"]["default"] == shared.DEFAULT_POLL_INTERVAL
    assert specification["wait_timeout"]["default"] == shared.DEFAULT_WAIT_TIMEOUT
    assert set(plugin.LOOKING) <= set(facts.specification("verification_info"))


def test_every_action_plugin_belongs_to_a_module():
    assert {path.stem for path in (facts.ROOT / "plugins" / "action").glob("*.py")} <= set(facts.MODULES)


def test_filters_are_the_documented_ones():
    found: list = []
    for path in sorted((facts.ROOT / "plugins" / "filter").glob("*.py")):
        plugin = importlib.import_module(f"ansible_collections.azpg.migrate.plugins.filter.{path.stem}")
        found += plugin.FilterModule().filters()
    assert sorted(found) == facts.FILTERS
