# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples, run as they stand but for addresses and for where things lie."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.migrations import ROOT, Play, environment
from support.servers import USER, contents

EXAMPLES = ROOT / "examples"
PLAYS = sorted(path.name for path in EXAMPLES.glob("*.yml"))
# Only parsed: it asks Azure.
FOREIGN = {"key_vault.yml"}
INVENTORIES = sorted(
    path.name for path in (EXAMPLES / "inventories").iterdir() if path.suffix == ".yml" or path.is_dir()
)
# Of the inventories, those that `make test` uses.
ALWAYS = {"password_file.yml", "existing", "cli_properties.yml"}
ADDRESSES = {"10.20.0.4": "source", "10.20.0.7": "source", "{{ source_host }}": "source", "10.30.0.4": "target"}


def at_home(value, lab):
    """Return a structure with the servers of this machine in the place of the example's."""
    if isinstance(value, list):
        return [at_home(item, lab) for item in value]
    if not isinstance(value, dict):
        return value
    found = {word: at_home(item, lab) for word, item in value.items()}
    side = ADDRESSES.get(str(found.get("host")))
    if side:
        words = lab.endpoint(side)
        found.update(host=words["host"], port=words["port"])
    return found


class House:
    """A copy of the examples for this machine, and what the one who runs them knows."""

    def __init__(self, lab, directory: Path):
        self.lab = lab
        self.directory = directory
        self.examples = directory / "examples"
        shutil.copytree(EXAMPLES, self.examples)
        for path in self.examples.rglob("*.yml"):
            content = at_home(yaml.safe_load(path.read_text(encoding="utf-8")), lab)
            path.write_text(json.dumps(content), encoding="utf-8")
        self.archive = directory / "archive"
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "ansible_pipelining": True,
            "azpg_state_directory": str(directory / "state"),
            "azpg_archive_directory": str(self.archive),
            "azpg_report_directory": str(directory / "reports"),
            "azpg_bin_directory": str(lab.target.prefix / "bin"),
            "azpg_colocated": True,
            "azpg_jobs": 1,
            "azpg_poll_interval": 1,
        }
        self.passwords = {f"{side}_password": lab.passwords[side] for side in ("source", "target")}

    def run(self, playbook: str, *words: str, more: dict | None = None, **extra: str) -> Play:
        """Run a playbook; I(extra) is added to the environment, I(more) to the variables."""
        variables = self.directory / "variables.json"
        variables.write_text(json.dumps({**self.variables, **(more or {})}), encoding="utf-8")
        variables.chmod(0o600)
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-e", f"@{variables}", *words, playbook]
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**environment(), **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        return Play(done.stdout, done.returncode)

    def play(self, name: str, *words: str) -> Play:
        """Run a play of the examples on a runtime host of that name."""
        path = self.examples / name
        plays = json.loads(path.read_text(encoding="utf-8"))
        # Modules that are called without roles are told by their options where things lie.
        programs = {"bin_directory": self.variables["azpg_bin_directory"]}
        places = {word: self.variables[f"azpg_{word}"] for word in ("state_directory", "archive_directory")}
        for play in plays:
            defaults = play.setdefault("module_defaults", {})
            defaults["group/azpg.migrate.all"] = {**defaults.get("group/azpg.migrate.all", {}), **places}
            for module in ("runtime_server", "premigration_check", "migration"):
                more = {"colocated": True} if module == "runtime_server" else {}
                defaults[f"azpg.migrate.{module}"] = {**programs, **more}
        path.write_text(json.dumps(plays), encoding="utf-8")
        return self.run(str(path), "-i", "runtime.example.org,", *words, more=self.passwords)


@pytest.fixture
def house(lab, clean, tmp_path):
    """A database that is called as in the examples, and their copy."""
    clean.new_database("shop")
    return House(lab, tmp_path)


def test_every_example_is_run_or_named():
    listed = re.findall(
        r"^\| \[([^\]]+)\]\(([^)]+)\)( \*)? \|", (EXAMPLES / "README.md").read_text("utf-8"), re.MULTILINE
    )
    assert {name for name, _path, _star in listed} == {*PLAYS, *(f"inventories/{name}" for name in INVENTORIES)}
    assert {name.rpartition("/")[2] for name, _path, star in listed if star} == FOREIGN
    assert all((EXAMPLES / path).exists() for _name, path, _star in listed)


@pytest.mark.long
def test_a_role_in_somebody_elses_play(house, lab):
    done = house.play("embedded_role.yml", "--skip-tags", "application").good()
    assert re.search(r"3 tables in \d+ s, MATCH, report [0-9a-f]{12}\.", done.output)
    assert contents(lab.source, "shop") == contents(lab.target, "shop")
    assert (house.archive / "shop" / "final-record.json").exists()


@pytest.mark.long
def test_a_role_that_fails_leaves_the_application_where_it_was(house, lab):
    house.play("embedded_role.yml", "--skip-tags", "application", "--check").good()
    # Refused before anything is moved: somebody else's table is in the way.
    lab.target.psql("CREATE DATABASE shop")
    lab.target.psql("CREATE TABLE theirs ()", dbname="shop")
    done = house.play("embedded_role.yml", "--skip-tags", "application")
    assert done.code == 2 and "shop" in done.output


