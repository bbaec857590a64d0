# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of the documentation, typed in their order by somebody who has nothing but what the documents say.

The first test installs; the others go on in the same home, as a reader would.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.servers import contents

from tests.commands.documents import blocks, commands, documents, rule_of

DONE: set = set()
FIRST, SECOND = "the first password", "the second password"


def follow(world, document: str, before: dict | None = None, *, sql=None, only=None) -> dict:
    """Do what a document says, from top to bottom; return C({command: what was shown}).

    I(before) has functions to call before commands that match a pattern; I(sql) is called with each block of SQL.
    """
    shown = {}
    for command in commands(document):
        if only and not only(command):
            continue
        rule = rule_of(command)
        DONE.add(command)
        if rule.what != "run":
            continue
        if command.language == "sql":
            if sql:
                sql(command.text)
            continue
        for pattern, prepare in (before or {}).items():
            if re.search(pattern, command.text):
                prepare()
        shown[command.text] = world.type(command.text)
    return shown


def secret(sql: str, password: str) -> str:
    """Return SQL with a password in the place of three dots."""
    return sql.replace("'...'", f"'{password}'")


def test_first_migration(world):
    """From nothing to a proven migration, by docs/first-migration.md alone."""
    world.forget("shop")
    folder = world.go("first")
    world.answers = {"Password on the source: ": FIRST, "Password on the target: ": SECOND}
    world.write_inventory(folder, world.shown("docs/first-migration.md"))

    def run_sql(text: str) -> None:
        world.run_sql(text, "target" if "CREATEDB" in text else "source")

    shown = follow(world, "docs/first-migration.md", sql=run_sql)
    assert "MATCH" in shown["ansible-playbook azpg.migrate.verify -i inventory.yml"]
    assert contents(world.lab.source, "shop") == contents(world.lab.target, "shop")
    assert (folder / "reports" / "shop" / "verification.html").exists()
    assert (folder / "reports" / "shop" / "timeline.html").exists()
    record = json.loads((folder / "archive" / "shop" / "final-record.json").read_text(encoding="utf-8"))
    assert record["verification"]["verdict"] == "MATCH"
    assert not (folder / "state").exists()


def users(world, sql_of: dict) -> None:
    """Create both users with the statements that a document shows, by side."""
    for side, texts in sql_of.items():
        for text in texts:
            world.run_sql(secret(text, FIRST if side == "source" else SECOND), side)


def by_side(document: str) -> dict:
    """Return the blocks of SQL of a document that create users, by the side that they are for."""
    found: dict = {"source": [], "target": []}
    for language, text in blocks(document):
        if language == "sql" and "CREATE ROLE migrator" in text:
            found["target" if "CREATEDB" in text else "source"].append(text)
    return found


def test_readme(world):
    """The README's own way, with a vault; `make demo` in a clone; the page of a fleet."""
    world.forget("shop", "billing")
    for language, text in blocks("README.md"):
        if language == "sql":
            side = "target" if "On the target" in text else "source"
            world.drop_user(side)
            world.run_sql(
                secret(text, FIRST if side == "source" else SECOND), side, "shop" if side == "source" else "postgres"
            )
    world.run_sql("GRANT shop_owner TO migrator", "source")
    folder = world.go("readme")
    inventory = world.shown("README.md")
    world.write_inventory(folder, inventory, source_password=FIRST, target_password=SECOND)
    back = {"^ansible-playbook azpg": lambda: world.go("readme"), "^git clone": lambda: world.go("clones")}
    shown = follow(world, "README.md", back)
    assert "changed=0" in shown["cd migrate && make demo"] and "Proven: MATCH" in shown["cd migrate && make demo"]
    site = shown["ansible-playbook azpg.migrate.site -i inventory.yml --ask-vault-pass"]
    assert "MATCH" in site and FIRST not in site and SECOND not in site
    assert contents(world.lab.source, "billing") == contents(world.lab.target, "billing")
    fleet = shown["ansible-playbook azpg.migrate.fleet -i inventory.yml --forks 10 --ask-vault-pass"]
    assert "1 migration: 1 decommissioned; 1 proven equal" in fleet
    assert (folder / "reports" / "fleet.html").exists()
    assert "fleet_page" in world.type("ansible-doc -t filter -l azpg.migrate")


def ready(world, name: str, *databases: str) -> Path:
    """Make users and an inventory as docs/first-migration.md has them, in a folder of that name."""
    world.forget(*databases)
    users(world, by_side("docs/first-migration.md"))
    folder = world.go(name)
    inventory = world.shown("docs/first-migration.md")
    world.write_inventory(folder, inventory)
    return folder


def test_networks(world):
    ready(world, "networks", "shop")
    (shown,) = list(follow(world, "docs/networks.md").values())
    assert re.search(r"ok=\d+ .*failed=0", shown)


