# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source version against every target version: what was moved is equal, and what was changed is found."""

from __future__ import annotations

import time

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.run import verify
from pairs import DATABASES, LATIN, TARGETS, TYPED, make_afresh, move, request, set_apart
from schema import USER_TYPES
from values import CONTRIB, NOT_MOVABLE

# The same statement, and another function: EXTRACT was date_part(), of another type, until 13, SIMILAR TO called another
# function until 12, and current_user compared as another type until 11. Everything else only prints otherwise.
OTHER_FUNCTIONS = {
    140000: ["app.parts", "app.totals", "app.parts.y", "app.totals.newest", "app.items.when_it_was", "app.items.items_note",
             "app.items.few"],
    130000: ["domain app.zip.zip_check"],
    120000: ["app.items.own"],
}  # fmt: skip

NOTES = [
    f"Types whose input the server refuses, or that 12 removed: {', '.join(sorted(NOT_MOVABLE))}.",
    'Values of "char" above 127 from servers before 16: their COPY output is not valid UTF-8, so no dump carries them.',
    "Values of seg between an approximate lower and an upper bound, such as ~5.0 .. 7.5: up to 14 their text leaves the "
    "upper bound out, so a dump loses it, and the verification rightly reports the table.",
    "The extension uuid-ossp brings functions only; extensions that are no part of PostgreSQL are not packaged.",
]


def findings(report: dict, severity: str) -> list:
    """Return the findings of a severity, of databases and roles."""
    sections = [entry["schema"] for entry in report["databases"]] + [report["roles"]]
    return [item for section in sections for item in section.get(severity, [])]


def said(report: dict) -> str:
    """Return what a report holds against the pair, for messages of assertions."""
    lines = [report["verdict"] + ": " + report["reason"]]
    for severity in ("errors", "not_comparable", "warnings"):
        for item in findings(report, severity):
            lines.append(f"{severity} {item['rule']} {item['kind']} {item['object']}: {item['msg']}")
            lines += [f"    {side}: {item[side]}" for side in ("source", "target") if item[side]]
    for entry in report["databases"]:
        lines += [str(entry["error"])] if entry["error"] else []
        lines += [f"{i['name']}: {i['msg']} {i['remedy']}" for i in entry["tables"] if i["verdict"] != "MATCH"]
        lines += [f"{i['name']}: {i['msg']}" for i in entry["sequences"] if i["verdict"] != "MATCH"]
    return "\n".join(lines)


def assert_equal(report: dict, warnings=()) -> None:
    """Make sure that a report found nothing, beyond warnings of the kinds named."""
    assert report["verdict"] == "MATCH", said(report)
    assert not findings(report, "errors") and not findings(report, "not_comparable"), said(report)
    unexpected = [item for item in findings(report, "warnings") if item["kind"] not in warnings]
    assert not unexpected, said(report)
    assert report["totals"]["tables"] == report["totals"]["match"] > 0


def different_tables(report: dict) -> set:
    """Return the names of the tables that differ."""
    return {item["name"] for entry in report["databases"] for item in entry["tables"] if item["verdict"] == "MISMATCH"}


@pytest.fixture(scope="session", params=TARGETS, ids=lambda major: f"to{major}")
def pair(request, source, targets, tmp_path_factory):
    """A source and a target that holds its copy."""
    target = targets[request.param]
    if source.major > target.major:
        pytest.skip("a newer server is never moved to an older one")
    began = time.monotonic()
    move(source, target, tmp_path_factory.mktemp("archive"))
    return source, target, began


@pytest.fixture(scope="session")
def record(pair, results):
    """The pair's line of the page."""
    source, target, began = pair
    types = source.types()
    offered = [name for name in CONTRIB if source.offers(name)]
    own = sum(since <= source.number for since, *_rest in USER_TYPES.values()) + sum(
        len(CONTRIB[name]) for name in offered
    )
    absent = sorted(set(CONTRIB) - set(offered))
    line = {"source": source.version, "target": target.version, "types": len(types), "own": own, "notes": list(NOTES)}
    line["notes"] += [f"Extensions that {source.version} does not offer: {', '.join(absent)}."] if absent else []
    yield line
    if set(line) >= {"equal", "settings", "latin", "faults", "afresh"}:
        results[source.major, target.major] = {**line, "seconds": time.monotonic() - began}


