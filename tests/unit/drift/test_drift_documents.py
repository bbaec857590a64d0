# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README and guides: everything that they tell people to write or to run is there."""

from __future__ import annotations

import re
import xml.etree.ElementTree

import drift_facts as facts
import pytest
import yaml
from ansible_collections.azpg.migrate.plugins.module_utils._azure.errors import AzureError
from ansible_collections.azpg.migrate.plugins.module_utils._azure.rules import ALL as AZURE_RULES
from ansible_collections.azpg.migrate.plugins.module_utils._checks.registry import RULES
from ansible_collections.azpg.migrate.plugins.module_utils._core import status
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import MigrationError
from ansible_collections.azpg.migrate.plugins.module_utils._verify.gate import CODES

from tools.docs import pictures
from tools.house import run_tests

DOCUMENTS = [
    "README.md",
    *sorted(path.relative_to(facts.ROOT).as_posix() for path in (facts.ROOT / "docs").rglob("*.md")),
    *sorted(path.relative_to(facts.ROOT).as_posix() for path in (facts.ROOT / "extensions").rglob("*.md")),
    "examples/README.md",
]
BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
# `azpg.migrate.x` in code, on command lines and in running text.
NAME = re.compile(r"\bazpg\.migrate\.([a-z][a-z_]*)\b")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
TARGET = re.compile(r"^([a-z-]+):", re.MULTILINE)


def text_of(name: str) -> str:
    return (facts.ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, *languages: str) -> list:
    """Return the code blocks of a document that are in one of the languages."""
    found = []
    for indent, language, code in BLOCK.findall(text_of(name)):
        if language in languages:
            found.append("\n".join(line[len(indent) :] for line in code.splitlines()))
    return found


def anchors(name: str) -> set:
    """Return the anchors that the headings of a document get on the usual hosting sites."""
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(BLOCK.sub("", text_of(name)))]
    return {heading.strip().replace(" ", "-") for heading in plain}


def yaml_blocks() -> list:
    return [
        pytest.param(code, id=f"{name}-{number}")
        for name in DOCUMENTS
        for number, code in enumerate(blocks(name, "yaml", "yml"), 1)
    ]


def check_plays(plays: list) -> None:
    """Check plays or tasks: modules with their options, roles, playbooks."""
    for module, arguments in facts.calls(plays):
        if module in facts.PLAYBOOKS and module not in facts.MODULES:
            continue
        assert module in facts.MODULES
        assert facts.unknown_arguments(module, arguments) == []
    for task in facts.tasks_of(plays):
        for word in ("ansible.builtin.import_playbook", "import_playbook"):
            if str(task.get(word, "")).startswith(facts.COLLECTION):
                assert task[word].rpartition(".")[2] in facts.PLAYBOOKS
        for word in ("ansible.builtin.import_role", "ansible.builtin.include_role"):
            name = (task.get(word) or {}).get("name", "")
            assert not name.startswith(facts.COLLECTION) or name.rpartition(".")[2] in facts.ROLES
        for role in task.get("roles", ()):
            name = role["role"] if isinstance(role, dict) else role
            assert name.rpartition(".")[2] in facts.ROLES
        for defaults in (task.get("module_defaults") or {}).values():
            assert not set(defaults) - set(facts.options("migration_info"))


def test_documents_hold_examples():
    assert len(blocks("README.md", "yaml")) >= 2
    assert blocks("README.md", "bash")
    assert blocks("README.md", "sql")


@pytest.mark.parametrize("code", yaml_blocks())
def test_yaml_examples_use_what_is_there(code):
    class Loader(yaml.SafeLoader):
        """Knows the tags of Ansible."""

    Loader.add_constructor("!unsafe", lambda loader, node: node.value)
    Loader.add_constructor("!vault", lambda loader, node: node.value)
    content = yaml.load(code, Loader)
    assert content, "an empty example"
    if isinstance(content, list):
        check_plays(content)
    variables = set(facts.VARIABLE.findall(code))
    assert variables <= facts.all_variables()
    endpoint = facts.options("migration_info")["source"]["suboptions"]
    for words in endpoints(content):
        assert set(words) <= set(endpoint)


@pytest.mark.parametrize("path", sorted((facts.ROOT / "examples").rglob("*.yml")), ids=lambda path: path.name)
def test_examples_use_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    if isinstance(content, list):
        check_plays(content)
    assert set(facts.VARIABLE.findall(text)) <= facts.all_variables()
    known = facts.options("migration_info")["source"]["suboptions"]
    assert all(set(words) <= set(known) for words in endpoints(content))


