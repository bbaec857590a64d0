# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The small parts around the stream: rows, lag, confirmed positions, tables without identity, definitions."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed, TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.contents import Entry
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online import (
    announcement,
    base,
    cutover,
    definitions,
    final,
    published,
    rows,
    slot,
    stream,
)
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.confirmation import Confirmation
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.lag import Lag
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.position import Snapshot
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.online.tables import Table
from online_streams import relation, sized, table, target_column


def test_rows_for_copy():
    images = [sized(7), b"\xff\xff\xff\xff", sized("a\tb\\c\nd")]
    assert rows.BinaryRows.row(images) == b"\0\3" + b"".join(images)
    assert rows.TextRows.row(images) == b"7\t\\N\ta\\tb\\\\c\\nd\n"
    assert rows.BinaryRows.number(258) == b"\0\0\0\x08" + b"\0" * 6 + b"\1\2"
    assert rows.text_value(rows.TextRows.number(258)) == b"258"
    assert rows.split_images(b"".join(images), 3) == images
    assert rows.BinaryRows.whole([b"row"]) == rows.SIGNATURE + b"row" + b"\xff\xff"


def test_a_snapshot_knows_what_it_saw_even_when_numbers_come_round():
    snapshot = Snapshot.parse(1, "4294967290:4294967300:4294967292,4294967298", 0)
    assert snapshot.sees(4294967280) and snapshot.sees(4294967291) and not snapshot.sees(4294967292)
    assert snapshot.sees(1) and not snapshot.sees(2) and not snapshot.sees(4) and not snapshot.sees(1000)


