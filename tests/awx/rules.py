# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX refuses, as lists of complaints: credential types, surveys, workflows, and playbooks that it does not offer."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
import jsonschema
from jinja2.sandbox import ImmutableSandboxedEnvironment

SURVEY_TYPES = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}
INPUTS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "required": {"type": "array", "items": {"type": "string"}},
        "fields": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "label", "type"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[a-zA-Z_]+[a-zA-Z0-9_]*$"},
                    "label": {"type": "string"},
                    "type": {"enum": ["string", "boolean"]},
                    "format": {"enum": ["ssh_private_key", "url"]},
                    "choices": {"type": "array", "minItems": 1, "items": {"type": "string"}, "uniqueItems": True},
                    "default": {"type": ["string", "boolean"]},
                    "help_text": {"type": "string"},
                    "multiline": {"type": "boolean"},
                    "secret": {"type": "boolean"},
                    "ask_at_runtime": {"type": "boolean"},
                },
            },
        },
    },
}
INJECTORS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "env": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {"^[a-zA-Z_]+[a-zA-Z0-9_]*$": {"type": "string"}},
        },
        "file": {"type": "object", "additionalProperties": {"type": "string"}},
        "extra_vars": {"type": "object"},
    },
}
# Names that AWX keeps to itself, besides everything that begins with ANSIBLE_.
BLOCKED = {
    *("VIRTUAL_ENV", "PATH", "PYTHONPATH", "JOB_ID", "INVENTORY_ID", "INVENTORY_SOURCE_ID", "INVENTORY_UPDATE_ID"),
    *("AD_HOC_COMMAND_ID", "REST_API_URL", "REST_API_TOKEN", "MAX_EVENT_RES", "CALLBACK_QUEUE", "CALLBACK_CONNECTION"),
    *("CACHE", "JOB_CALLBACK_DEBUG", "INVENTORY_HOSTVARS", "AWX_HOST", "PROJECT_REVISION", "SUPERVISOR_CONFIG_PATH"),
}
PICKABLE = re.compile(r"^\s*?-?\s*?(?:hosts|include|import_playbook):\s*?.*?$", re.MULTILINE)
KINDS = {
    "job_template",
    "workflow_approval",
    "project",
    "inventory_source",
    "workflow_job_template",
    "system_job_template",
}


def credential_type_complaints(given: dict) -> list:
    """Name what AWX would refuse about a custom credential type."""
    found = []
    for part, schema in (("inputs", INPUTS), ("injectors", INJECTORS)):
        for error in jsonschema.Draft7Validator(schema).iter_errors(given[part]):
            found.append(f"{part}: {error.message}")
    if found:
        return found
    fields = given["inputs"]["fields"]
    names = [field["id"] for field in fields]
    found += [f"field {name} is there twice" for name in set(names) if names.count(name) > 1]
    found += ["a field may not be called tower"] if "tower" in names else []
    found += [f"required field {name} is none" for name in given["inputs"].get("required", ()) if name not in names]
    for field in fields:
        strings_only = {"choices", "multiline", "format", "secret"} & set(field)
        if field["type"] == "boolean" and strings_only:
            found.append(f"field {field['id']}: {strings_only} are for strings")
        if field.get("choices") and field.get("default", field["choices"][0]) not in field["choices"]:
            found.append(f"field {field['id']}: the default is no choice")
    for name in given["injectors"].get("env", {}):
        if name in BLOCKED or name.startswith("ANSIBLE_"):
            found.append(f"environment variable {name} is not allowed")
    environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined)
    for name, template in given["injectors"].get("env", {}).items():
        try:
            environment.from_string(template).render(dict.fromkeys(names, "x"))
        except jinja2.exceptions.TemplateError as error:
            found.append(f"injector {name}: {error}")
    return found


def inject(given: dict, inputs: dict) -> dict:
    """Return the environment variables of a job with a credential of this type; fields left empty are empty texts."""
    known = {field["id"]: field for field in given["inputs"]["fields"]}
    unknown = set(inputs) - set(known)
    missing = [name for name in given["inputs"].get("required", ()) if not inputs.get(name)]
    if unknown or missing:
        raise ValueError(f"unknown fields {sorted(unknown)}, missing fields {missing}")
    values = {name: field["default"] for name, field in known.items() if "default" in field}
    values.update({name: text for name, text in inputs.items() if text})
    environment = ImmutableSandboxedEnvironment()
    return {
        name: environment.from_string(template).render(values) for name, template in given["injectors"]["env"].items()
    }


