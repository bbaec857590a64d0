# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The schema as pg_dump describes it, cut into the entries of the archive's table of contents.

pg_dump knows every kind of object of every server version, so it writes the schema; pg_restore renders the archive as
SQL text, which is then run in our own sessions entry by entry. In its verbose form the text names before each entry the
entry's number and the numbers of those it depends on; that is the graph the transfer is planned by.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from array import array
from typing import Callable

from .._core.errors import TransferFailed
from .._postgres.environment import client_environment
from .client_program import run_program
from .contents import Contents

SECTIONS = ("pre-data", "post-data")
RESTORE_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
LISTED = re.compile(rb"(\d+); ")
KEEPALIVES = "keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=6"


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


def restore_command(context, section: str) -> list:
    """Return the beginning of the command by which pg_restore shows section I(section) of an archive."""
    command = [context.programs.path("pg_restore"), "--no-tablespaces", f"--section={section}"]
    if section == "pre-data":
        command.append("--create")  # so that what describes the database itself is listed too
    return command


def list_section(context, path: str, section: str) -> array:
    """Return the numbers of the entries of section I(section), C(pre-data) or C(post-data), of the archive I(path)."""
    # The list goes to a file that has no name, beside the archive, which is as private.
    with tempfile.TemporaryFile(dir=context.layout.directory) as listing:
        command = [*restore_command(context, section), "--list", path]
        run_program(command, RESTORE_ENVIRONMENT, (), [], context, output=listing)
        listing.seek(0)
        return array("I", (int(found[1]) for found in map(LISTED.match, listing) if found))


def read_section(context, path: str, section: str, listed: Callable[[], array] | None = None) -> Contents:
    """Return the entries of section I(section), C(pre-data) or C(post-data), of the archive I(path).

    The text goes to a file that has no name, beside the archive, which is as private.

    :param listed: gives what M(list_section) returns, if somebody has asked already
    :raises TransferFailed: when the text does not fall into exactly the entries that the archive lists, which would
        mean that an object's own text imitates an entry's heading
    """
    with contextlib.ExitStack() as stack:
        text = stack.enter_context(tempfile.TemporaryFile(dir=context.layout.directory))
        command = [*restore_command(context, section), "--verbose", "--file=-", path]
        run_program(command, RESTORE_ENVIRONMENT, (), [], context, output=text)
        contents = Contents(text)
        numbers = listed() if listed else list_section(context, path, section)
        compare_lists(contents, numbers, f"The {section} section of {path}")
        stack.pop_all()
    return contents


def compare_lists(contents: Contents, listed, what: str) -> None:
    """Hold the entries that were found in a text against the numbers of those that are listed.

    :raises TransferFailed: when they are not the same
    """
    known = bytearray(max(contents.numbers, default=0) + 1)
    for number in contents.numbers:
        known[number] += known[number] < 2
    count, same = 0, True
    for number in listed:
        count += 1
        same = same and number < len(known) and known[number] == 1
    if not same or count != len(contents):
        raise TransferFailed(
            f"{what} lists {count} entries, its text falls into {len(contents)}.",
            "An object's definition contains text that looks like a heading of pg_dump; remove that comment on the source.",
        )
