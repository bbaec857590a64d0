# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema as pg_dump describes it, cut into the entries of the archive's table of contents.

pg_dump knows every kind of object of every server version, so it writes the schema; pg_restore renders the archive as
SQL text, which is then run in our own sessions entry by entry. In its verbose form the text names before each entry the
entry's number and the numbers of those it depends on; that is the graph the transfer is planned by.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import NamedTuple

from .._core.errors import TransferFailed
from .._postgres.environment import client_environment
from .client_program import run_program

HEADER = re.compile(
    r"^--\n-- TOC entry (?P<number>\d+) \(class (?P<catalogue>\d+) OID (?P<oid>\d+)\)\n"
    r"(?:-- Dependencies:(?P<dependencies>[ \d]*)\n)?"
    r"-- (?:Data for )?Name: (?P<name>[^\n]*); Type: (?P<type>[^\n;]*); Schema: (?P<schema>[^\n]*?);"
    r" Owner: (?P<owner>[^\n]*?)(?:; Tablespace: [^\n]*)?\n(?:-- Data Pos: \d+\n)?--\n\n",
    re.MULTILINE,
)
CLOSING = re.compile(
    r"(?:^-- Completed on [^\n]*\n+)?^--\n-- PostgreSQL database dump complete\n--\n+(?:^\\unrestrict [^\n]*\n+)?\Z",
    re.MULTILINE,
)
# After what describes the database itself the text reconnects, in psql's own words.
RECONNECTION = re.compile(r"^\\(?:unrestrict|connect) ", re.MULTILINE)
LISTED = re.compile(r"^(\d+); ", re.MULTILINE)
KEEPALIVES = "keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=6"
STRINGS = re.compile(r"^SET standard_conforming_strings = (on|off);$", re.MULTILINE)


class Entry(NamedTuple):
    """One entry of the table of contents; I(oid) is that of the source's row in the catalogue I(catalogue)."""

    number: int
    catalogue: int
    oid: int
    dependencies: tuple
    name: str
    type: str
    schema: str
    owner: str
    text: str

    @property
    def unit(self) -> str:
        """The entry's name in journal and markers: stable over two dumps of an unchanged source, unlike the number."""
        return f"{self.type}:{self.schema}:{self.name}:{self.owner}:{self.oid}"

    @property
    def label(self) -> str:
        """The entry as people name it."""
        place = "" if self.schema in ("-", "") else f"{self.schema}."
        return f"{self.type.lower()} {place}{self.name}"


@dataclass(frozen=True)
class Section:
    """The entries of one section in the order in which they must be created."""

    entries: tuple
    standard_conforming_strings: str


def dump_schema(context, database: str, snapshot: str, path: str) -> None:
    """Write the schema of I(database) as seen by the exported I(snapshot) to the archive I(path).

    :raises TransferFailed: with pg_dump's own words
    :raises ConnectionFailed: when it lost its connection
    """
    source, programs = context.request.source, context.programs
    command = [
        programs.path("pg_dump"), "--format=custom", "--schema-only", "--no-subscriptions", "--no-tablespaces",
        "--no-security-labels", f"--snapshot={snapshot}", "--lock-wait-timeout=60s", f"--file={path}",
        f"--dbname={KEEPALIVES}",
    ]  # fmt: skip
    label = context.sessions.label("source", "dump")
    with client_environment(source, database, label) as (environment, pass_fds):
        run_program(command, environment, pass_fds, [source.password], context, label)


def entry_text(kind: str, text: str) -> str:
    """Return the SQL of an entry without what follows it for psql."""
    return RECONNECTION.split(text, maxsplit=1)[0] if kind.startswith("DATABASE") else text


def split(text: str) -> list:
    """Cut the verbose text of pg_restore into entries."""
    body = CLOSING.sub("", text)
    headers = list(HEADER.finditer(body))
    ends = [header.start() for header in headers[1:]] + [len(body)]
    return [
        Entry(
            number=int(header["number"]),
            catalogue=int(header["catalogue"]),
            oid=int(header["oid"]),
            dependencies=tuple(int(number) for number in (header["dependencies"] or "").split()),
            name=header["name"],
            type=sys.intern(header["type"]),
            schema=sys.intern(header["schema"]),
            owner=sys.intern(header["owner"]),
            text=entry_text(header["type"], body[header.end() : end]),
        )
        for header, end in zip(headers, ends)
    ]


def read_section(context, path: str, section: str) -> Section:
    """Return the entries of section I(section), C(pre-data) or C(post-data), of the archive I(path).

    :raises TransferFailed: when the text does not fall into exactly the entries that the archive lists, which would
        mean that an object's own text imitates an entry's heading
    """
    base = [context.programs.path("pg_restore"), "--no-tablespaces", f"--section={section}"]
    if section == "pre-data":
        base.append("--create")  # so that what describes the database itself is listed too
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    text = run_program([*base, "--verbose", "--file=-", path], environment, (), [], context)
    listed = run_program([*base, "--list", path], environment, (), [], context)
    entries = split(text)
    expected = sorted(int(number) for number in LISTED.findall(listed))
    if sorted(entry.number for entry in entries) != expected:
        raise TransferFailed(
            f"The {section} section of {path} lists {len(expected)} entries, its text falls into {len(entries)}.",
            "An object's definition contains text that looks like a heading of pg_dump; remove that comment on the source.",
        )
    strings = STRINGS.search(text)
    return Section(tuple(entries), strings[1] if strings else "on")
