# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write what of the AWX pattern follows from elsewhere: `python -m tools.house.pattern`.

`meta/pattern.json` says again what the configuration's job templates say, in the words of the Automation Platform's
pattern service. `playbooks/<name>.meta.yml` says which variables a playbook takes, which the roles' specifications
know. `docs/images/awx-<name>.svg` shows a workflow.
A drift test holds that both are up to date.
"""

from __future__ import annotations

import json
import pathlib
import sys

import yaml

from tools.house import workflow_picture

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATTERN = ROOT / "extensions" / "patterns" / "migrate_postgresql"
PRIMARY = "playbooks/site.yml"
HEAD = """\
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
---
# Written by tools/house/pattern.py from the specifications of the roles.
"""
WHICH = {
    "description": "Which migrations: a group, a host or a pattern of the inventory.",
    "type": "str",
    "default": "migrations",
}
EXAMPLE = "ansible-playbook {path} -i inventory.yml\n"


class Loader(yaml.SafeLoader):
    """Knows the tag of texts that are no templates."""


class Dumper(yaml.SafeDumper):
    """Indents lists, as the linters want it."""

    def increase_indent(self, flow=False, indentless=False):
        """Never without an indent."""
        return super().increase_indent(flow, False)


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load(path: pathlib.Path):
    """Return the content of a YAML file."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def playbooks() -> list[pathlib.Path]:
    """Return the pattern's playbooks."""
    return sorted(path for path in (PATTERN / "playbooks").glob("*.yml") if not path.name.endswith(".meta.yml"))


def roles_of(content) -> list[str]:
    """Return the collection's roles that a playbook includes, in order."""
    if isinstance(content, dict):
        found = [content["name"]] if str(content.get("name", "")).startswith("azpg.migrate.") else []
        return [name.rpartition(".")[2] for name in found] + [
            name for item in content.values() for name in roles_of(item)
        ]
    return [name for item in content for name in roles_of(item)] if isinstance(content, list) else []


def options_of(roles: list[str]) -> dict:
    """Return the options that the roles take together, and the one that chooses hosts."""
    found = {"azpg_hosts": WHICH}
    for role in roles:
        specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
        for name, option in specs["main"]["options"].items():
            words = option["description"]
            text = words if isinstance(words, str) else " ".join(words)
            found[name] = {**option, "description": " ".join(text.split("; see O(")[0].split())}
    return found


def specification(path: pathlib.Path) -> str:
    """Return the text of a playbook's .meta.yml."""
    content = load(path)
    title = content[0]["name"]
    spec = {
        "short_description": title,
        "description": f"{title}. One host of the inventory is one migration; its variables are the options below.",
        "argument_specs": {
            "main": {
                "short_description": title,
                "description": ["What is not set keeps the default of the module."],
                "options": options_of(roles_of(content)),
                "examples": EXAMPLE.format(path=f"playbooks/{path.name}"),
            }
        },
    }
    return HEAD + yaml.dump(spec, Dumper=Dumper, sort_keys=False, width=150)


def question(item: dict) -> dict:
    """Return a survey's question in the pattern service's words."""
    words = ("type", "question_name", "question_description", "variable", "required", "choices", "default")
    return {word: item[word] for word in words if word in item}


def definition() -> dict:
    """Return the content of pattern.json."""
    templates = []
    for item in load(PATTERN / "configuration" / "job_templates.yml")["controller_templates"]:
        survey = item["survey_spec"]
        templates.append(
            {
                "name": item["name"],
                "description": item["description"],
                "playbook": item["playbook"].rpartition("/")[2],
                "primary": item["playbook"] == PRIMARY,
                "execution_environment": item["execution_environment"],
                "ask_credential_on_launch": True,
                "ask_inventory_on_launch": True,
                "labels": item["labels"],
                "survey": {**survey, "spec": [question(entry) for entry in survey["spec"]]},
            }
        )
    return {
        "schema_version": "3.0.0",
        "name": PATTERN.name,
        "title": "Migrate PostgreSQL to Azure Database for PostgreSQL",
        "description": (
            "Moves PostgreSQL databases through a runtime server to a new server and proves that everything arrived "
            "before anything is taken away. Provision, check, migrate, verify and decommission are job templates of their own; "
            "the one for everything runs them in order."
        ),
        "short_description": "Provision, check, migrate, verify and decommission PostgreSQL migrations",
        "tags": ["azure", "database", "migration", "postgresql"],
        "aap_resources": {
            "controller_project": {
                "name": "PostgreSQL migrations",
                "description": "Playbooks of azpg.migrate for job templates",
            },
            "controller_execution_environment": {
                "name": "azpg.migrate",
                "description": "ansible-core with azpg.migrate and what it needs",
                "image_name": "azpg/migrate_ee",
                "pull": "missing",
            },
            "controller_labels": ["azpg.migrate"],
            "controller_job_templates": templates,
        },
    }


def files() -> dict[pathlib.Path, str]:
    """Return what is written, by path."""
    found = {path.with_suffix(".meta.yml"): specification(path) for path in playbooks()}
    found[PATTERN / "meta" / "pattern.json"] = json.dumps(definition(), indent=2) + "\n"
    for workflow in load(PATTERN / "configuration" / "workflows.yml")["controller_workflows"]:
        name = workflow["name"].rpartition(" ")[2]
        found[ROOT / "docs" / "images" / f"awx-{name}.svg"] = workflow_picture.draw(workflow)
    return found


def main() -> int:
    """Write the files that changed."""
    for path, text in files().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
