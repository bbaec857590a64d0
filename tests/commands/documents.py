# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every command that the documentation tells people to type, and what becomes of it here.

Commands stand in blocks of bash and SQL, and in running text between backquotes. `RULES` says of each whether it is run
as it stands (`test_commands.py`), whether its like is tested elsewhere, or why it can be neither.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:ansible-(?:doc|playbook|vault|galaxy|builder|test)|make|pip|psql|az) [^`\n]+|make [a-z-]+)`")
# Names of things that are no commands, though they look like them.
NOT_TYPED = re.compile(
    r"^(?:ansible-vault create|ansible-test sanity|az postgres flexible-server migration create --properties)$"
)


class Command(NamedTuple):
    """One command: where it stands, its language, its words."""

    document: str
    language: str
    text: str


class Rule(NamedTuple):
    """What becomes of commands: C(run), C(elsewhere) with a test or a make target, or C(listed) with a reason."""

    pattern: str
    what: str
    why: str = ""


RULES = (
    Rule(r"pg_dump --version", "run"),
    Rule(r"python3 -m venv .*", "run"),
    Rule(r"\. ~/azpg/bin/activate", "run"),
    Rule(r"(?:python3 -m )?pip install .*", "run"),
    Rule(r"ansible-galaxy collection (?:install|build) .*", "run"),
    Rule(r"git clone https://github\.com/azpg/migrate\.git", "run"),
    Rule(r"cd (?:~/\.ansible/\S+|migrate && make demo)", "run"),
    Rule(r"mkdir -p ~/migrations && .*", "run"),
    Rule(r"read -rsp .*", "run"),
    Rule(r"ansible-playbook azpg\.migrate\.\w+(?: -.*)?", "run"),
    Rule(r"ansible-doc .*", "run"),
    Rule(r"export CONTROLLER_HOST=.*", "run"),
    Rule(
        r"ansible-playbook configuration/configure\.yml .*",
        "elsewhere",
        "tests/unit/awx/test_awx_pattern.py: the playbook runs with a recorder in the place of AWX",
    ),
    Rule(r"ansible-builder build .*", "listed", "needs a container engine; `make lint` makes the build context"),
    Rule(r"az .*", "listed", "needs Azure; what it shows comes from the service that the simulator stands for"),
    Rule(r"make (?:setup|format|clean|build|help)", "elsewhere", "every other target needs them"),
    Rule(r"make [a-z-]+(?: [A-Z]+=.*)?", "elsewhere", "a target of its own"),
    Rule(r"(?s)(?:-- |CREATE |GRANT |ALTER |DROP |SELECT ).*", "run"),
)


def documents() -> list:
    """Return the documents for people who use the collection or develop it, as paths inside the checkout."""
    found = ["README.md", "examples/README.md"]
    for pattern in ("docs/*.md", "extensions/**/*.md", "roles/*/README.md"):
        found += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))
    return found


def blocks(document: str) -> list:
    """Return C((language, text)) of a document's blocks, in order."""
    found = []
    for indent, language, text in BLOCK.findall((ROOT / document).read_text(encoding="utf-8")):
        found.append((language, "\n".join(line[len(indent) :] for line in text.splitlines())))
    return found


def commands(document: str) -> list:
    """Return the commands of a document, those of blocks in order and those of running text behind them."""
    found = []
    for language, text in blocks(document):
        if language == "bash":
            joined = text.replace("\\\n", " ")
            found += [Command(document, "bash", line.strip()) for line in joined.splitlines() if line.strip()]
        elif language == "sql":
            found.append(Command(document, "sql", text))
    running = BLOCK.sub("", (ROOT / document).read_text(encoding="utf-8"))
    for text in dict.fromkeys(INLINE.findall(running)):
        if not NOT_TYPED.match(text):
            found.append(Command(document, "text", text))
    return found


def rule_of(command: Command) -> Rule | None:
    """Return the first rule for a command."""
    return next((rule for rule in RULES if re.fullmatch(rule.pattern, command.text)), None)
