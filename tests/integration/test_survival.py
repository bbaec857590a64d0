# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a dead engine leaves on the servers is ended, a living one elsewhere is respected, and waits have names."""

from __future__ import annotations

import contextlib
import time
import zipfile

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import PreconditionFailed
from ansible_collections.azpg.migrate.plugins.module_utils._core.request import Request
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import heartbeat, installation, leftovers
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.sessions import Runner, Sessions, host_id
from support.servers import USER, ask, run, session
from support.waiting import wait_for


class Notebook:
    """Stands in for the journal."""

    def __init__(self):
        self.sentences = []

    def event(self, sentence: str, *_more) -> None:
        self.sentences.append(sentence)


def own_sessions(cluster) -> list:
    return ask(cluster, f"SELECT pid, application_name, query FROM pg_stat_activity WHERE usename = '{USER}'")


@pytest.fixture
def opener(clean):
    """Give a function that opens the sessions of a runner; they are closed at the end."""
    request = Request.create("shop", clean.endpoint("source"), clean.endpoint("target"), ["seed_small"])
    with contextlib.ExitStack() as stack:

        def make(runner: Runner | None = None, side: str | None = None) -> Sessions:
            sessions = Sessions(request, runner)
            if side:
                stack.callback(sessions.open(side, "postgres").close)
            return sessions

        yield make


def test_sessions_of_a_dead_runner_are_ended(opener, clean):
    here = Runner.of_this_process()
    opener(Runner(here.host, here.pid, here.started - 1), "target")
    opener(Runner(here.host, 2**22 + 1, 5), "source")
    stranger = Request.create("other", clean.endpoint("source"), clean.endpoint("target"), ["seed_small"])
    with contextlib.closing(Sessions(stranger).open("target", "postgres")):
        leftovers.clear_the_way(opener(), Notebook(), lambda: None, seconds=20)
        assert not own_sessions(clean.source)
        assert len(own_sessions(clean.target)) == 1, "another migration's session was ended"


def test_a_runner_on_another_host_is_respected(opener, clean):
    opener(Runner("0badcafe", 4711, 1), "target")
    notes = Notebook()
    with pytest.raises(PreconditionFailed) as caught:
        leftovers.clear_the_way(opener(), notes, lambda: None, seconds=1.5)
    details = caught.value.details
    assert details["pid"] == 4711 and details["host"] == "127.0.0.1/32" and details["since"]
    assert "process 4711 on host 127.0.0.1/32" in caught.value.msg
    assert len(notes.sentences) == 1
    assert len(own_sessions(clean.target)) == 1


def test_a_living_runner_under_another_state_directory_is_respected_at_once(opener):
    begun = time.monotonic()
    one = Runner.of_this_process()
    opener(Runner(host_id(), 1, leftovers_start_of_init()), "source")
    with pytest.raises(PreconditionFailed, match="process 1 on this host"):
        leftovers.clear_the_way(opener(one), Notebook(), lambda: None, seconds=30)
    assert time.monotonic() - begun < 10


def leftovers_start_of_init() -> int:
    """Return the start time of the process that is always there."""
    from ansible_collections.azpg.migrate.plugins.module_utils._transfer.process import start_time

    return start_time(1)


def make_impatient(one) -> None:
    """Put an engine in the place of the installed one that looks after a tenth of the time; all else is the same."""
    (path,) = (one.state / "engine").glob("azpg-migrate-engine-*.pyz")
    with zipfile.ZipFile(path) as archive:
        sources = {name: archive.read(name).decode("utf-8") for name in archive.namelist() if name.endswith(".py")}
    (place,) = [name for name in sources if name.endswith("_transfer/heartbeat.py")]
    for words, seconds in (("STILL_SECONDS", heartbeat.STILL_SECONDS), ("LOOK_SECONDS", heartbeat.LOOK_SECONDS)):
        before = f"{words} = {seconds} "
        assert before in sources[place]
        sources[place] = sources[place].replace(before, f"{words} = {seconds // 10} ")
    path.write_bytes(installation.build(sources))


@pytest.fixture
def held(migration, lab):
    """A migration whose index waits on the target for the session that is given with it."""
    one = migration("held", "seed_held")
    name = one.databases[0]
    lab.empty_on_target(name)
    one.provision()
    make_impatient(one)
    with session(lab.target, name) as gate:
        run(gate, "SET application_name = 'the gate keeper'; SELECT pg_advisory_lock(1)")
        one.module("migration", wait=False).good()
        wait_for(lambda: one.journal("SELECT 1 FROM unit WHERE kind = 'key' AND state = 'running'"), "the index")
        wait_for(
            lambda: any("CREATE INDEX" in row[2] for row in own_sessions(lab.target)), "the statement on the target"
        )
        yield one, gate


def test_a_lock_that_lasts_is_named_and_nothing_is_ended(held, lab):
    one, gate = held
    holder = f"process {gate.info.backend_pid} of user postgres (the gate keeper)"
    wait_for(lambda: holder in one.events(), "the holder's name in the journal", 60)
    assert "key index app.held_index waits: on the target it waits for a lock held by " + holder in one.events()
    run(gate, "SELECT pg_advisory_unlock(1)")
    wait_for(lambda: one.module("migration_info")["state"] == "completed", "the end", interval=0.5)
    assert set(one.attempts().values()) == {1}


def test_nothing_works_on_the_servers_once_the_cancellation_has_returned(held, lab):
    one, _gate = held
    assert one.module("migration", state="cancelled").good()["state"] == "cancelled"
    assert not own_sessions(lab.target) and not own_sessions(lab.source)


def test_servers_stop_working_for_an_engine_that_was_killed(held, lab):
    one, _gate = held
    one.kill_engine()
    wait_for(lambda: not own_sessions(lab.target), "the end of the statement on the target", 10)


def test_lost_snapshot_is_noticed_at_once(migration, lab):
    one = migration("snapshot", "seed_bulk")
    one.provision()
    one.module("migration", wait=False, max_bytes_per_second=1600000).good()
    wait_for(lambda: one.share() >= 0.2, "the middle of the copy")
    begun = time.monotonic()
    ask(
        lab.source,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ '^azpg.migrate source .* control'",
    )
    wait_for(lambda: "Connection lost" in one.events(), "word of the lost session", 5)
    assert time.monotonic() - begun < 5
    wait_for(lambda: one.module("migration_info")["state"] == "completed", "the end", interval=0.5)
    assert one.module("verification").good()["verification"]["verdict"] == "MATCH"