def test_rollback(world):
    """Each way back, from where it is needed."""
    ready(world, "rollback", "shop")
    playbook = "ansible-playbook azpg.migrate.{} -i inventory.yml"

    def provisioned() -> None:
        world.type("rm -rf state archive")
        world.type(playbook.format("provision"))

    def moved_and_fenced() -> None:
        world.forget("shop")
        users(world, by_side("docs/first-migration.md"))
        world.run_sql("GRANT pg_signal_backend, pg_read_all_stats TO migrator", "source")
        provisioned()
        world.type(playbook.format("migrate"))
        world.type(playbook.format("verify") + " -e azpg_fence=up")

    def rename(sql: str) -> None:
        world.run_sql(sql.strip(), "source")

    shown = follow(
        world, "docs/rollback.md", {"outcome=abandoned": provisioned, "fence=down": moved_and_fenced}, sql=rename
    )
    assert all(re.search(r"failed=0", text) for text in shown.values())
    assert not list((world.home / "rollback").glob("state/migrations/*")) or "fence=down" in list(shown)[-1]


@pytest.mark.parametrize("document", ["docs/online.md", "docs/azure-migrations.md", "docs/azure-runtime-server.md"])
def test_guides_of_other_ways(world, document):
    """The same commands with the provider and mode that can be had here; their own ways are tested with a simulator."""
    ready(world, "ways", "shop")
    shown = follow(world, document, sql=lambda text: world.run_sql(text, "source"))
    for command, text in shown.items():
        if command.startswith("ansible-playbook "):
            assert "failed=0" in text


def test_fleet(world):
    """The inventory of docs/fleet.md, with three migrations over two runtime servers."""
    names = ("shop", "billing", "crm", "warehouse")
    world.forget(*names)
    users(world, by_side("docs/first-migration.md"))
    folder = world.go("fleet")
    inventory = world.shown("docs/fleet.md")
    variables = inventory["migrations"]["vars"]
    for side, password in (("source", FIRST), ("target", SECOND)):
        cluster = world.lab.source if side == "source" else world.lab.target
        variables[f"azpg_{side}"].update(host=cluster.host, port=cluster.port)
        variables[f"vault_{side}_password"] = password
    world.write_inventory(folder, inventory)
    shown = follow(world, "docs/fleet.md")
    fleet = shown["ansible-playbook azpg.migrate.fleet -i inventory.yml --forks 10"]
    assert "3 migrations: 3 decommissioned; 3 proven equal" in fleet


def test_installing(world):
    """Each way of installing, in a home of its own for collections."""
    folder = world.go("installing")
    requirements = folder / "collections" / "requirements.yml"
    requirements.parent.mkdir()
    requirements.write_text(json.dumps(world.shown("docs/installing.md")), encoding="utf-8")
    installed = world.home / ".ansible" / "collections" / "ansible_collections" / "azpg" / "migrate"

    def away() -> None:
        world.type("rm -rf ~/.ansible/collections")

    shown = follow(world, "docs/installing.md", {r"collection install (?:git|--offline)": away})
    assert all("was installed successfully" in text for command, text in shown.items() if " install " in command)
    assert (installed / "MANIFEST.json").exists()
    assert (folder / "collections" / "ansible_collections" / "azpg" / "migrate" / "MANIFEST.json").exists()
    # A certain version, as the page says.
    world.type("rm -rf ~/.ansible/collections")
    assert "azpg.migrate:0.1.0" in world.type(
        "ansible-galaxy collection install git+https://github.com/azpg/migrate.git,0.1.0"
    )
    world.go("elsewhere")
    shown = " ".join(world.type("ansible-doc azpg.migrate.migration").split())
    assert "Starts the transfer on the runtime server, attaches to it while it runs" in shown


def test_pattern_for_awx(world):
    world.go("awx")
    world.type("rm -rf ~/.ansible/collections")
    follow(world, "extensions/patterns/migrate_postgresql/README.md", {"^mkdir -p ~/migrations": lambda: None})
    assert (world.home / "migrations" / "playbooks" / "migrate.yml").exists()
    assert (world.home / "migrations" / "inventory.yml").exists()
    world.type("cd ~/migrations && ansible-playbook --syntax-check -i inventory.yml playbooks/migrate.yml")


def test_permissions(world):
    """Every statement, on a server of a version that has it."""
    world.forget("shop", "billing")

    def run_sql(text: str) -> None:
        on_target = "CREATEDB" in text or "SET ON PARAMETER" in text
        side = "target" if on_target else "source"
        if "CREATE ROLE migrator" in text:
            world.drop_user(side)
        elif text.startswith("DROP ROLE"):
            world.run_sql("REVOKE ALL ON DATABASE shop, billing FROM migrator", "source")
        world.run_sql(secret(text, FIRST), side)

    follow(world, "docs/permissions.md", sql=run_sql)


@pytest.mark.parametrize("document", [name for name in documents() if name.startswith("roles/")])
def test_roles(world, document):
    world.go("roles")
    follow(world, document)


def test_every_document_has_been_followed(world):
    """Nothing is left out because somebody added a page."""
    texts = {command.text for command in DONE}
    rest = {command for document in documents() for command in commands(document) if command.text not in texts}
    world.go("rest")
    for command in sorted(rest):
        assert rule_of(command).what != "run" or re.match(r"ansible-doc |python3 -m pip install ", command.text), (
            command
        )
        if rule_of(command).what == "run":
            world.type(command.text)
    counted = {"run": 0, "elsewhere": 0, "listed": 0}
    for command in rest | DONE:
        counted[rule_of(command).what] += 1
    print(f"commands: {counted}")
    assert counted["run"] > 40