def test_single_modules_and_then_only_the_proof(house, lab):
    assert "Proven: MATCH" in house.play("single_module.yml").good().output
    assert contents(lab.source, "shop") == contents(lab.target, "shop")
    # As if somebody else had moved it; who compares has to be let read.
    shutil.rmtree(house.archive)
    lab.target.psql("DELETE FROM app.quiet WHERE id = 7", dbname="shop")
    lab.target.psql(f"GRANT pg_read_all_data TO {USER}")
    try:
        done = house.play("verification_only.yml").good()
    finally:
        lab.target.psql(f"REVOKE pg_read_all_data FROM {USER}")
    assert "MISMATCH" in done.output and "shop: app.quiet" in done.output
    assert (house.examples / "reports" / "shop" / "verification.html").exists()


@pytest.mark.long
def test_batches(house, lab):
    names = ["batch_one", "batch_two"]
    hosts = {}
    for name in names:
        lab.new_database(name)
        hosts[name] = {"azpg_name": name, "azpg_databases": [name]}
        hosts[name].update({f"azpg_{side}": lab.endpoint(side) for side in ("source", "target")})
    inventory = house.directory / "inventory.json"
    inventory.write_text(json.dumps({"migrations": {"hosts": hosts}}), encoding="utf-8")
    inventory.chmod(0o600)
    done = house.run(str(house.examples / "rolling.yml"), "-i", str(inventory)).good()
    assert "2 migrations: 2 decommissioned; 2 proven equal" in done.output
    assert "1 migration: 1 decommissioned" in done.output


@pytest.mark.parametrize(
    "name",
    [
        name if name in ALWAYS else pytest.param(name, marks=pytest.mark.long)
        for name in sorted(set(INVENTORIES) - FOREIGN)
    ],
)
def test_secrets_reach_both_servers(house, lab, name):
    """Each inventory is used to look at both servers, with the passwords where the inventory expects them."""
    inventory = house.examples / "inventories" / name
    ends = {side: lab.endpoint(side) for side in ("source", "target")}
    more, words, extra = {}, [], {}
    if name == "environment.yml":
        extra = {f"{side.upper()}_PASSWORD": lab.passwords[side] for side in ends}
    elif name == "password_file.yml":
        passwords = house.directory / "passwords"
        lines = [f"{words['host']}:{words['port']}:*:{USER}:{words['password']}\n" for words in ends.values()]
        private(passwords, "".join(lines))
        inventory.write_text(inventory.read_text("utf-8").replace("/etc/azpg/passwords", str(passwords)), "utf-8")
    elif name == "service_file.yml":
        services = house.directory / "services.conf"
        parts = [
            f"[shop_{side}]\n" + "".join(f"{word}={words[word]}\n" for word in ("host", "port", "user", "password"))
            for side, words in ends.items()
        ]
        private(services, "".join(parts))
        extra = {"PGSERVICEFILE": str(services)}
    elif name == "vault.yml":
        key = house.directory / "key"
        private(key, "a key of the vault")
        vault = inventory.parent / "group_vars" / "migrations" / "vault.yml"
        vault.parent.mkdir(parents=True)
        private(vault, json.dumps({f"vault_{side}_password": lab.passwords[side] for side in ends}))
        program = str(Path(sys.executable).parent / "ansible-vault")
        subprocess.run([program, "encrypt", "--vault-password-file", key, vault], env=environment(), check=True)
        assert lab.passwords["source"] not in vault.read_text(encoding="utf-8")
        words = ["--vault-password-file", str(key)]
    elif name == "cli_properties.yml":
        # The CLI's file has no word for the target's port.
        content = json.loads(inventory.read_text(encoding="utf-8"))
        port = ends["target"]["port"]
        content["migrations"]["vars"]["azpg_target"] = f"{{{{ cli.target | combine({{'port': {port}}}) }}}}"
        inventory.write_text(json.dumps(content), encoding="utf-8")
        file = inventory.parent / "shop.properties.json"
        text = file.read_text(encoding="utf-8").replace("10.20.0.4:5432", f"localhost:{ends['source']['port']}")
        written = json.loads(text.replace("10.30.0.4", "localhost"))
        written["properties"]["secretParameters"]["adminCredentials"] = {
            f"{side}ServerPassword": lab.passwords[side] for side in ends
        }
        private(file, json.dumps(written))
    elif name == "existing":
        words = ["--limit", "shop-db.example.org"]
        more = house.passwords
    more = {**more, "azpg_checks_only": ["source-*", "target-*", "estimated-duration"]}
    done = house.run("azpg.migrate.premigration", "-i", str(inventory), *words, more=more, **extra).good()
    assert re.search(r"estimate: [\d.]+ s \(", done.output), done.output
    for password in lab.passwords.values():
        assert password not in done.output


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
