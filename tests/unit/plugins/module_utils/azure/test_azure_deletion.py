# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be deleted: over every combination of what a server is, whose, and what the user asks for."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure import deletion, ownership
from ansible_collections.azpg.migrate.plugins.module_utils._azure.servers import Server
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._core.resource_id import ResourceId
from hypothesis import given
from hypothesis import strategies as st

SUFFIX = "postgres.database.azure.com"
SUBSCRIPTION = (
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg/providers/Microsoft.DBforPostgreSQL"
)
TARGET = f"{SUBSCRIPTION}/flexibleServers/target"
SINGLE = f"{SUBSCRIPTION}/servers/legacy"
RUNTIME = f"{SUBSCRIPTION}/flexibleServers/runtime"


def request(source_host="10.20.0.4", target_host=f"target.{SUFFIX}", runtime=None, name="shop") -> Request:
    return Request.create(
        name,
        {"host": source_host},
        {"host": target_host},
        ["shop"],
        "azure",
        target_server_id=TARGET,
        source_server_id=SINGLE,
        runtime_server_id=runtime,
    )


def server(identifier: str, tags: dict, fqdn: str | None = None) -> Server:
    body = {
        "id": identifier,
        "location": "East US",
        "tags": tags,
        "properties": {
            "fullyQualifiedDomainName": f"{identifier.rsplit('/', 1)[-1]}.{SUFFIX}" if fqdn is None else fqdn
        },
    }
    return Server.from_json(body)


MINE = request()
OTHERS = request(name="crm")
TAGS = {
    "none": {},
    "somebody's": {"team": "dba"},
    "made": ownership.own_tags(MINE, ("server",)),
    "adopted": ownership.own_tags(MINE, adopted=True),
    "another migration's": ownership.own_tags(OTHERS, ("server",)),
    "other parameters'": {**ownership.own_tags(MINE), ownership.REQUEST: "0" * 64},
    "forged owner": {ownership.MANAGED_BY: "terraform", ownership.REQUEST: MINE.hash},
    "only the request": {ownership.REQUEST: MINE.hash},
}
OWNED = ("made", "adopted")
# Spelled like source and target, and the runtime server itself.
SERVERS = {
    "target": (TARGET, True),
    "target in capitals": (TARGET.upper().replace("/SUBSCRIPTIONS/", "/subscriptions/"), True),
    "by the target's name": (TARGET.replace("/rg/", "/elsewhere/"), True),
    "by the source's name": (f"{SUBSCRIPTION}/flexibleServers/legacy", True),
    "runtime": (RUNTIME, False),
}
COMBINATIONS = list(
    itertools.product(SERVERS, TAGS, ((), ("postgres",), ("postgres", "crm")), ((), ("r1",)), (None, RUNTIME))
)


@pytest.mark.parametrize(("which", "tags", "databases", "replicas", "named"), COMBINATIONS)
def test_source_target_and_what_is_not_owned_are_never_deleted(which, tags, databases, replicas, named):
    identifier, is_endpoint = SERVERS[which]
    asked = request(source_host=f"legacy.{SUFFIX}", runtime=named)
    own = {
        word: asked.hash if word == ownership.REQUEST and value == MINE.hash else value
        for word, value in TAGS[tags].items()
    }
    verdict = deletion.judge_server(asked, server(identifier, own), SUFFIX, databases, replicas)
    may = not is_endpoint and tags in OWNED and not replicas and not (tags == "adopted" and "crm" in databases)
    assert (verdict.kind == deletion.DELETE) == may
    if not may:
        assert verdict.code in deletion.CODES and verdict.msg and verdict.hint
    if is_endpoint:
        assert (verdict.kind, verdict.code) == (deletion.REFUSE, "runtime-is-endpoint")


