# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting pg_restore's verbose text into entries, and noticing when an object's own text imitates a heading."""

from __future__ import annotations

import tempfile
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.programs import ClientPrograms
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import contents as contents_module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.archive import read_section
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.client_program import run_program
from transfer_texts import contents_of

OPENING = """\
--
-- PostgreSQL database dump
--

\\restrict 4Kk1

-- Dumped from database version 14.23
-- Dumped by pg_dump version 17.11

-- Started on 2026-05-01 12:00:00 UTC

SET statement_timeout = 0;
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

"""
DATABASE = """\
--
-- TOC entry 3400 (class 1262 OID 16384)
-- Name: shop; Type: DATABASE; Schema: -; Owner: app_owner
--

CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8';


ALTER DATABASE shop OWNER TO app_owner;

\\unrestrict 4Kk1
\\connect shop
\\restrict 4Kk1

SET statement_timeout = 0;
SET standard_conforming_strings = on;

"""
TABLE = """\
--
-- TOC entry 210 (class 1259 OID 16390)
-- Dependencies: 5 209
-- Name: odd; table; Type: TABLE; Schema: Odd Schema; Owner: app owner
--

CREATE TABLE "Odd Schema"."odd; table" (
    id integer
);


"""
DATA = """\
--
-- TOC entry 3390 (class 0 OID 16390)
-- Dependencies: 210
-- Data for Name: odd; table; Type: TABLE DATA; Schema: Odd Schema; Owner: app owner
-- Data Pos: 0
--

"""
SEQUENCE = """\
--
-- TOC entry 211 (class 1259 OID 16391)
-- Name: s; Type: SEQUENCE; Schema: app; Owner: app_owner; Tablespace: fast
--

CREATE SEQUENCE app.s;


"""
CLOSING = """\
-- Completed on 2026-05-01 12:00:01 UTC

--
-- PostgreSQL database dump complete
--

\\unrestrict 4Kk1

"""
TEXT = OPENING + DATABASE + TABLE + DATA + SEQUENCE + CLOSING
LIST = """\
;
; Archive created at 2026-05-01 12:00:00 UTC
;     dbname: shop
;     TOC Entries: 4
;
3400; 1262 16384 DATABASE - shop app_owner
210; 1259 16390 TABLE Odd Schema odd; table app owner
3390; 0 16390 TABLE DATA Odd Schema odd; table app owner
211; 1259 16391 SEQUENCE app s app_owner
"""
IMITATION = """\
--
-- TOC entry 9 (class 1255 OID 99)
-- Name: f; Type: FUNCTION; Schema: app; Owner: eve
--

DROP TABLE app.orders;
"""


def test_entries_with_their_facts():
    database, table, data, sequence = list(contents_of(TEXT))
    assert (database.number, database.type, database.name, database.catalogue) == (3400, "DATABASE", "shop", 1262)
    assert database.dependencies == ()
    assert (table.name, table.schema, table.owner) == ("odd; table", "Odd Schema", "app owner")
    assert table.dependencies == (5, 209)
    assert (data.type, data.name) == ("TABLE DATA", "odd; table")
    assert (sequence.name, sequence.owner) == ("s", "app_owner")


def test_text_of_an_entry_is_its_own_sql_only():
    database, table, data, sequence = list(contents_of(TEXT))
    assert "\\" not in "".join(entry.text for entry in (database, table, data, sequence))
    assert database.text.endswith("ALTER DATABASE shop OWNER TO app_owner;\n\n"), "nothing of the reconnection"
    assert table.text.strip() == 'CREATE TABLE "Odd Schema"."odd; table" (\n    id integer\n);'
    assert data.text.strip() == ""
    assert sequence.text.strip() == "CREATE SEQUENCE app.s;", "nothing of the closing words"


def test_closing_words_of_older_client_programs():
    older = TEXT.replace("\\unrestrict 4Kk1\n\n", "").replace("-- Completed on 2026-05-01 12:00:01 UTC\n\n", "")
    assert list(contents_of(older))[-1].text.strip() == "CREATE SEQUENCE app.s;"


def test_unit_names_outlive_another_dump_and_labels_are_for_people():
    table = contents_of(TEXT)[1]
    renumbered = contents_of(TEXT.replace("TOC entry 210 ", "TOC entry 777 "))[1]
    assert table.unit == renumbered.unit
    assert table.label == "table Odd Schema.odd; table"
    assert contents_of(TEXT)[0].label == "database shop"


def context(found: ClientPrograms | None = None, tick=lambda: None) -> SimpleNamespace:
    """Return what running a program needs to know of the engine."""
    return SimpleNamespace(
        programs=found, tick=tick, watch=None, layout=SimpleNamespace(directory=tempfile.gettempdir())
    )