def endpoints(value):
    """Yield every value of azpg_source and azpg_target inside a structure."""
    if isinstance(value, dict):
        for word, item in value.items():
            if word in ("azpg_source", "azpg_target") and isinstance(item, dict):
                yield item
            else:
                yield from endpoints(item)
    elif isinstance(value, list):
        for item in value:
            yield from endpoints(item)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_names_of_the_collection_exist(name):
    known = {*facts.MODULES, *facts.ROLES, *facts.PLAYBOOKS, *facts.FILTERS, "all", "git"}
    assert set(NAME.findall(text_of(name))) <= known


@pytest.mark.parametrize("name", DOCUMENTS)
def test_variables_named_in_running_text_exist(name):
    # azpg_migrate is the helper schema on the target.
    assert set(facts.VARIABLE.findall(text_of(name))) <= facts.all_variables() | {"azpg_migrate"}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_make_targets_exist(name):
    known = set(TARGET.findall(text_of("Makefile")))
    code = "\n".join(blocks(name, "bash", "")) + "\n".join(re.findall(r"`([^`\n]+)`", text_of(name)))
    assert set(re.findall(r"(?:^|&& )make ([a-z-]+)", code, re.MULTILINE)) <= known


def test_budgets_of_the_parts_are_those_that_are_held():
    rows = re.findall(r"^\| `make ([a-z-]+)` \|.*\| (\d+) \|$", text_of("docs/development.md"), re.MULTILINE)
    held = {name: part.budget for name, part in run_tests.PARTS.items()}
    assert {name: int(seconds) for name, seconds in rows} == {**held, "test": run_tests.TOTAL_BUDGET}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_rules_named_in_documents_exist(name):
    assert set(re.findall(r"[Rr]ule `([a-z0-9-]+)`", text_of(name))) <= {rule.id for rule in (*RULES, *AZURE_RULES)}


def test_the_guide_to_azure_names_every_rule_of_azure_and_no_other():
    named = re.findall(r"`(azure-[a-z-]+)`", text_of("docs/azure-runtime-server.md"))
    assert set(named) == {rule.id for rule in AZURE_RULES}


def kin(error: type) -> list:
    """Return all classes below a class."""
    return [below for child in error.__subclasses__() for below in (child, *kin(child))]


def test_troubleshooting_names_every_error_code():
    named = set(re.findall(r"^\| `([a-z-]+)` \|", text_of("docs/troubleshooting.md"), re.MULTILINE))
    family = [error for error in MigrationError.__subclasses__() if error.__module__ == MigrationError.__module__]
    codes = {error.code for error in [*family, AzureError, *kin(AzureError)]} | {"unexpected"}
    assert named == codes | {*status.SETTLED, status.RUNNING}


def test_every_reason_of_the_gate_is_explained_and_no_other():
    assert set(re.findall(r"`\[([a-z-]+)\]`", text_of("docs/troubleshooting.md"))) == CODES


def test_every_reason_of_the_gate_is_met_by_a_test():
    """A list of all of them does not count."""
    met: set = set()
    for path in sorted((facts.ROOT / "tests").rglob("test_*.py")):
        text = re.sub(r"^NEVER = \(.*?^\)", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        met |= CODES.intersection(re.findall(r"(?<![a-z-])[a-z]+(?:-[a-z]+)+(?![a-z-])", text))
    assert sorted(CODES - met) == []


@pytest.mark.parametrize("name", ["README.md", "docs/development.md"])
def test_what_the_artefact_leaves_out_is_linked_by_its_address(name):
    # Galaxy shows the README, and the artefact holds docs without docs/design.
    assert not re.search(r"\]\((?:docs/|\./)?design", text_of(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_inside_the_repository_lead_somewhere(name):
    for found in LINK.findall(BLOCK.sub("", text_of(name))):
        link = next(part for part in found if part)
        if re.match(r"[a-z]+:", link):
            continue
        path, _hash, anchor = link.partition("#")
        target = (facts.ROOT / name).parent / path if path else facts.ROOT / name
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.resolve().relative_to(facts.ROOT).as_posix()), link


@pytest.mark.parametrize("name", sorted(pictures.PICTURES))
def test_pictures_of_networks_are_up_to_date_and_shown(name):
    path = facts.ROOT / "docs" / "images" / f"{name}.svg"
    assert path.read_text(encoding="utf-8") == pictures.draw(name), "run: python -m tools.docs.pictures"
    assert f"images/{name}.svg" in text_of("docs/networks.md")


@pytest.mark.parametrize("path", sorted((facts.ROOT / "docs").rglob("*.svg")), ids=lambda path: path.name)
def test_pictures_need_nothing_from_elsewhere(path):
    text = path.read_text(encoding="utf-8")
    root = xml.etree.ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert not re.search(r"(?:href|src)=\"[^#]|url\([^#]|@import|<script", text)
