# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparing inventories, sequences and roles, without a server."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._verify.inventory import Inventory, queries, within
from ansible_collections.azpg.migrate.plugins.module_utils._verify.parity import Rules, compare_inventories
from ansible_collections.azpg.migrate.plugins.module_utils._verify.recheck import proof_holds
from ansible_collections.azpg.migrate.plugins.module_utils._verify.roles import compare_roles
from ansible_collections.azpg.migrate.plugins.module_utils._verify.sequences import compare_sequences
from ansible_collections.azpg.migrate.plugins.module_utils._verify.tables import Table
from ansible_collections.azpg.migrate.plugins.module_utils._verify.verdict import database_verdict, judge_tables, worst

RULES = Rules({}, frozenset(["postgres"]), ("mig", "pgadmin"))


def differences(kind, source, target, rules=RULES, versions=(140000, 170000), canonicaliser=None):
    found = compare_inventories(
        Inventory(versions[0], {kind: source}), Inventory(versions[1], {kind: target}), rules, canonicaliser
    )
    return [(item["severity"], item["rule"]) for item in found]


def test_what_azure_puts_into_every_database_is_expected():
    azure = Rules({}, frozenset(), ("mig", "pgadmin"), azure=True)
    extensions = {"azure": {}, "pgaadauth": {}, "hstore": {}}
    assert differences("extension", {}, extensions, azure) == [
        ("expected", "azure-extension"),
        ("expected", "azure-extension"),
        ("warning", "unexpected"),
    ]
    assert differences("extension", {}, extensions) == [("warning", "unexpected")] * 3
    moved = ({"t": {"tablespace": "fast"}}, {"t": {"tablespace": None}})
    assert differences("table", *moved, azure) == [("expected", "azure-tablespace")]
    assert differences("table", *moved) == [("warning", "table-tablespace")]


def test_owners():
    def owners(source, target, rules=RULES):
        return differences("table", {"t": {"owner": source}}, {"t": {"owner": target}}, rules)

    assert owners("app", "app") == []
    assert owners("app", "other") == [("warning", "owner")]
    assert owners("postgres", "pgadmin") == [("expected", "superuser-owner")]
    assert owners("postgres", "other") == [("warning", "owner")]
    mapped = Rules({"postgres": "boss"}, RULES.superusers, RULES.users)
    assert owners("postgres", "boss", mapped) == []
    assert owners("postgres", "pgadmin", mapped) == [("warning", "owner")]


def test_access_lists():
    def access(source, target, **options):
        return differences("table", {"t": {"acl": source}}, {"t": {"acl": target}}, **options)

    read = ["app_read", "SELECT", False]
    assert access([read], [read]) == []
    assert access([read], []) == [("warning", "acl")]
    assert access([read], [["app_read", "SELECT", True]]) == [("warning", "acl")]
    # The migration users' own grants are left out, and so is MAINTAIN where one end does not know it.
    assert access([read, ["mig", "SELECT", False]], [read, ["pgadmin", "SELECT", False]]) == []
    assert access([], [["", "MAINTAIN", False]]) == []
    assert access([], [["x", "MAINTAIN", False]], versions=(170000, 180000)) == [("warning", "acl")]
    assert (
        access(
            [["old", "SELECT", False]], [["new", "SELECT", False]], rules=Rules({"old": "new"}, frozenset(), ("a", "b"))
        )
        == []
    )


def test_public_schema_changed_in_15():
    old = {"public": {"owner": "postgres", "acl": [["PUBLIC", "CREATE", False]]}}
    new = {"public": {"owner": "pg_database_owner", "acl": []}}
    assert differences("schema", old, new) == [("expected", "public-schema-defaults")]
    assert differences("schema", old, new, versions=(150000, 170000)) != [("expected", "public-schema-defaults")]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("equal", []),
        ("different", [("error", "view-definition")]),
        ("it does not run", [("not_comparable", "view-definition")]),
    ],
)
def test_expressions(answer, expected):
    class Canonicaliser:
        def compare(self, kind, name, attribute, source, target):
            return answer

    found = differences("view", {"v": {"definition": "a"}}, {"v": {"definition": "b"}}, canonicaliser=Canonicaliser())
    assert found == expected


