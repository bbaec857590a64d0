# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The loop that keeps workers busy: order, locks, retries, and workers that die."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import TransferFailed
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import pool as pool_module
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.plan import SMALL_TABLE_BYTES, Content, Order, Unit
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.pool import Pool

# Answers as told by the unit's task; keeps its own count of attempts in a file beside it.
WORKER = """
import json, os, pathlib, sys, time
order = json.loads(sys.stdin.readline())
notes = pathlib.Path(order["notes"])
def say(**words):
    print(json.dumps(words), flush=True)
say(event="ready")
for line in sys.stdin:
    message = json.loads(line)
    unit, task = message["unit"], message["task"]
    with open(notes, "a") as stream:
        stream.write(f"begin {unit}\\n")
    count = notes.read_text().splitlines().count(f"begin {unit}")
    time.sleep(task.get("seconds", 0))
    if task.get("die", 0) >= count:
        os._exit(9)
    if task.get("stumble", 0) >= count:
        say(event="progress", unit=unit, bytes=1)
    if max(task.get("fail", 0), task.get("stumble", 0)) >= count:
        say(event="failed", unit=unit, message="the moment was bad", transient=task["transient"], sqlstate="40001")
        continue
    if not task.get("silent"):
        say(event="progress", unit=unit, bytes=1)
    with open(notes, "a") as stream:
        stream.write(f"end {unit}\\n")
    assert count == message["attempt"]
    members = {name: [1, 2] for name in task["copies"]} if "copies" in task else None
    say(event="done", unit=unit, rows=count, bytes=2, members=members)
"""