def test_the_lag_is_how_long_ago_the_source_was_there():
    lag = Lag()
    counts = {"inserts": 0}
    assert lag.seconds(0.0, 5, 0.0, None) is None
    for second in range(10):
        lag.learn(float(second), 100 * second, 100 * second // 2, {"inserts": 10 * second})
    assert lag.bytes == 450
    assert lag.seconds(9.0, 450, 0.0, None) == 5.0
    assert lag.seconds(9.0, 900, 0.0, None) == 0.0
    assert lag.trend() == pytest.approx(50.0) and lag.seconds_to_catch_up() is None
    assert lag.rates() == {"inserts": 10.0}
    catching = Lag()
    for second in range(10):
        catching.learn(float(second), 1000, 50 * second, counts)
    assert catching.trend() == pytest.approx(-50.0) and catching.seconds_to_catch_up() == pytest.approx(11.0)
    # Before the first moment only the source's clock tells.
    assert catching.seconds(9.0, 50, 5000.0, 4000.0) == 1000.0


def test_only_positions_before_all_open_transactions_are_confirmed():
    confirmation = Confirmation()
    confirmation.learn(before=1000, oldest=50, following=60, after=1010)
    assert confirmation.safe(5000) == 0
    confirmation.learn(before=2000, oldest=55, following=70, after=2010)  # 55 was open at the first moment
    assert confirmation.safe(5000) == 0
    confirmation.learn(before=3000, oldest=60, following=80, after=3010)
    assert confirmation.safe(3000) == 0, "not everything up to the third moment is applied"
    assert confirmation.safe(3010) == 1000
    assert confirmation.safe(9999) == 0
    confirmation.learn(before=4000, oldest=80, following=80, after=4000)
    assert confirmation.safe(4000) == 3000


def source_table(name: str, **words) -> published.SourceTable:
    given = {
        "oid": 1,
        "schema": "app",
        "unlogged": False,
        "identity": "d",
        "owner": "o",
        "own": True,
        "found": True,
        **words,
    }
    return published.SourceTable(name=name, **given)


def test_tables_without_identity_are_decided_about():
    tables = [source_table("keyed"), source_table("bare", found=False), source_table("loose", unlogged=True)]
    with pytest.raises(PreconditionFailed, match="app.bare.*UPDATE and DELETE fail"):
        published.choose(tables, "shop")
    full = published.choose(tables, "shop", "full")
    assert [one.name for one in full.full] == ["bare"] and full.published == [("app", "keyed"), ("app", "bare")]
    excluded = published.choose(tables, "shop", "fail", {"app.bare": "exclude", "app.keyed": "exclude"})
    assert excluded.streamed == () and [one.name for one in excluded.late] == ["keyed", "bare", "loose"]
    with pytest.raises(PreconditionFailed, match="no table app.gone"):
        published.choose(tables, "shop", "full", {"app.gone": "full"})


def test_names_of_slots_fit_the_server():
    name = slot.name_of("The-Shop_1", "hash", "shöp")
    assert len(name) <= 63 and name.startswith("azpg_the_shop_1_") and name == name.lower() and name.isascii()
    assert name != slot.name_of("The-Shop_1", "hash", "other")


def test_the_newest_protocol_that_both_know_is_spoken():
    assert [stream.protocol(version) for version in (110022, 140000, 150003, 180006)] == [1, 2, 3, 4]
    assert stream.options_of(130000, "p", True, True) == {"proto_version": "1", "publication_names": '"p"'}
    options = stream.options_of(180000, 'o"dd', True, True)
    assert options["streaming"] == "on" and options["binary"] == "true" and options["publication_names"] == '"o""dd"'
    command = stream.start_command("s", 0x1_0000_0001, {"a": "it's"})
    assert command == "START_REPLICATION SLOT \"s\" LOGICAL 1/1 (a 'it''s')"


def test_a_table_that_does_not_fit_is_named_with_what_to_do():
    one = relation("id a extra")
    with pytest.raises(TransferFailed, match="app.t.*column extra was sent, and is not there") as caught:
        Table(one, "app", "t", [target_column("id"), target_column("a")], {})
    assert "ALTER TABLE" in caught.value.hint
    with pytest.raises(TransferFailed, match="column a has type"):
        Table(
            relation("id a"), "app", "t", [target_column("id"), target_column("a", type_oid=23, type_name="int4")], {}
        )
    found = Table(relation("id"), "app", "t", [target_column("id"), target_column("more")], {})
    assert found.unsent == ("more",)


def test_keys_of_whole_row_identities_are_those_of_the_primary_key():
    assert table(relation(identity="f", key="id a b")).key == (0,)
    assert table(relation(identity="f", key="id a b"), id={"primary_key": False}).bag
    assert table(relation(key="a", identity="i")).key == (1,)


def entry(kind: str, text: str, name: str = "x") -> Entry:
    return Entry(1, 0, 2, (), name, kind, "app", "o", text)


def test_what_changes_with_every_dump_is_no_change():
    texts = [
        "CREATE TABLE app.t (\n    i integer\n);\n\n\nALTER TABLE app.t OWNER TO o;\n\nSET default_tablespace = '';\n",
        "\\restrict abc\nCREATE TABLE app.t (\n    i integer\n);\n\n\nALTER TABLE app.t OWNER TO o;\n",
    ]
    assert len({definitions.digest_of(entry("TABLE", text)) for text in texts}) == 1
    assert definitions.comparable(texts[0]) == definitions.comparable(texts[1].replace("OWNER TO o", "OWNER TO other"))
    assert definitions.digest_of(entry("TABLE", texts[0].replace("integer", "bigint"))) != definitions.digest_of(
        entry("TABLE", texts[0])
    )


def test_what_would_disturb_the_stream_is_put_off():
    assert base.is_postponed(entry("TRIGGER", "CREATE TRIGGER ..."))
    assert base.is_postponed(entry("RULE", "CREATE RULE r AS ON INSERT ..."))
    assert not base.is_postponed(entry("RULE", "CREATE OR REPLACE VIEW app.v AS ..."))
    assert not base.is_postponed(entry("INDEX", "CREATE INDEX ..."))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ALTER TABLE ONLY a\n    ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c(d);\n\n",
            " REFERENCES c(d) NOT VALID;",
        ),
        (
            "ALTER TABLE ONLY a\n    ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c(d) NOT VALID;\n",
            " REFERENCES c(d) NOT VALID;",
        ),
        ("ALTER TABLE a\n    ADD CONSTRAINT k FOREIGN KEY (b) REFERENCES c(d);\n", " REFERENCES c(d);\n"),
    ],
)
def test_foreign_keys_do_not_look_at_old_rows(text, expected):
    assert final.unvalidated(text).endswith(expected)


def test_changes_of_roles_are_told():
    before, now = {"a": "1", "b": "1", "c": "1"}, {"b": "1", "c": "2", "d": "1"}
    sentences = cutover.role_changes(before, now)
    assert [word in sentences[number] for number, word in enumerate(("d", ": a.", ": c."))] == [True, True, True]
    assert cutover.role_changes(now, now) == []


class Asked:
    name, hash, databases = "shop", "hash", ("shop", "billing")


def test_every_step_is_announced():
    steps = announcement.cutover(
        Asked, {"fence": True, "fence_methods": ["read_only"], "sequence_margin": 5, "prove": "all"}
    )
    text = "\n".join(steps)
    assert "new sessions begin read only" in text and "CONNECT" not in text and "5 steps further" in text
    assert sum("remove publication" in step for step in steps) == 2
    assert "put up a fence" not in "\n".join(
        announcement.cutover(Asked, {"fence": False, "cutover_databases": ["shop"]})
    )