def test_missing_and_unexpected():
    assert differences("table", {"t": {}}, {}) == [("error", "missing")]
    assert differences("table", {}, {"t": {}}) == [("error", "unexpected")]
    assert differences("function", {}, {"f()": {}}) == [("warning", "unexpected")]
    assert differences("comment", {"c": {"text": "x"}}, {}) == [("warning", "missing")]
    assert differences("index", {"i": {"valid": False}}, {}) == [("warning", "invalid-index-on-source")]


def test_what_hangs_on_a_missing_table_is_not_told_again():
    source = Inventory(140000, {"table": {"t": {}}, "column": {"t.a": {"table": "t"}}})
    found = compare_inventories(source, Inventory(170000, {"table": {}, "column": {}}), RULES)
    assert [item["object"] for item in found] == ["t"]


def test_an_unreadable_kind_is_not_equal():
    source = Inventory(140000, {"type": {}}, {})
    target = Inventory(170000, {"type": {}}, {"type": "permission denied"})
    assert [item["severity"] for item in compare_inventories(source, target, RULES)] == ["not_comparable"]


def test_helper_schema_is_left_out_with_what_hangs_on_it():
    assert within("azpg_migrate", "azpg_migrate.t", ("azpg_migrate",))
    assert within(None, "trigger x on azpg_migrate.t", ("azpg_migrate",))
    assert within("azpg_migrate", "azpg_migrate", ("azpg_migrate",))
    assert not within("app", "app.azpg_migrate", ("azpg_migrate",))


@pytest.mark.parametrize("version", [110000, 120000, 130000, 140000, 150000, 160000, 170000, 180000])
def test_every_kind_has_a_query_on_every_version(version):
    assert len(queries(version)) >= 36


def sequence(last, called=True, increment="1"):
    return {"last_value": str(last), "is_called": called, "increment": increment}


@pytest.mark.parametrize(
    ("source", "target", "verdict"),
    [
        (sequence(5), sequence(5), "MATCH"),
        (sequence(5), sequence(6, False), "MATCH"),
        (sequence(5), sequence(4), "MISMATCH"),
        (sequence(5), sequence(5, False), "MISMATCH"),
        (sequence(5), sequence(9), "AHEAD"),
        (sequence(5, True, "-1"), sequence(9, True, "-1"), "MISMATCH"),
        (sequence(5, True, "-1"), sequence(1, True, "-1"), "AHEAD"),
        (sequence(9223372036854775806), sequence(9223372036854775806), "MATCH"),
        (sequence(5), {"error": "denied"}, "INCOMPLETE"),
        (sequence(5), None, "MISMATCH"),
        (None, sequence(5), "MISMATCH"),
    ],
)
def test_sequences(source, target, verdict):
    entries = compare_sequences({"s": source} if source else {}, {"s": target} if target else {})
    assert [entry["verdict"] for entry in entries] == [verdict]


def test_worst():
    assert worst([]) == "INCOMPLETE"
    assert worst(["MATCH", "INCOMPLETE", "MISMATCH"]) == "MISMATCH"
    assert worst(["MISMATCH", "ERROR"]) == "ERROR"


def table(name, results, kind="r", root=None, **more):
    facts = {
        "kind": kind, "root_schema": root and "s", "root_name": root, "extension": None, "condition": None, "bytes": 1,
        "populated": True, "has_columns": True,
    }  # fmt: skip
    made = Table("s", name, source=facts, target=dict(facts), **more)
    for side, result in zip(("source", "target"), results):
        made.results[side] = result
    return made


def counted(count, total):
    return {"count": count, "sum": str(total), "seconds": "0.1", "expression": ""}


def judged(*tables):
    entries, skipped, findings = judge_tables({("s", item.name): item for item in tables}, False, 140000)
    return {entry["name"]: entry["verdict"] for entry in entries}, skipped, findings