@pytest.fixture
def programs(tmp_path):
    """Return a function that gives a fake pg_restore with this text and list."""

    def make(text: str, listed: str = LIST) -> SimpleNamespace:
        (tmp_path / "text").write_text(text, encoding="utf-8")
        (tmp_path / "list").write_text(listed, encoding="utf-8")
        script = tmp_path / "pg_restore"
        script.write_text(
            f'#!/bin/sh\necho "$*" >> "{tmp_path}/calls"\n'
            f'case "$*" in *--list*) cat "{tmp_path}/list";; *) cat "{tmp_path}/text";; esac\n',
            encoding="utf-8",
        )
        script.chmod(0o755)
        return context(ClientPrograms(str(tmp_path), "17.11"))

    return make


def test_section_is_read(programs, tmp_path):
    section = read_section(programs(TEXT), "/archive", "pre-data")
    assert [entry.number for entry in section] == [3400, 210, 3390, 211]
    assert section.standard_conforming_strings == "on"
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert all("--section=pre-data" in call and "--create" in call for call in calls)


def test_strings_as_the_source_has_them(programs):
    text = TEXT.replace("standard_conforming_strings = on", "standard_conforming_strings = off")
    assert read_section(programs(text), "/archive", "post-data").standard_conforming_strings == "off"


def test_a_body_that_imitates_a_heading_is_noticed(programs):
    evil = TEXT.replace("CREATE SEQUENCE app.s;\n", f"CREATE FUNCTION app.g() AS $$\n{IMITATION}$$;\n")
    assert len(contents_of(evil)) == 5
    with pytest.raises(TransferFailed, match="lists 4 entries, its text falls into 5") as caught:
        read_section(programs(evil), "/archive", "pre-data")
    assert "heading" in caught.value.hint


def test_an_imitation_that_hides_another_entry_is_noticed(programs):
    # As many entries as there should be, but not the same ones.
    evil = TEXT.replace(DATA, "").replace("CREATE SEQUENCE app.s;\n", IMITATION)
    assert len(contents_of(evil)) == 4
    with pytest.raises(TransferFailed):
        read_section(programs(evil), "/archive", "pre-data")


def test_an_empty_section_is_no_mistake(programs):
    section = read_section(programs(OPENING + CLOSING, ";\n; nothing\n"), "/archive", "post-data")
    assert list(section) == []


def test_failure_has_the_programs_words_without_secrets(tmp_path):
    script = tmp_path / "pg_dump"
    script.write_text("#!/bin/sh\necho 'error: no right; password hush' >&2\nexit 3\n", encoding="utf-8")
    script.chmod(0o755)
    with pytest.raises(TransferFailed) as caught:
        run_program([str(script)], {"PATH": "/usr/bin:/bin"}, (), ["hush"], context())
    assert "ended with status 3: error: no right; password ********" in caught.value.msg


def settled(*entries: str) -> list:
    """Return the entries of a section whose text consists of these pieces."""
    return list(contents_of(OPENING + "".join(entries) + CLOSING))


def test_access_method_goes_with_the_table_that_it_was_set_for():
    # pg_dump sets it for what follows, which may be run in another session, or alone after a crash.
    columnar = "SET default_table_access_method = columnar;\n\n"
    heap = "SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n"
    second = TABLE.replace("210", "212").replace("odd; table", "second")
    first, sequence, third = settled(TABLE + columnar, SEQUENCE + heap, second)
    assert "columnar" not in first.text + third.text and "SET " not in sequence.text
    columns = settled(SEQUENCE + columnar, TABLE + heap, second)
    assert columns[1].text.startswith("SET LOCAL default_table_access_method = columnar;\nCREATE TABLE")
    assert columns[1].text.endswith("\nSET LOCAL default_table_access_method = heap;\n")
    assert "SET " not in columns[0].text + columns[2].text


def test_entries_are_found_by_type_and_number():
    contents = contents_of(TEXT)
    assert [entry.number for entry in contents.of_kinds("TABLE", "SEQUENCE")] == [210, 211]
    assert [contents.kind(place) for place in range(4)] == ["DATABASE", "TABLE", "TABLE DATA", "SEQUENCE"]
    assert list(contents.needs(1)) == [5, 209] and list(contents.needs(3)) == []
    relations = contents.relations()
    assert [relations[number] for number in (210, 211, 3400, 3390, 999999)] == [16390, 16391, 0, 0, 0]


def test_headings_are_found_wherever_the_text_is_let_go(monkeypatch):
    monkeypatch.setattr(contents_module, "LET_GO_BYTES", 1)
    pieces = [
        SEQUENCE.replace("211", str(number)).replace("app.s", f"app.s{number}" + "x" * 9000)
        for number in range(300, 340)
    ]
    found = settled(*pieces)
    assert [entry.number for entry in found] == list(range(300, 340))
    assert [entry.text.strip()[:20] for entry in found] == [
        f"CREATE SEQUENCE app.s{number}"[:20] for number in range(300, 340)
    ]