class Notebook:
    """Stands in for the journal."""

    def __init__(self):
        self.lines = []

    def __getattr__(self, word):
        return lambda *facts: self.lines.append((word, *facts))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs units on a number of workers; it returns C((results, notes, journal lines))."""
    monkeypatch.setattr(pool_module, "RETRY_SECONDS", (0, 0, 0))
    engine = tmp_path / "engine.py"
    engine.write_text(WORKER, encoding="utf-8")
    notes = tmp_path / "notes"
    notes.touch()
    journal = Notebook()

    def go(units: list, jobs: int = 2, tick=lambda: None, relieve=None):
        pool = go.pool = Pool(str(engine), jobs, "shop", journal, tick)
        try:
            pool.begin({"notes": str(notes)})
            results = pool.run(units, relieve)
        finally:
            pool.close()
        return results, notes.read_text(encoding="utf-8").splitlines(), journal.lines

    go.journal = journal
    return go


def unit(
    name: str, weight: int = 1, waits_for=(), locks=(), kind: str = "table", shares=(), part_of: str = "", **task
) -> Unit:
    what = {"kind": "stand-in", **task}
    return Unit(name, kind, name, weight, what, set(waits_for), frozenset(locks), frozenset(shares), part_of=part_of)


class Group(Content):
    """Stands for several units."""

    def __init__(self, *names: str):
        self.names = names

    def order(self, unit: Unit) -> Order:
        return Order(unit.task, ("made late", *self.names), self.names)


def group(*names: str, **task) -> Unit:
    return Unit("batch:t1", "table", "batch", 5, {"kind": "batch", **task}, bytes_total=7, content=Group(*names))


def begun(notes: list) -> list:
    """Return the names of the units in the order in which workers began them."""
    return [line.partition(" ")[2] for line in notes if line.startswith("begin ")]


def test_longest_chain_first_and_nothing_before_what_it_waits_for(run):
    units = [unit("light"), unit("heavy", 9), unit("key", 99, ["light", "not in this run"]), unit("middle", 5)]
    results, notes, _lines = run(units, jobs=1)
    assert begun(notes) == ["light", "key", "heavy", "middle"], "the light one has the longest chain behind it"
    assert set(results) == {"light", "heavy", "key", "middle"}
    assert results["key"]["rows"] == 1


def test_heaviest_first_where_nothing_waits(run):
    _results, notes, _lines = run([unit("light"), unit("heavy", 9), unit("middle", 5)], jobs=1)
    assert begun(notes) == ["heavy", "middle", "light"]


def test_two_workers_work_at_once(run):
    _results, notes, _lines = run([unit("a", seconds=0.3), unit("b", seconds=0.3)])
    assert {*notes[:2]} == {"begin a", "begin b"}


def test_units_whose_locks_clash_never_run_at_once(run):
    units = [unit(name, locks=["shared"], seconds=0.1) for name in "abc"]
    _results, notes, _lines = run(units, jobs=3)
    assert [line.split()[0] for line in notes] == ["begin", "end"] * 3


def test_units_that_share_a_table_run_at_once_but_not_beside_one_that_locks_it(run):
    units = [unit(name, 2, shares=["t"], seconds=0.4) for name in ("i1", "i2")] + [unit("pk", locks=["t"])]
    _results, notes, _lines = run(units, jobs=3)
    assert {*notes[:2]} == {"begin i1", "begin i2"}, "two indexes are built at once"
    assert notes[-2:] == ["begin pk", "end pk"], "a key wants the table for itself"


def test_one_that_shares_waits_for_one_that_locks(run):
    _results, notes, _lines = run([unit("pk", 9, locks=["t"], seconds=0.3), unit("index", shares=["t"])], jobs=2)
    assert notes == ["begin pk", "end pk", "begin index", "end index"]


def test_others_go_past_one_that_waits_for_a_lock(run):
    units = [unit("a", 9, locks=["x"], seconds=0.3), unit("b", 8, locks=["x"]), unit("c", 1)]
    _results, notes, _lines = run(units)
    assert notes.index("begin c") < notes.index("begin b")


def test_passing_failure_is_tried_again_and_written_down(run):
    results, _notes, lines = run([unit("a", fail=2, transient=True)])
    assert results["a"]["rows"] == 3
    warnings = [line for line in lines if line[0] == "event"]
    assert len(warnings) == 2 and "tried again" in warnings[0][1]
    assert ("finished", "shop", {"a": (3, 2)}) in lines


def test_passing_failure_that_does_not_pass_ends_the_run(run):
    with pytest.raises(TransferFailed, match="a: the moment was bad") as caught:
        run([unit("a", fail=99, transient=True)])
    assert caught.value.details == {"database": "shop", "unit": "a", "sqlstate": "40001"}
    assert ("failed", "shop", "a", "the moment was bad") in run.journal.lines
    assert [line[0] for line in run.journal.lines].count("started") == pool_module.ATTEMPTS


def test_lasting_failure_is_not_tried_again(run):
    with pytest.raises(TransferFailed):
        run([unit("a", fail=1, transient=False)])
    assert [line[0] for line in run.journal.lines].count("started") == 1


def test_dead_worker_is_replaced_and_its_unit_done_again(run):
    results, _notes, lines = run([unit("a", die=1), unit("b")], jobs=1)
    assert set(results) == {"a", "b"}
    assert any("ended with status 9" in line[1] for line in lines if line[0] == "event")


def test_workers_that_never_start_end_the_run(tmp_path):
    engine = tmp_path / "engine.py"
    engine.write_text("import sys; sys.exit(5)", encoding="utf-8")
    pool = Pool(str(engine), 1, "shop", Notebook(), lambda: None)
    try:
        pool.begin({})
        with pytest.raises(TransferFailed, match="status 5"):
            pool.run([unit("a")])
    finally:
        pool.close()


def test_circle_is_noticed(run):
    with pytest.raises(TransferFailed, match="circle: a, b"):
        run([unit("a", waits_for=["b"]), unit("b", waits_for=["a"])])


def test_tick_can_stop_everything(run):
    class Enough(Exception):
        pass

    def tick():
        raise Enough

    with pytest.raises(Enough):
        run([unit("a", seconds=5)], tick=tick)


def test_proofs_leave_the_journal_alone(run):
    results, _notes, lines = run([unit("a", kind="prove")])
    assert set(results) == {"a"}
    assert not [line for line in lines if line[0] in ("started", "finished")]


def test_batch_is_written_down_under_the_names_of_its_members(run):
    batch = group("t1", "t2", "k1", copies=["t1", "t2"])
    results, _notes, lines = run([batch, unit("later", waits_for=["batch:t1"])])
    assert set(results) == {"batch:t1", "later"}
    assert ("started", "shop", "t1", "t2", "k1") in lines
    assert ("finished", "shop", {"t1": [1, 2], "t2": [1, 2], "k1": (None, None)}) in lines


def group_of(number: int, **task) -> Unit:
    """Return a batch of one table."""
    name = f"batch:t{number}"
    return Unit(name, "table", name, 100 - number, {"kind": "batch", **task}, content=Group(f"t{number}"))


def test_batches_are_sent_before_the_worker_asks_as_long_as_there_are_many(run):
    units = [group_of(n) for n in range(6)]
    results, notes, lines = run(units, jobs=1)
    assert begun(notes) == [one.name for one in units] and set(results) == set(begun(notes))
    spans = [line[0] for line in lines if line[0] in ("begin_span", "end_span")]
    assert spans == ["begin_span", "end_span"] * 6, "none is entered before the worker begins with it"
    assert [line[2] for line in lines if line[0] == "started"] == [f"t{n}" for n in range(6)]


def test_batch_that_was_sent_ahead_of_a_death_or_a_failure_is_done_once(run):
    units = [group_of(0, die=1), group_of(1), group_of(2, fail=1, transient=True), *(group_of(n) for n in range(3, 7))]
    results, notes, _lines = run(units, jobs=1)
    assert set(results) == {one.name for one in units}
    assert sorted(begun(notes)) == sorted([*results, "batch:t0", "batch:t2"])


def test_failed_batch_fails_under_all_its_names(run):
    with pytest.raises(TransferFailed):
        run([group("t1", "k1", fail=1, transient=False)])
    assert [line[2] for line in run.journal.lines if line[0] == "failed"] == ["t1", "k1"]


def test_unit_that_can_be_relieved_is_tried_again(run):
    batch = group("t1", fail=9, transient=False)
    asked = []

    def relieve(unit: Unit, answer: dict) -> str:
        asked.append((unit.name, answer["message"]))
        unit.task["fail"] = 0
        return pool_module.AGAIN

    results, notes, lines = run([batch], relieve=relieve)
    assert set(results) == {"batch:t1"} and asked == [("batch:t1", "the moment was bad")]
    assert begun(notes) == ["batch:t1"] * 2
    assert not [line for line in lines if line[0] in ("failed", "event")]


def test_unit_that_fails_although_it_was_relieved_ends_the_run(run):
    answers = [pool_module.AGAIN, None]
    with pytest.raises(TransferFailed, match="the moment was bad"):
        run([group("t1", fail=9, transient=False)], relieve=lambda unit, answer: answers.pop(0))
    assert answers == []


def test_unit_may_be_tried_again_when_all_others_are_done(run):
    units = [unit("early", 9, fail=1, transient=False), unit("a", seconds=0.3), unit("b", waits_for=["a"]),
             unit("after", waits_for=["early"])]  # fmt: skip
    results, notes, lines = run(units, relieve=lambda unit, answer: pool_module.LAST)
    assert set(results) == {"early", "a", "b", "after"}
    # Two workers begin at once, and either may be the first to say so.
    order = begun(notes)
    assert sorted(order[:2]) == ["a", "early"] and order[2:] == ["b", "early", "after"]
    assert not [line for line in lines if line[0] == "failed"]


def test_last_attempt_is_the_last(run):
    with pytest.raises(TransferFailed, match="early: the moment was bad"):
        run([unit("early", 9, fail=9, transient=False), unit("a")], relieve=lambda unit, answer: pool_module.LAST)


def test_who_did_what_is_written_down(run):
    batch = group("t1", "t2", "k1", copies=["t1", "t2"])
    _results, _notes, lines = run([batch], jobs=1)
    assert ("begin_span", "shop", 1, "batch:t1", "table", "batch", 3, 7, 5) in lines
    assert ("end_span", 1, "done", 2, 4) in lines
    _results, _notes, lines = run([unit("a", kind="prove", fail=1, transient=True)], jobs=1)
    assert [line[1:3] for line in lines if line[0] == "end_span"][1:] == [(1, "failed"), (1, "done")]


def test_nothing_to_do(run):
    assert run([])[0] == {}


def parts_of_a_table(**first) -> list:
    """Return three parts of table t, with I(first) in the task of the first one, and the unit that joins them."""
    parts = [unit(f"t:part {number}/3", part_of="t", **(first if number == 1 else {})) for number in (1, 2, 3)]
    return [*parts, unit("t", 0, [part.name for part in parts], silent=True)]


def test_parts_count_together_under_the_name_of_their_table(run):
    results, _notes, lines = run([*parts_of_a_table(), unit("key", waits_for=["t"])])
    assert set(results) == {"t:part 1/3", "t:part 2/3", "t:part 3/3", "t", "key"}
    about = [line for line in lines if line[0] in ("started", "progress", "finished", "failed")]
    assert {line[2] for line in about if line[0] != "finished"} == {"t", "key"}, "the journal knows no part"
    assert [line for line in lines if line[0] == "started"] == [("started", "shop", "t"), ("started", "shop", "key")]
    assert [line for line in lines if line[0] == "finished"][0] == ("finished", "shop", {"t": (1, 6)})
    seen = [line[3] for line in lines if line[0] == "progress" and line[2] == "t"]
    assert seen[0] == 0 and max(seen) == 6, "each part has carried 2 bytes"


def test_part_that_is_tried_again_gives_back_what_it_had_carried(run):
    _results, _notes, lines = run(parts_of_a_table(stumble=1, transient=True, seconds=0.2), jobs=2)
    seen = [line[3] for line in lines if line[0] == "progress"]
    falls = [(before, after) for before, after in zip(seen, seen[1:]) if after < before]
    assert [before - after for before, after in falls] == [1], seen
    assert seen[-1] == 6
    assert [line for line in lines if line[0] == "started"] == [("started", "shop", "t")], "the table has begun once"
    assert [line for line in lines if line[0] == "finished"] == [("finished", "shop", {"t": (1, 6)})]


def test_part_that_fails_for_good_fails_the_table(run):
    with pytest.raises(TransferFailed, match="t:part 1/3: the moment was bad"):
        run(parts_of_a_table(fail=9, transient=False))
    assert [line[1:3] for line in run.journal.lines if line[0] == "failed"] == [("shop", "t")]


def test_workers_beyond_two_are_started_only_for_work(run):
    run([unit("alone", seconds=0.2)], jobs=4)
    assert len(run.pool.workers) == 2
    run([unit(name, seconds=0.5) for name in "abc"], jobs=4)
    assert len(run.pool.workers) == 3
    _results, notes, lines = run([unit(f"u{number}", seconds=0.5) for number in range(9)], jobs=4)
    assert len(run.pool.workers) == 4, "no more than allowed"
    assert {line[2] for line in lines if line[0] == "begin_span" and line[3].startswith("u")} == {1, 2, 3, 4}


def test_one_job_starts_one_worker(run):
    run([unit("a"), unit("b")], jobs=1)
    assert len(run.pool.workers) == 1


def test_large_streams_leave_half_of_the_workers_to_the_keys(run):
    streams = [unit(f"s{number}", 9, kind="table", seconds=0.3) for number in range(3)]
    for stream in streams:
        stream.task["kind"], stream.bytes_total = "table", SMALL_TABLE_BYTES + 1
    _results, notes, _lines = run([*streams, unit("key", seconds=0.1)], jobs=2)
    assert [line for line in notes if " s" in line] == [
        f"{word} s{number}" for number in range(3) for word in ("begin", "end")
    ], "one of two workers copies"
    assert set(begun(notes)[:2]) == {"s0", "key"}
