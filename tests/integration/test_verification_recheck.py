# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rechecks read what may have changed and carry the rest, whoever else is at work, and refuse what they cannot rest on."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import psycopg2
import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._module.verification import check
from ansible_collections.azpg.migrate.plugins.module_utils._verify.arrival import await_counters, moment
from ansible_collections.azpg.migrate.plugins.module_utils._verify.identity import counters
from ansible_collections.azpg.migrate.plugins.module_utils._verify.page import render
from ansible_collections.azpg.migrate.plugins.module_utils._verify.recheck_mode import BaseRefused
from ansible_collections.azpg.migrate.plugins.module_utils._verify.report import read_report
from ansible_collections.azpg.migrate.plugins.modules.verification import SPECIFICATION
from support.rows import SIDES, Ends, bad_tables, carried, left_alone, told
from support.servers import ask, drop_database, session
from support.waiting import wait_for


def write(ends: Ends, side: str, sql: str) -> None:
    """Write in a session that has left when this returns."""
    ends.run(side, sql)
    wait_for(lambda: left_alone(ends, side), "the end of the session")


def test_a_recheck_reads_only_what_may_have_changed(calm):
    base = calm.verify()
    assert base["verdict"] == "MATCH"
    tables = {item["table"] for item in base["databases"][0]["tables"]}
    write(calm, "target", "UPDATE texts SET n = 0 WHERE id = 'k9'")
    write(calm, "source", "UPDATE equal SET note = note")
    found = calm.verify(mode="recheck", base=base)
    assert found["verdict"] == "MISMATCH" and bad_tables(found) == ["public.texts"]
    assert told(found, "texts") == [("changed", ("k9",), ("n",))]
    assert carried(found) == tables - {"texts", "equal"}
    assert found["base"]["sha256"] == base["sha256"] and found["totals"]["tables"] == base["totals"]["tables"]
    assert found["totals"]["rows"] == base["totals"]["rows"]

    # What differed is read again although nothing was written to the tables since; the chain goes back to the full one.
    write(calm, "target", "UPDATE texts SET n = 9 WHERE id = 'k9'")
    mended = calm.verify(mode="recheck", base=found)
    assert mended["verdict"] == "MATCH", mended["reason"]
    assert "texts" not in carried(mended) and "equal" in carried(mended)
    assert [link["mode"] for link in mended["base"]["chain"]] == ["recheck", "full"]
    assert "2 tables read again" in mended["reason"] or "1 table read again" in mended["reason"]
    assert base["sha256"][:12] not in mended["reason"] and found["sha256"][:12] in render(mended)
    # Nothing was written on either side: everything is carried, and still compared.
    assert carried(calm.verify(mode="recheck", base=mended)) == tables


def test_counters_hold_what_a_session_wrote_that_leaves_while_they_are_waited_for(calm):
    for side in SIDES:
        writer = psycopg2.connect(**calm.lab.endpoint(side, dbname=calm.name))
        writer.autocommit = True
        writer.cursor().execute("UPDATE equal SET note = note")

        def leave(seconds: float, writer=writer) -> None:
            writer.close()
            time.sleep(seconds)

        with session(calm.cluster(side)) as asking:
            left = calm.name not in await_counters(asking, [calm.name], moment(None), sleep=leave)
        with session(calm.cluster(side), calm.name) as asking:
            # On a machine that is very busy it is still about to leave, and known to be there.
            assert not left or counters(asking)["tables"]["public.equal"][1] == "100"


def test_a_recheck_reads_a_table_whose_definition_changed_and_new_ones(calm):
    base = calm.verify()
    calm.both(
        "ALTER TABLE equal RENAME note TO remark; CREATE TABLE late (id integer); ALTER TABLE late OWNER TO app_owner"
    )
    found = calm.verify(mode="recheck", base=base)
    assert found["verdict"] == "MATCH", found["reason"]
    assert {"equal", "late"} & carried(found) == set() and "many" in carried(found)


def test_a_recheck_reads_everything_while_a_session_could_hide_its_writes(calm):
    base = calm.verify()
    connection = psycopg2.connect(**calm.lab.endpoint("target", dbname=calm.name))
    try:
        connection.autocommit = True
        connection.cursor().execute("SELECT txid_current()")
        assert carried(calm.verify(mode="recheck", base=base)) == set()
    finally:
        connection.close()


def test_a_recheck_refuses_what_it_cannot_rest_on(calm, faulty):
    base = calm.verify()
    edited = {**base, "verdict": "MISMATCH"}
    for wrong, word in (
        (None, "no earlier report"),
        (edited, "was edited"),
        (calm.verify(mode="counts"), "is of mode 'counts'"),
        (calm.verify(mode="sample"), "is of mode 'sample'"),
        (faulty.verify(mode="full"), "another migration"),
    ):
        with pytest.raises(BaseRefused, match=word):
            calm.verify(mode="recheck", base=wrong)
    for side in SIDES:
        calm.run(side, "SELECT 1")
    ask(calm.cluster("target"), f"ALTER DATABASE {calm.name} RENAME TO rows_before")
    ask(calm.cluster("target"), f"CREATE DATABASE {calm.name} TEMPLATE rows_before")
    drop_database(calm.cluster("target"), "rows_before")
    with pytest.raises(BaseRefused, match="another server as target"):
        calm.verify(mode="recheck", base=base)


def test_the_module_rests_on_the_report_it_wrote_and_returns_little(faulty, tmp_path):
    words = {word: option.get("default") for word, option in SPECIFICATION.items()}
    words.update(
        max_differences=200, report_directory=str(tmp_path / "reports"), signing_key="a key that nobody guesses"
    )
    layout = Layout.create("rows", str(tmp_path / "state"))

    def run_it(mode: str) -> dict:
        task = SimpleNamespace(
            request=faulty.request(),
            check_mode=False,
            final_record=lambda: None,
            layout=layout,
            parameters={**words, "check": mode},
        )
        return check(task)

    with pytest.raises(PreconditionFailed, match="no verification report"):
        run_it("recheck")
    first, second = run_it("full"), run_it("recheck")
    assert "MISMATCH" in first["failure"] and second["verification"]["mode"] == "recheck"
    assert read_report(second["verification"]["report"])["base"]["sha256"] == first["verification"]["sha256"]
    assert second["verification"]["totals"]["carried"] == 1
    assert len(json.dumps(first)) < 30_000
    (table,) = [item for item in first["verification"]["databases"][0]["tables"] if item["name"] == "public.many"]
    assert table["diff"]["estimate"] == "3000" and len(table["diff"]["differences"]) == 5