@given(
    st.sampled_from(("target", "legacy")),
    st.lists(st.booleans(), min_size=40, max_size=40),
    st.sampled_from(("rg", "RG", "elsewhere", "rg-2")),
    st.sampled_from(("", ".")),
    st.sampled_from(sorted(TAGS)),
    st.lists(st.sampled_from(("postgres", "crm", "shop")), unique=True),
    st.sampled_from((None, RUNTIME)),
)
def test_however_source_and_target_are_spelled_they_are_never_deleted(
    name, capitals, group, dot, tags, databases, named
):
    def spelled(text: str) -> str:
        return "".join(letter.upper() if big else letter for letter, big in zip(text, capitals + [False] * len(text)))

    asked = request(spelled(f"legacy.{SUFFIX}") + dot, spelled(f"target.{SUFFIX}") + dot, named)
    identifier = f"{SUBSCRIPTION.replace('/rg/', f'/{group}/')}/flexibleServers/{spelled(name)}"
    own = {word: asked.hash if word == ownership.REQUEST else value for word, value in TAGS[tags].items()}
    found = server(identifier, own, spelled(f"{name}.{SUFFIX}"))
    assert deletion.judge_server(asked, found, SUFFIX, databases).kind == deletion.REFUSE


@pytest.mark.parametrize(
    ("identifier", "fqdn", "hosts", "side"),
    [
        (TARGET, None, {"target_host": "10.30.0.5"}, "target"),
        (f"{SUBSCRIPTION}/flexibleServers/legacy", "", {"source_host": f"legacy.{SUFFIX}"}, "source"),
        (f"{SUBSCRIPTION}/flexibleServers/other", f"legacy.{SUFFIX}", {"source_host": f"legacy.{SUFFIX}"}, "source"),
    ],
    ids=["by its id alone", "by its name alone", "by its address alone"],
)
def test_one_word_is_enough_to_know_an_end(identifier, fqdn, hosts, side):
    asked = request(**hosts)
    found = server(identifier, ownership.own_tags(asked, ("server",)), fqdn)
    verdict = deletion.judge_server(asked, found, SUFFIX)
    assert (verdict.kind, verdict.code) == (deletion.REFUSE, "runtime-is-endpoint")
    assert f"is the {side} of" in verdict.msg


def test_there_are_combinations_of_each_kind():
    kinds = set()
    for which, tags, databases, replicas, _named in COMBINATIONS:
        identifier, _end = SERVERS[which]
        kinds.add(deletion.judge_server(MINE, server(identifier, TAGS[tags]), SUFFIX, databases, replicas).kind)
    assert kinds == {deletion.DELETE, deletion.KEEP, deletion.REFUSE}


@pytest.mark.parametrize("tags", TAGS)
def test_zones_and_links_go_only_with_the_requests_own_tags(tags):
    assert deletion.zone_is_ours(MINE, TAGS[tags]) == (tags in OWNED)
    assert not deletion.zone_is_ours(MINE, None)


@pytest.mark.parametrize(
    ("name", "services", "ours"),
    [
        (ownership.derived_name(MINE), ["Microsoft.DBforPostgreSQL/flexibleServers"], True),
        (ownership.derived_name(MINE).upper(), ["Microsoft.DBforPostgreSQL/flexibleServers"], True),
        (ownership.derived_name(OTHERS), ["Microsoft.DBforPostgreSQL/flexibleServers"], False),
        (ownership.derived_name(MINE), ["Microsoft.Web/serverFarms"], False),
        (ownership.derived_name(MINE), [], False),
        ("default", ["Microsoft.DBforPostgreSQL/flexibleServers"], False),
    ],
)
def test_subnets_go_only_by_their_derived_name_and_delegation(name, services, ours):
    body = {"properties": {"delegations": [{"properties": {"serviceName": service}} for service in services]}}
    assert deletion.subnet_is_ours(MINE, name, body) == ours


@pytest.mark.parametrize("name", ["shop", "a", "x" * 63, "mit_unterstrich-und.so".replace(".", "-"), "9-9"])
def test_derived_names_are_those_of_servers_and_differ_between_requests(name):
    one, other = request(name=name), request(source_host="10.0.0.9", name=name)
    derived = ownership.derived_name(one)
    assert len(derived) <= 63 and derived.startswith("azpg-") and derived == derived.lower()
    assert not derived.endswith("-") and "_" not in derived and "--" not in derived
    assert derived != ownership.derived_name(other)
    assert ResourceId.parse(str(ownership.runtime_id(one))).name == derived


def test_tags_stay_below_azures_limits():
    for tags in TAGS.values():
        assert all(len(name) <= 512 and len(value) <= 256 for name, value in tags.items())