def survey_complaints(survey: dict) -> list:
    """Name what AWX would refuse about a survey."""
    found = [f"{word} is missing" for word in ("name", "description", "spec") if word not in survey]
    if found or not survey["spec"]:
        return found or ["there is no question"]
    variables = [item.get("variable") for item in survey["spec"]]
    found += [f"{name} is asked for twice" for name in set(variables) if variables.count(name) > 1]
    for item in survey["spec"]:
        name = item.get("variable")
        for word in ("type", "question_name", "variable"):
            if not isinstance(item.get(word), str):
                found.append(f"{name}: {word} is no text")
        if not isinstance(item.get("required"), bool):
            found.append(f"{name}: required is neither true nor false")
        if item.get("type") not in SURVEY_TYPES:
            found.append(f"{name}: there is no type {item.get('type')}")
            continue
        found += [f"{name}: {problem}" for problem in question_complaints(item)]
    return found


def question_complaints(item: dict) -> list:
    """Name what is wrong with default, limits and choices of one question."""
    found = []
    default = item.get("default", "")
    if default != "" and not isinstance(default, SURVEY_TYPES[item["type"]]):
        found.append(f"the default {default!r} is no {item['type']}")
    if isinstance(default, str) and default.startswith("$encrypted$"):
        found.append("$encrypted$ is a reserved word")
    found += [f"{word} is no whole number" for word in ("min", "max") if not isinstance(item.get(word, 0), int)]
    if item["type"] in ("multiplechoice", "multiselect"):
        choices = item.get("choices")
        choices = choices.splitlines() if isinstance(choices, str) else choices
        if not choices or not all(isinstance(choice, str) for choice in choices):
            return [*found, "there are no choices, or some that are no texts"]
        if default and any(word not in choices for word in str(default).splitlines()):
            found.append(f"the default {default!r} is no choice")
    return found


def pickable(project: Path) -> set:
    """Return the playbooks of a project that AWX offers, as paths inside it."""
    found = set()
    for path in project.rglob("*"):
        inside = path.relative_to(project)
        hidden = any(part.startswith(".") for part in inside.parts[:-1])
        skipped = {"roles", "tasks", "group_vars", "host_vars"} & set(inside.parts[:-1])
        if path.suffix in (".yml", ".yaml") and not hidden and not skipped and PICKABLE.search(path.read_text("utf-8")):
            found.add(inside.as_posix())
    return found


def workflow_complaints(workflow: dict, templates: set) -> list:
    """Name what is wrong with the graph of a workflow; I(templates) are the job templates that there are."""
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    found = []
    if len(nodes) != len(workflow["workflow_nodes"]):
        found.append("an identifier is there twice")
    edges = {name: targets(node) for name, node in nodes.items()}
    for name, node in nodes.items():
        wanted = node["unified_job_template"]
        if wanted["type"] not in KINDS:
            found.append(f"{name}: there is no type {wanted['type']}")
        if wanted["type"] == "job_template" and wanted["name"] not in templates:
            found.append(f"{name}: there is no job template {wanted['name']}")
        lost = edges[name] - set(nodes)
        if lost:
            found.append(f"{name} leads to {sorted(lost)}, which is not there")
    led_to = set().union(*edges.values()) if edges else set()
    beginnings = [name for name in nodes if name not in led_to]
    if len(beginnings) != 1:
        found.append(f"it begins at {beginnings}, not at one node")
    else:
        unreached = set(nodes) - reached(beginnings[0], edges)
        found += [f"{name} is never reached" for name in sorted(unreached)]
    found += [f"{name} leads back to itself" for name in nodes if name in reached_from(edges[name], edges)]
    return found


def targets(node: dict, *words: str) -> set:
    """Return where a node leads, by any kind of edge or by those that are named."""
    related = node["related"]
    words = words or ("success_nodes", "failure_nodes", "always_nodes")
    return {edge["identifier"] for word in words for edge in related.get(word) or ()}


def reached(begin: str, edges: dict) -> set:
    """Return everything that can be reached from a node, itself included."""
    return {begin} | reached_from(edges.get(begin, set()), edges)


def reached_from(names: set, edges: dict) -> set:
    """Return everything that can be reached from these nodes, themselves included."""
    seen, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += edges.get(name, set())
    return seen
