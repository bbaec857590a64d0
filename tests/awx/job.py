# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs as AWX starts them: its own way with inventories, answers and credentials, and ansible-runner as it uses it.

What is missing: containers, and the limits that AWX itself puts on what it keeps of events; a test has to ask for those.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ansible_runner
import yaml

from tests.awx import rules
from tests.awx.pattern import PATTERN, ROOT, lay_out_project
from tools.house import pattern

ANSIBLE = ROOT / ".cache" / "ansible"
# AWX shows so much of an event's output, and drops a result that is larger than that.
SHOWN_BYTES, KEPT_BYTES = 1024, 700_000


class Unsafe(str):
    """A text that AWX does not let be a template."""


class Dumper(yaml.SafeDumper):
    """Writes answers as AWX does."""


Dumper.add_representer(Unsafe, lambda dumper, value: dumper.represent_scalar("!unsafe", str(value)))


class Finished:
    """What became of a job."""

    def __init__(self, runner, folder: Path):
        self.status = runner.status
        self.code = runner.rc
        self.folder = folder
        self.stdout = (folder / "stdout").read_text(encoding="utf-8")
        files = sorted((folder / "job_events").glob("*.json"), key=lambda path: int(path.name.split("-")[0]))
        self.events = [json.loads(path.read_text(encoding="utf-8")) for path in files if "partial" not in path.name]

    @property
    def artefacts(self) -> dict:
        """What the job hands on to the next ones; nothing when it was cut off."""
        stats = [event for event in self.events if event["event"] == "playbook_on_stats"]
        return stats[-1]["event_data"].get("artifact_data", {}) if stats else {}

    def everything(self) -> str:
        """Return all that AWX stores of the job, as one text."""
        return self.stdout + "".join(json.dumps(event, ensure_ascii=False) for event in self.events)


class Awx:
    """One organisation with the pattern's project, an inventory and two credentials."""

    def __init__(self, directory: Path, inventory: dict, credentials: dict):
        self.directory = directory
        self.project = lay_out_project(directory)
        (self.project / "inventory.yml").write_text(json.dumps(inventory), encoding="utf-8")
        configuration = PATTERN / "configuration"
        types = pattern.load(configuration / "credential_types.yml")["controller_credential_types"]
        self.credentials = {}
        for given in types:
            side = "source" if "source" in given["name"] else "target"
            self.credentials.update(rules.inject(given, credentials[side]))
        templates = pattern.load(configuration / "job_templates.yml")["controller_templates"]
        self.templates = {item["name"].rpartition(" ")[2]: item for item in templates}
        self.jobs = 0
        self.hosts = self.imported_inventory()

    def imported_inventory(self) -> str:
        """Return the script that AWX makes of an inventory that it has imported from the project."""
        command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(self.project / "inventory.yml")]
        environment = {**os.environ, "ANSIBLE_HOME": str(ANSIBLE), "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg")}
        listed = subprocess.run(
            [*command, "--list", "--export"], env=environment, check=True, capture_output=True, text=True
        ).stdout
        content = json.loads(listed)
        # What a group says is asked of the group, as AWX's own export does.
        return f"#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({json.dumps(content)!r})\n"

    def answers(self, template: str, **given: str) -> dict:
        """Return what a person answered: texts, those that are offered where nothing else is said."""
        found = {}
        questions = {item["variable"]: item for item in self.templates[template]["survey_spec"]["spec"]}
        unknown = set(given) - set(questions)
        if unknown:
            raise ValueError(f"the survey of {template} does not ask for {sorted(unknown)}")
        for name, question in questions.items():
            text = given.get(name, question.get("default", ""))
            if question["type"] == "multiplechoice" and text not in question["choices"]:
                raise ValueError(f"{text!r} is no answer to {name}")
            found[name] = Unsafe(text)
        return found

    def launch(
        self,
        template: str,
        *,
        artefacts: dict | None = None,
        check: bool = False,
        timeout: int = 0,
        cancel: Callable[[dict], bool] | None = None,
        **given: str,
    ) -> Finished:
        """Launch a job template and wait for its end.

        I(artefacts) are those of the jobs before it in a workflow; I(cancel) is shown each event, and cancels the job when
        it returns true.
        """
        self.jobs += 1
        place = self.directory / f"job-{self.jobs}"
        for folder in ("env", "inventory"):
            (place / folder).mkdir(parents=True)
        (place / "project").symlink_to(self.project)
        hosts = place / "inventory" / "hosts"
        hosts.write_text(self.hosts, encoding="utf-8")
        hosts.chmod(0o700)
        variables = {
            "awx_job_id": self.jobs,
            "awx_job_template_name": Unsafe(self.templates[template]["name"]),
            "awx_job_launch_type": Unsafe("manual"),
            **self.answers(template, **given),
            **(artefacts or {}),
        }
        (place / "env" / "extravars").write_text(yaml.dump(variables, Dumper=Dumper), encoding="utf-8")
        if check:
            (place / "env" / "cmdline").write_text("--check", encoding="utf-8")
        stopped = []

        def watch(event: dict) -> bool:
            if cancel and not stopped and cancel(event):
                stopped.append(event)
            return True

        runner = ansible_runner.run(
            private_data_dir=str(place),
            playbook=self.templates[template]["playbook"],
            inventory=str(hosts),
            ident=str(self.jobs),
            envvars={
                **self.credentials,
                "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE / "collections"),
                "ANSIBLE_HOME": str(ANSIBLE),
                "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
                "ANSIBLE_FORCE_COLOR": "True",
                "JOB_ID": str(self.jobs),
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            },
            settings={"job_timeout": timeout, "idle_timeout": 600},
            event_handler=watch,
            cancel_callback=lambda: bool(stopped),
            quiet=True,
        )
        return Finished(runner, place / "artifacts" / str(self.jobs))
