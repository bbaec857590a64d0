# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""psql as the reading end: what it is told, and what its end means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Endpoint
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.source_program import SourceProgram, script

PASSWORD = "hüsh: it's \\ secret"
TO_NOTES = "notes=$(sed -n 's/^.o \\(.*\\)/\\1/p' | head -1); "


@pytest.fixture
def program(tmp_path):
    """Return a function that makes a SourceProgram whose psql is a shell script."""

    def make(text: str) -> SourceProgram:
        path = tmp_path / "psql"
        path.write_text("#!/bin/sh\n" + text, encoding="utf-8")
        path.chmod(0o700)
        endpoint = Endpoint.from_dict({"host": "h", "user": "u", "password": PASSWORD, "sslmode": "require"})
        return SourceProgram(str(path), endpoint, "shop", "label", "1-2-3", 140000)

    return make


def ended(one: SourceProgram) -> tuple:
    """Return what came through the pipe and the number of rows."""
    with one.run("COPY x TO STDOUT") as pipe:
        content = b""
        while True:
            some = os.read(pipe, 1 << 16)
            if not some:
                return content, one.rows()
            content += some


def test_script_says_it_in_one_transaction():
    text = script('COPY "a:b" ("c d", "to") TO STDOUT (FORMAT binary)', "1'2", "/dev/fd/5", {"x": "it's"}, {"y": "2s"})
    assert text.splitlines() == [
        r"\o /dev/fd/5",
        r"\set VERBOSITY verbose",
        "SET y TO '2s';",
        r"\set ON_ERROR_STOP on",
        "SET x TO 'it''s';",
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
        "SET TRANSACTION SNAPSHOT '1''2';",
        r'\copy "a:b" ("c d", "to") to pstdout (FORMAT binary)',
        "COMMIT;",
    ]


def test_name_of_two_lines_is_no_reason_to_stop():
    copy_out = 'COPY "a\nb" ("c") TO STDOUT (FORMAT binary)'
    assert f"{copy_out} \\g /dev/stdout\n" in script(copy_out, "1", "/dev/fd/5", {}, {})


def test_rows_come_through_the_pipe_and_their_number_from_the_notes(program):
    one = program(TO_NOTES + "printf 'some rows'; echo COPY 42 > $notes")
    assert ended(one) == (b"some rows", 42)


def test_password_is_in_no_argument_and_no_environment(program, tmp_path):
    ended(
        program(
            f"cat /proc/$$/cmdline /proc/$$/environ > {tmp_path}/seen; cp $PGPASSFILE {tmp_path}/pass; {TO_NOTES} echo COPY 0 > $notes"
        )
    )
    seen = (tmp_path / "seen").read_bytes()
    assert b"PGAPPNAME=label" in seen and b"PGSSLMODE=require" in seen and b"--no-psqlrc" in seen
    assert PASSWORD.encode() not in seen
    assert Path(tmp_path / "pass").read_text(encoding="utf-8") == "*:*:*:*:hüsh\\: it's \\\\ secret\n"


@pytest.mark.parametrize(
    ("words", "transient", "sqlstate"),
    [
        ("psql:<stdin>:9: ERROR:  42501: permission denied for table t", False, "42501"),
        ("psql:<stdin>:9: FEHLER:  42501: keine Berechtigung für Tabelle t", False, "42501"),
        ("psql:<stdin>:9: ERREUR:  40001: n''a pas pu serialiser", True, "40001"),
        ("psql:<stdin>:9: FATAL:  57P01: terminating connection due to administrator command", True, "57P01"),
        ("psql:<stdin>:9: ERROR:  53100: could not extend file: No space left on device", False, "53100"),
        ("psql:<stdin>:9: ERROR:  53200: out of memory", True, "53200"),
        ("psql:<stdin>:9: error: COPY data transfer failed: SSL SYSCALL error: EOF detected", True, None),
        ("psql: error: connection to server at h failed: FATAL:  sorry, too many clients already", True, None),
        ("psql:<stdin>:9: error: /dev/fd/5: No such file or directory", False, None),
    ],
)
def test_words_of_psql_tell_whether_to_try_again(program, words, transient, sqlstate):
    one = program(f'echo "{words}" >&2; exit 3')
    with pytest.raises(TransferFailed) as caught:
        ended(one)
    assert words in caught.value.msg
    assert caught.value.details == {"transient": transient, "sqlstate": sqlstate}
    assert one.failure is caught.value


def test_killed_psql_is_tried_again(program):
    with pytest.raises(TransferFailed, match="status -9") as caught:
        ended(program("kill -9 $$"))
    assert caught.value.details["transient"] is True


def test_snapshot_that_is_gone_is_asked_for_again(program):
    words = "psql:<stdin>:9: ERROR:  22023: invalid snapshot identifier"
    for note, transient in (("BEGIN", True), ("SET", False)):
        with pytest.raises(TransferFailed) as caught:
            ended(program(TO_NOTES + f"echo {note} > $notes; echo '{words}' >&2; exit 3"))
        assert caught.value.details["transient"] is transient


def test_good_end_without_a_number_of_rows_is_none(program):
    with pytest.raises(TransferFailed, match="status 0"):
        ended(program(TO_NOTES + "echo SET > $notes"))


def test_password_in_the_words_of_psql_is_hidden(program):
    with pytest.raises(TransferFailed) as caught:
        ended(program(f'echo "{PASSWORD}" >&2; exit 1'.replace("\\", "\\\\")))
    assert PASSWORD not in caught.value.msg


def test_psql_is_gone_when_the_block_is_left(program):
    one = program("exec sleep 60")
    with pytest.raises(KeyError), one.run("COPY x TO STDOUT"):
        raise KeyError
    assert one.process.returncode == -9
