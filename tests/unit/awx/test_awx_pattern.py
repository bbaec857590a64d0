# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pattern gives AWX: nothing that its API would refuse, and nothing that the roles do not know."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from tests.awx import rules
from tests.awx.pattern import PATTERN, RECORDED, SECRETS, configure, lay_out_project
from tools.house import pattern

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "drift"))
import drift_facts as facts  # noqa: E402

ENDPOINT = {"host", "port", "username", "password", "sslmode", "sslrootcert"}
# What the pattern service asks of a definition.
DEFINITION = {
    "type": "object",
    "required": ["schema_version", "name", "title", "description", "short_description", "aap_resources"],
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9_]{1,64}$"},
        "title": {"type": "string", "maxLength": 64},
        "short_description": {"type": "string", "pattern": "[^.]$"},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "aap_resources": {
            "type": "object",
            "required": ["controller_project", "controller_job_templates"],
            "properties": {
                "controller_project": {"required": ["name", "description"]},
                "controller_execution_environment": {"required": ["name", "description", "image_name"]},
                "controller_job_templates": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "required": ["name", "description", "playbook"],
                        "properties": {
                            "name": {"maxLength": 200},
                            "primary": {"type": "boolean"},
                            "survey": {
                                "required": ["name", "description", "spec"],
                                "properties": {
                                    "spec": {
                                        "items": {
                                            "additionalProperties": False,
                                            "required": [
                                                *(
                                                    "type",
                                                    "question_name",
                                                    "question_description",
                                                    "variable",
                                                    "required",
                                                )
                                            ],
                                            "properties": {
                                                "type": {"enum": list(rules.SURVEY_TYPES)},
                                                "question_name": {"type": "string"},
                                                "question_description": {"type": "string"},
                                                "variable": {"pattern": "^[a-z0-9_]{1,64}$"},
                                                "required": {"type": "boolean"},
                                                "choices": {"items": {"type": "string"}},
                                                "default": {"type": "string"},
                                            },
                                        }
                                    }
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture(scope="module")
def awx(tmp_path_factory) -> dict:
    """What AWX was given by the pattern's own playbook."""
    return configure(tmp_path_factory.mktemp("awx"))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project as the README of the pattern describes it."""
    return lay_out_project(tmp_path_factory.mktemp("project"))


def named(given: list) -> dict:
    """Return objects by name, of which none may be there twice."""
    found = {item["name"]: item for item in given}
    assert len(found) == len(given)
    return found


def surveys(awx: dict) -> list:
    """Return C((name, survey)) of everything that asks questions."""
    return [(item["name"], item["survey_spec"]) for item in awx["job_template"] + awx["workflow_job_template"]]


def module_options() -> dict:
    """Return C({variable: the module option that the roles hand it to})."""
    found = {}
    for role in facts.ROLES:
        for module, arguments in facts.calls(facts.role_tasks(role)):
            for option, value in arguments.items():
                match = re.match(r"\{\{ (azpg_[a-z0-9_]+)", str(value))
                if match and option in facts.options(module):
                    found[match[1]] = facts.options(module)[option]
    return found


def test_every_kind_of_object_is_made_and_every_module_is_recorded(awx):
    assert set(awx) - {"output"} == set(RECORDED["modules"])
    assert len(awx["credential_type"]) == 2
    assert "unused" not in awx["output"]


def test_there_is_a_job_template_for_every_playbook(awx, project):
    templates = named(awx["job_template"])
    playbooks = {item["playbook"] for item in templates.values()}
    assert playbooks <= rules.pickable(project)
    assert {Path(name).stem for name in playbooks} == {*facts.PLAYBOOKS, "evidence"}
    assert len(playbooks) == len(templates)


def test_awx_offers_the_playbooks_and_nothing_else_of_the_project(project):
    offered = {f"playbooks/{path.name}" for path in pattern.playbooks()}
    # AWX goes by a line with the word hosts, which every inventory in YAML has.
    assert rules.pickable(project) == offered | {"inventory.yml"}


def test_objects_refer_to_objects_that_are_made(awx):
    projects, inventories = named(awx["project"]), named(awx["inventory"])
    environments, credentials = named(awx["execution_environment"]), named(awx["credential"])
    labels = named(awx["label"])
    for item in awx["job_template"]:
        assert item["project"] in projects and item["inventory"] in inventories
        assert item["execution_environment"] in environments
        assert set(item["credentials"]) <= set(credentials)
        assert set(item["labels"]) <= set(labels)
    for item in awx["inventory_source"]:
        assert item["source_project"] in projects and item["inventory"] in inventories
        assert item["execution_environment"] in environments
    for item in awx["workflow_job_template"]:
        assert item["inventory"] in inventories and set(item["labels"]) <= set(labels)
    types = {*named(awx["credential_type"]), "Machine"}
    assert {item["credential_type"] for item in awx["credential"]} <= types
    # AWX takes no two credentials of one type for a job template.
    kinds = [item["credential_type"] for item in awx["credential"]]
    assert len(kinds) == len(set(kinds))


def test_the_inventory_of_the_project_is_where_the_source_looks(awx, project):
    (source,) = awx["inventory_source"]
    inventory = yaml.safe_load((project / source["source_path"]).read_text(encoding="utf-8"))["migrations"]
    for host in inventory["hosts"].values():
        variables = {**inventory["vars"], **host}
        required = {name for name, option in facts.role_options("migrate").items() if option.get("required")}
        assert required <= set(variables)


@pytest.mark.parametrize("side", ["source", "target"])
def test_credential_types_hold_the_rules_and_inject_what_the_inventory_uses(awx, project, side):
    (given,) = [item for item in awx["credential_type"] if side in item["name"]]
    assert rules.credential_type_complaints(given) == []
    assert {field["id"] for field in given["inputs"]["fields"]} == ENDPOINT
    assert [field["id"] for field in given["inputs"]["fields"] if field.get("secret")] == ["password"]
    known = facts.options("migration")[side]["suboptions"]
    (mode,) = [field for field in given["inputs"]["fields"] if field["id"] == "sslmode"]
    assert set(mode["choices"]) <= set(known["sslmode"]["choices"])
    # Braces in a password are a password's own business.
    injected = rules.inject(given, {"username": "migrator", "password": "{{ 7 * 7 }}'\"\\ ", "host": "10.0.0.4"})
    assert injected[f"AZPG_{side.upper()}_PASSWORD"] == "{{ 7 * 7 }}'\"\\ "
    assert injected[f"AZPG_{side.upper()}_SSLROOTCERT"] == ""
    variables = (project / "playbooks" / "group_vars" / "all.yml").read_text(encoding="utf-8")
    assert set(re.findall(rf"'(AZPG_{side.upper()}_\w+)'", variables)) == set(injected)
    assert f"credential_{side}:" in variables


def test_secrets_come_by_credentials_only(awx):
    for text in SECRETS.values():
        assert text in json.dumps(awx["credential"])
        rest = {module: given for module, given in awx.items() if module not in ("credential", "output")}
        assert text not in json.dumps(rest) + awx["output"]
    asked = {item["variable"] for _name, survey in surveys(awx) for item in survey["spec"]}
    assert not {name for name in asked if "key" in name.split("_")[1:] and "foreign" not in name or "password" in name}
    assert all(item["type"] != "password" for _name, survey in surveys(awx) for item in survey["spec"])


def test_surveys_hold_the_rules(awx):
    for name, survey in surveys(awx):
        assert rules.survey_complaints(survey) == [], name


def test_questions_are_about_variables_that_the_playbook_takes(awx):
    known = module_options()
    for item in awx["job_template"]:
        path = PATTERN / item["playbook"]
        options = pattern.options_of(pattern.roles_of(pattern.load(path)))
        for question in item["survey_spec"]["spec"]:
            assert question["variable"] in options, item["name"]
            option = known.get(question["variable"])
            if option is None:
                assert question["variable"] == "azpg_hosts"
                continue
            # A survey offers what the module takes, and an answer nobody changed is the module's own default.
            if option.get("choices"):
                assert question["choices"] == option["choices"]
            default = option.get("default")
            assert question["default"] == ("" if default is None else str(default)), question["variable"]
    asked = {item["variable"] for _name, survey in surveys(awx) for item in survey["spec"]}
    assert len(asked) >= 8


def test_what_a_workflow_asks_is_asked_by_its_job_templates_in_the_same_words(awx):
    templates = {item["name"]: item for item in awx["job_template"]}
    for workflow in awx["workflow_job_template"]:
        asked: dict = {}
        for node in workflow["workflow_nodes"]:
            template = templates.get(node["unified_job_template"]["name"])
            for question in template["survey_spec"]["spec"] if template else ():
                asked[question["variable"]] = question
        for question in workflow["survey_spec"]["spec"]:
            assert asked[question["variable"]] == question


def test_workflows_are_whole(awx):
    names = {item["name"] for item in awx["job_template"]}
    assert set(named(awx["workflow_job_template"])) == {"azpg.migrate: offline", "azpg.migrate: online"}
    for workflow in awx["workflow_job_template"]:
        assert rules.workflow_complaints(workflow, names) == []


def test_nothing_is_removed_on_the_way_of_a_failure_and_every_failure_leads_to_the_evidence(awx):
    for workflow in awx["workflow_job_template"]:
        nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
        for name, node in nodes.items():
            failed = rules.targets(node, "failure_nodes", "always_nodes")
            assert failed == (set() if name == "evidence" else {"evidence"}), name
        assert rules.targets(nodes["evidence"]) == set()
        assert nodes["evidence"]["unified_job_template"]["name"] == "azpg.migrate: evidence"


def test_a_person_is_asked_before_data_moves_and_before_anything_is_taken_away(awx):
    for workflow in awx["workflow_job_template"]:
        nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
        edges = {name: rules.targets(node, "success_nodes") for name, node in nodes.items()}
        for name in {"migrate", "cutover", "decommission"} & set(nodes):
            (before,) = [other for other, to in edges.items() if name in to]
            assert nodes[before]["unified_job_template"]["type"] == "workflow_approval"
            assert len(nodes[before]["unified_job_template"]["description"]) > 40
        # Decommissioning comes after the proof on every way.
        without = {name: to - {"verify"} for name, to in edges.items()}
        assert "decommission" not in rules.reached("provision", without)


@pytest.mark.parametrize("name", sorted(path.relative_to(facts.ROOT).as_posix() for path in pattern.files()))
def test_written_files_are_up_to_date(name):
    wanted = {path.relative_to(facts.ROOT).as_posix(): text for path, text in pattern.files().items()}[name]
    assert (facts.ROOT / name).read_text(encoding="utf-8") == wanted, "run: python -m tools.house.pattern"


def test_the_definition_is_what_the_pattern_service_takes():
    content = json.loads((PATTERN / "meta" / "pattern.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(DEFINITION).validate(content)
    assert content["name"] == PATTERN.name
    templates = content["aap_resources"]["controller_job_templates"]
    assert sum(item["primary"] for item in templates) == 1
    assert {item["playbook"] for item in templates} == {path.name for path in pattern.playbooks()}


def test_playbooks_do_what_the_collections_playbooks_do():
    for name in facts.PLAYBOOKS:
        (play,) = pattern.load(PATTERN / "playbooks" / f"{name}.yml")
        ours = facts.load("playbooks", f"{name}.yml")
        if name == "site":
            names = [play["ansible.builtin.import_playbook"].removesuffix(".yml") for play in ours]
            # The cutover is another entry point of the role that moves.
            wanted = ["migrate" if name == "cutover" else name for name in names]
        elif name == "cutover":
            wanted = ["migrate"]
            assert '"tasks_from": "cutover"' in json.dumps(play)
        elif name == "rollback":
            wanted = ["decommission"]
            assert '"tasks_from": "rollback"' in json.dumps(play)
        else:
            wanted = [role["role"].rpartition(".")[2] for one in ours for role in one["roles"]]
        assert pattern.roles_of(play) == wanted
        assert play["hosts"] == "{{ azpg_hosts | default('migrations') }}"


REASONS = [{"code": "report-missing", "msg": "", "hint": ""}]
ENDS = [
    ({}, "unknown", []),
    ({"decommission_result": {"state": "decommissioned", "refusals": []}}, "decommissioned", []),
    ({"decommission_result": {"state": "refused", "refusals": REASONS}}, "refused", ["report-missing"]),
    (
        {"decommission_result": {"code": "gate-refused", "msg": "no", "details": {"reasons": REASONS}}},
        "refused",
        ["report-missing"],
    ),
    (
        {"decommission_result": {"code": "invalid-request", "msg": "no", "details": {"state": "completed"}}},
        "completed",
        [],
    ),
    ({"decommission_result": {"code": "connection-failed", "msg": "no", "details": {}}}, "unknown", []),
    ({"decommission_result": {"msg": "MODULE FAILURE"}}, "unknown", []),
]


@pytest.mark.parametrize("playbook", ["decommission", "rollback", "site"])
@pytest.mark.parametrize(("known", "state", "refusals"), ENDS)
def test_a_job_hands_on_how_it_ended_also_when_it_was_refused(project, playbook, known, state, refusals):
    text = (project / "playbooks" / f"{playbook}.yml").read_text(encoding="utf-8")
    (play,) = DataLoader().load(trust_as_template(text))
    ((data,),) = ([*step["ansible.builtin.set_stats"]["data"].values()] for step in play["tasks"][0]["always"])
    handed_on = Templar(DataLoader(), variables={"azpg_name": "shop", **known}).template(data)["shop"]
    assert handed_on["state"] == state
    assert list(handed_on.get("refusals", refusals)) == refusals


def test_artefacts_have_names_of_their_own():
    names = []
    for path in pattern.playbooks():
        for task in facts.tasks_of(pattern.load(path)):
            names += list(task.get("ansible.builtin.set_stats", {}).get("data", ()))
    # Fleet and evidence say the same thing.
    assert len(names) - 1 == len(set(names))
    # They come back as variables of the next job, and must not be any that a role reads or sets.
    assert not set(names) & (facts.all_variables() | {f"{role}_result" for role in facts.ROLES})


class TestTheRulesSee:
    """Each rule is shown something that AWX would refuse."""

    QUESTION = {"type": "text", "question_name": "a", "variable": "a", "required": True}

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "date"},
            {"required": "yes"},
            {"type": "integer", "default": "1"},
            {"type": "multiplechoice"},
            {"type": "multiplechoice", "choices": ["a"], "default": "b"},
            {"default": "$encrypted$"},
            {"min": "1"},
        ],
        ids=str,
    )
    def test_surveys(self, change):
        survey = {"name": "", "description": "", "spec": [self.QUESTION]}
        assert rules.survey_complaints(survey) == []
        assert rules.survey_complaints({**survey, "spec": [{**self.QUESTION, **change}]})
        assert rules.survey_complaints({**survey, "spec": [self.QUESTION, self.QUESTION]})
        assert rules.survey_complaints({**survey, "spec": []})

    @pytest.mark.parametrize(
        "change",
        [
            {"inputs": {"fields": [{"id": "a", "label": "a", "type": "integer"}]}},
            {"inputs": {"fields": [{"id": "tower", "label": "a", "type": "string"}]}},
            {"inputs": {"fields": [{"id": "a", "label": "a", "type": "boolean", "secret": True}]}},
            {"inputs": {"fields": [{"id": "a", "label": "a", "type": "string"}], "required": ["b"]}},
            {"injectors": {"env": {"ANSIBLE_X": "{{ a }}"}}},
            {"injectors": {"env": {"PATH": "{{ a }}"}}},
            {"injectors": {"env": {"X": "{{ b }}"}}},
            {"injectors": {"other": {}}},
        ],
        ids=str,
    )
    def test_credential_types(self, change):
        good = {
            "inputs": {"fields": [{"id": "a", "label": "a", "type": "string"}]},
            "injectors": {"env": {"X": "{{ a }}"}},
        }
        assert rules.credential_type_complaints(good) == []
        assert rules.credential_type_complaints({**good, **change})

    @pytest.mark.parametrize(
        ("edges", "word"),
        [
            ({"a": "b", "b": "a"}, "begins at"),
            ({"a": "b", "b": "c", "c": "b"}, "leads back"),
            ({"a": "b", "b": "", "c": ""}, "begins at"),
            ({"a": "z"}, "not there"),
            ({"a": "b", "b": "", "c": "d", "d": "c"}, "never reached"),
        ],
    )
    def test_workflows(self, edges, word):
        nodes = [
            {
                "identifier": name,
                "unified_job_template": {"name": "x", "type": "job_template"},
                "related": {"success_nodes": [{"identifier": to}] if to else []},
            }
            for name, to in edges.items()
        ]
        assert any(word in line for line in rules.workflow_complaints({"workflow_nodes": nodes}, {"x"}))
        assert any("no job template" in line for line in rules.workflow_complaints({"workflow_nodes": nodes}, set()))

    def test_playbooks(self, tmp_path):
        for name, text in {
            "good.yml": "- hosts: all\n",
            "tasks/no.yml": "- hosts: all\n",
            ".hidden/no.yml": "- hosts: all\n",
            "no.yml": "- name: x\n",
            "no.txt": "- hosts: all\n",
        }.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        assert rules.pickable(tmp_path) == {"good.yml"}