def test_every_type_and_object_is_equal(pair, record):
    source, target, _began = pair
    oids = [server.ask("SELECT 'app.mood'::regtype::oid", TYPED)[0][0] for server in (source, target)]
    assert oids[0] != oids[1], "the enum has the same object identifier on both ends, so nothing is tested"
    report = verify(request(source, target, [TYPED]))
    assert_equal(report, warnings=("extension",))
    sums = report["totals"]
    method = {"server": "servers", "client": "program"}[report["method"]["used"]]
    assert (method == "servers") == (source.number >= 110000)
    record.update(
        method=method, equal=f"{sums['match']} of {sums['tables']}", objects=sums["objects"], warnings=sums["warnings"]
    )


def test_latin1_equals_utf8(pair, record):
    source, target, _began = pair
    encodings = [server.ask("SHOW server_encoding", LATIN)[0][0] for server in (source, target)]
    assert encodings == ["LATIN1", "UTF8"]
    report = verify(request(source, target, [LATIN]))
    assert_equal(report, warnings=("database", "extension"))
    record["latin"] = "equal"


def test_settings_do_not_matter(pair, record):
    source, target, _began = pair
    for server, side in ((source, "source"), (target, "target")):
        set_apart(server, side, DATABASES)
    try:
        report = verify(request(source, target, DATABASES))
    finally:
        for server, side in ((source, "source"), (target, "target")):
            set_apart(server, side, DATABASES, undo=True)
    assert_equal(report, warnings=("database", "database setting", "extension"))
    record["settings"] = "equal"


def test_one_changed_value_in_each_table_is_found(pair, record):
    """Every value of the first row becomes the second row's, in every table that holds one type."""
    source, target, _began = pair
    tables = [
        name
        for (name,) in target.ask(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'typed'::regnamespace AND relkind = 'r' "
            "AND relname ~ '^(is|own|contrib)_'",
            TYPED,
        )
    ]
    assert len(tables) > 60
    target.run("UPDATE app.parents SET price = 1.5001 * 0 + price, name = name || ' ' WHERE id = 7", TYPED)
    try:
        report = verify(request(source, target, [TYPED]))
        assert report["verdict"] == "MISMATCH" and different_tables(report) == {"app.parents"}, said(report)
    finally:
        target.run("UPDATE app.parents SET name = rtrim(name) WHERE id = 7", TYPED)
    for name in tables:
        target.run(
            f'UPDATE typed."{name}" SET v = (SELECT v FROM typed."{name}" WHERE id = 2) WHERE id = 1',
            TYPED,
        )
    report = verify(request(source, target, [TYPED]))
    assert report["verdict"] == "MISMATCH", said(report)
    assert different_tables(report) == {f"typed.{name}" for name in tables}, sorted(
        {f"typed.{name}" for name in tables} ^ different_tables(report)
    )
    record["faults"] = f"{len(tables) + 1} of {len(tables) + 1}"


def test_the_same_statements_on_both_ends_are_equal(pair, record):
    """Nothing was dumped: both servers print what they made of the same text, each in its own way."""
    source, target, _began = pair
    make_afresh(source, target)
    report = verify(request(source, target, [TYPED]), mode="schema")
    assert not findings(report, "not_comparable"), said(report)
    known = {name for before, names in OTHER_FUNCTIONS.items() if source.major * 10000 < before for name in names}
    different = {item["object"] for item in (*findings(report, "errors"), *findings(report, "warnings"))}
    record["afresh"] = f"{report['totals']['objects'] - len(different)} of {report['totals']['objects']}"
    assert {name for name in different if not any(words in name for words in known)} == set(), said(report)