def test_tables():
    verdicts, _skipped, _findings = judged(
        table("same", [counted(1, 5), counted(1, 5)]),
        table("fewer", [counted(2, 5), counted(1, 5)]),
        table("other", [counted(1, 5), counted(1, 6)]),
        table("denied", [counted(1, 5), {"error": "permission denied", "code": "42501"}]),
        table("both", [{"error": "x", "code": ""}, {"error": "x", "code": ""}]),
        table("silent", []),
    )
    assert verdicts == {
        "s.same": "MATCH", "s.fewer": "MISMATCH", "s.other": "MISMATCH", "s.denied": "INCOMPLETE", "s.both": "INCOMPLETE",
        "s.silent": "INCOMPLETE",
    }  # fmt: skip


def test_rows_in_another_partition_are_a_warning_only_while_the_whole_agrees():
    moved = [
        table("root", [], kind="p"),
        table("one", [counted(2, 7), counted(1, 3)], root="root"),
        table("two", [counted(0, 0), counted(1, 4)], root="root"),
    ]
    verdicts, _skipped, findings = judged(*moved)
    assert set(verdicts.values()) == {"MATCH"}
    assert [item["rule"] for item in findings] == ["rows-in-other-partition"] * 2
    lost = [table("root", [], kind="p"), table("one", [counted(2, 7), counted(1, 3)], root="root")]
    assert set(judged(*lost)[0].values()) == {"MISMATCH"}


def test_an_error_of_a_partition_is_the_roots():
    verdicts, _skipped, _findings = judged(
        table("root", [], kind="p"), table("one", [counted(2, 7), {"error": "x", "code": ""}], root="root")
    )
    assert verdicts == {"s.root": "INCOMPLETE", "s.one": "INCOMPLETE"}


def test_foreign_tables_are_listed_not_compared():
    verdicts, skipped, _findings = judged(table("far", [], kind="f"))
    assert verdicts == {} and [item["name"] for item in skipped] == ["s.far"]


def test_a_database_with_nothing_compared_is_incomplete():
    entry = {"tables": [], "sequences": [], "large_objects": {}, "schema": {}}
    assert database_verdict(entry) == "INCOMPLETE"


def test_proof():
    proof = {"xmax": "10", "xip": []}
    assert proof_holds(proof, {"xmax": "10", "xip": []})
    assert not proof_holds(proof, {"xmax": "11", "xip": []})
    assert not proof_holds({"xmax": "10", "xip": ["9"]}, {"xmax": "10", "xip": []})
    assert not proof_holds(proof, {"xmax": "10", "xip": ["9"]})
    assert not proof_holds(None, proof) and not proof_holds({}, {}) and not proof_holds({"xmax": "10"}, {"xmax": "10"})


def test_roles():
    role = {"superuser": False, "login": True}
    source = {
        "roles": dict.fromkeys(("app", "member", "mig", "postgres", "bystander"), role),
        "members": {("app", "member"): {"admin": False}, ("app", "mig"): {"admin": False}},
        "parameters": None,
    }
    source["roles"]["postgres"] = {"superuser": True, "login": True}
    target = {
        "roles": {"app": role, "member": role},
        "members": {("app", "member"): {"admin": False, "set": True}},
        "parameters": None,
    }
    assert compare_roles(source, target, {"app", "postgres"}, {}, ("mig", "pgadmin")) == (2, 1, [])
    target["members"] = {}
    _roles, _members, found = compare_roles(source, target, {"app"}, {}, ("mig", "pgadmin"))
    assert [item["rule"] for item in found] == ["membership"]
    _roles, _members, found = compare_roles(
        source, {"roles": {}, "members": {}, "parameters": None}, {"app"}, {"app": "application"}, ("mig", "x")
    )
    assert [(item["rule"], item["object"]) for item in found] == [
        ("role-missing", "application"),
        ("role-missing", "member"),
    ]
