# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home with a shell on a terminal, in which commands of the documentation are typed as they stand.

The project's address leads to the checkout, through git's own configuration; the addresses of source and target lead to
two servers of this machine, in the inventories that the documents show.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import yaml
from support.servers import ask

from tests.commands.documents import blocks
from tools.house import mirror, sanity

ADDRESS = "https://github.com/azpg/migrate.git"
VAULT_PASSWORD = "opens the vault"
PROMPT = "azpg-ready:"
HOSTS = {"10.20.0.4": "source", "10.30.0.4": "target", "shop.postgres.database.azure.com": "target"}
# As root the collection would write to the machine itself; everybody else writes to the home anyway.
PLACES = {"azpg_state_directory": "{home}/state", "azpg_archive_directory": "{home}/archive"}


class World:
    """The home, the shell, the servers."""

    def __init__(self, lab, directory: Path):
        self.lab = lab
        self.home = directory / "home"
        self.home.mkdir()
        self.repository = self.publish(directory / "published")
        (self.home / ".gitconfig").write_text(
            f'[url "file://{self.repository}"]\n\tinsteadOf = {ADDRESS}\n[user]\n\tname = Somebody\n\temail = s@example.org\n'
            "[safe]\n\tdirectory = *\n",
            encoding="utf-8",
        )
        sanity.place_pip_config(self.home)
        python = Path(sys.base_prefix) / "bin"
        programs = lab.target.prefix / "bin"
        environment = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join((str(programs), str(python), "/usr/local/bin", "/usr/bin", "/bin")),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "PAGER": "cat",  # ansible-doc would wait for keys
            "NO_COLOR": "1",
            "ANSIBLE_NOCOLOR": "1",
        }
        for name in ("AZPG_LAB_CACHE",):
            if name in os.environ:
                environment[name] = os.environ[name]
        self.shell = pexpect.spawn(
            "/bin/bash", ["--norc", "--noprofile"], cwd=str(self.home), env=environment, encoding="utf-8", timeout=400
        )
        self.shell.setwinsize(50, 4000)
        self.shell.sendline(f"stty -echo; PS1= PS2= PROMPT_COMMAND=; echo {PROMPT}0")
        self.shell.expect(f"\n{PROMPT}0\r?\n")
        self.answers: dict = {}

    @staticmethod
    def publish(folder: Path) -> Path:
        """Make a repository of the checkout as it is now, with a tag for its version."""
        folder.mkdir()
        for name in mirror.checkout_files():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((mirror.ROOT / name).read_bytes())
            target.chmod((mirror.ROOT / name).stat().st_mode)
        mirror.git("init", "--quiet", "--initial-branch=main", cwd=folder)
        mirror.git("add", "--all", "--force", cwd=folder)
        who = ("-c", "user.name=Somebody", "-c", "user.email=s@example.org")
        mirror.git(*who, "commit", "--quiet", "--message", "As it is now", cwd=folder)
        version = yaml.safe_load((folder / "galaxy.yml").read_text(encoding="utf-8"))["version"]
        mirror.git("tag", version, cwd=folder)
        return folder

    def close(self) -> None:
        """End the shell."""
        self.shell.close(force=True)

    def type(self, command: str, *, good: bool = True) -> str:
        """Type a command and return what was shown; questions are answered as C(answers) and the vault say."""
        # On one line: a command that reads would take a second line for its answer.
        self.shell.sendline(f"{command}; echo {PROMPT}$?")
        shown = ""
        questions = [rf"{PROMPT}(\d+)\r?\n", r"Vault password: ", *map(re.escape, self.answers)]
        replies = [None, VAULT_PASSWORD, *self.answers.values()]
        while True:
            number = self.shell.expect(questions)
            shown += self.shell.before
            if not number:
                break
            self.shell.sendline(replies[number])
        code = int(self.shell.match[1])
        assert not good or code == 0, f"`{command}` ended with {code}:\n{shown[-6000:]}"
        return shown

    # -- what the documents suppose ---------------------------------------------------------------------------------

    def go(self, folder: str) -> Path:
        """Make a folder in the home and go there."""
        path = self.home / folder
        path.mkdir(parents=True, exist_ok=True)
        self.type(f"cd {shlex.quote(str(path))}")
        return path

    def at_home(self, value):
        """Return a structure with this machine's servers in the place of the document's."""
        if isinstance(value, list):
            return [self.at_home(item) for item in value]
        if not isinstance(value, dict):
            return value
        found = {word: self.at_home(item) for word, item in value.items()}
        side = HOSTS.get(str(found.get("host")))
        if side:
            cluster = self.lab.source if side == "source" else self.lab.target
            found.update(host=cluster.host, port=cluster.port)
            if "sslrootcert" in found:
                found["sslrootcert"] = str(cluster.certificate)
        return found

    def write_inventory(self, folder: Path, content: dict, **passwords: str) -> None:
        """Write an inventory that a document shows, and what is different on this machine beside it."""
        (folder / "inventory.yml").write_text(json.dumps(self.at_home(content)), encoding="utf-8")
        variables = {name: place.format(home=folder) for name, place in PLACES.items()}
        local = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "azpg_colocated": True,
            "azpg_poll_interval": 1,
        }
        group = folder / "group_vars" / "migrations"
        group.mkdir(parents=True, exist_ok=True)
        (group / "here.yml").write_text(json.dumps({**variables, **local}), encoding="utf-8")
        if passwords:
            vault = group / "vault.yml"
            vault.write_text(json.dumps(passwords), encoding="utf-8")
            key = folder / "key"
            key.write_text(VAULT_PASSWORD, encoding="utf-8")
            program = str(Path(sys.executable).parent / "ansible-vault")
            subprocess.run(
                [program, "encrypt", "--vault-password-file", str(key), str(vault)], check=True, capture_output=True
            )
            key.unlink()

    def shown(self, document: str, number: int = 0) -> dict:
        """Return the content of the n-th block of YAML of a document."""
        return yaml.safe_load([text for language, text in blocks(document) if language == "yaml"][number])

    def forget(self, *databases: str) -> None:
        """Take away what earlier documents left on the servers; each database is there anew and belongs to shop_owner."""
        self.lab.clean_target()
        for side in ("source", "target"):
            self.drop_user(side)
        for name in databases:
            self.lab.new_database(name)
        for role in ("shop_owner", "billing_owner"):
            if not ask(self.lab.source, f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                ask(self.lab.source, f"CREATE ROLE {role}")
        for name in databases:
            ask(self.lab.source, "REASSIGN OWNED BY app_owner TO shop_owner", name)

    def drop_user(self, side: str) -> None:
        """Drop the migration's user, so that a document's statement can create it."""
        cluster = self.lab.source if side == "source" else self.lab.target
        if ask(cluster, "SELECT 1 FROM pg_roles WHERE rolname = 'migrator'"):
            for (name,) in ask(cluster, "SELECT datname FROM pg_database WHERE datallowconn"):
                ask(cluster, "DROP OWNED BY migrator", name)
            ask(cluster, "DROP ROLE migrator")

    def run_sql(self, sql: str, side: str, dbname: str = "postgres") -> None:
        """Run a document's SQL as an administrator would."""
        cluster = self.lab.source if side == "source" else self.lab.target
        cluster.psql(sql, dbname=dbname)
