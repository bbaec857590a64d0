# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine's workers, and the loop that keeps them busy."""

from __future__ import annotations

import heapq
import itertools
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Callable

from .._core.errors import TransferFailed
from .heartbeat import HELD_BACK_BYTES
from .plan import Order, Unit, conflicts
from .priority import critical_paths

ATTEMPTS = 4
RETRY_SECONDS = (1, 5, 15)
REMEDY = "Put the cause right, then run the migration again: what is done stays done."
REMEDIES = {  # by SQLSTATE
    "23503": "The source holds such rows too: they came in while its own checks were off. Complete or delete them there, "
    "then run the migration again: what is done stays done."
}
AGAIN, LAST = "again", "last"
PREPARED = 4  # orders that are made ahead, so that no worker waits for its own
FIRST_WORKERS = 2  # the others start when there is work for them


def totals_of(answer: dict) -> tuple:
    """Return C((rows, bytes)) of what a unit carried, all members of a batch together; None where it carries none."""
    members = (answer.get("members") or {}).values()
    if not members:
        return answer.get("rows"), answer.get("bytes")
    return sum(rows or 0 for rows, _size in members), sum(size or 0 for _rows, size in members)


def is_batch(unit: Unit | None) -> bool:
    """Return whether a unit is a batch of small tables, which locks nothing that another unit wants."""
    return unit is not None and unit.task["kind"] == "batch"


class WorkerProcess:
    """One worker process and the thread that listens to it; a subject of the watch (see M(heartbeat))."""

    serials = itertools.count(1)
    holds_main_thread = False

    def __init__(self, number: int, command: list, answers: queue.Queue):
        self.number = number
        self.unit: Unit | None = None
        self.order: Order | None = None
        self.next: tuple | None = None  # what it has been sent beside that, C((unit, order))
        self.heard = time.monotonic()
        self.struck = ""
        self.application: dict = {}
        self.allowance = 0.0
        # This runs outside Ansible too, where no module offers run_command.
        self.process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self.listen, args=(answers,), daemon=True).start()

    def begin(self, order: dict) -> None:
        """Write the first line, which says what the work is about."""
        order = {**order, "role": f"w{next(self.serials)}"}
        self.application = {side: f"{begins} {order['role']}" for side, begins in order.get("labels", {}).items()}
        rate = order.get("rate")
        self.allowance = HELD_BACK_BYTES / rate if rate else 0.0
        self.send(order)

    def send(self, message: dict) -> None:
        """Write one line to the worker."""
        self.heard = time.monotonic()
        try:
            self.process.stdin.write(json.dumps(message) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # its end is noticed by the thread that listens

    def listen(self, answers: queue.Queue) -> None:
        """Pass on what the worker says, and its end."""
        for line in self.process.stdout:
            self.heard = time.monotonic()
            answers.put((self, json.loads(line)))
        answers.put((self, {"event": "ended"}))

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def what(self) -> str | None:
        """Return what it does for people, None while it is idle."""
        unit = self.unit
        return f"{unit.kind.replace('_', ' ')} {unit.label}" if unit else None

    def moved(self) -> float:
        """Return when it was last heard of."""
        return self.heard

    def labels(self) -> dict:
        """Return the application names of its sessions."""
        return self.application

    def strike(self, words: str) -> None:
        """End the process; its unit is tried again."""
        self.struck = words
        self.process.kill()


class Pool:
    """Runs units on I(jobs) workers.

    :param engine: path of the installed engine, run by this very interpreter
    :param tick: called about once a second; it may raise to stop everything
    """

    def __init__(self, engine: str, jobs: int, database: str, journal, tick: Callable[[], None], watch=None):
        self.watch = watch
        self.journal = journal
        self.database = database
        self.tick = tick
        self.answers: queue.Queue = queue.Queue()
        self.command = [sys.executable, engine, "worker"]
        self.order: dict = {}
        self.parts: dict = {}
        self.prepared: dict = {}
        self.jobs = jobs
        self.workers = [WorkerProcess(number, self.command, self.answers) for number in range(min(jobs, FIRST_WORKERS))]

    def begin(self, order: dict) -> None:
        """Tell all workers what the work is about.

        :param order: request, secrets, database, snapshot, settings, rate, runner, and in I(labels) how the application
            names begin on each side
        """
        self.order = order
        for worker in self.workers:
            worker.begin(order)
        if self.watch:
            self.watch.watch(*self.workers)

    def close(self) -> None:
        """End all workers."""
        if self.watch:
            self.watch.forget(*self.workers)
        for worker in self.workers:
            worker.stop()

    def replace(self, worker: WorkerProcess) -> None:
        """Put a new worker in the place of one that has ended."""
        worker.process.wait()
        place = self.workers.index(worker)
        self.workers[place] = WorkerProcess(worker.number, self.command, self.answers)
        self.workers[place].begin(self.order)
        if self.watch:
            self.watch.watch(self.workers[place])
            self.watch.forget(worker)

    def run(self, units: list, relieve: Callable[[Unit, dict], str | None] | None = None) -> dict:
        """Do all units, those first that most work waits for; return C({name: answer}).

        :param relieve: called with a unit that has failed for good and its answer; returns C(again) when it has less to do
            now and is to be tried again, C(last) when that makes sense after everything else has been done
        :raises TransferFailed: when a unit has failed for good; the others in flight are ended then
        """
        waiting = {unit.name: unit for unit in units}
        blocked = {unit.name: {name for name in unit.waits_for if name in waiting} for unit in units}
        followers: dict = {}
        for unit in units:
            for name in blocked[unit.name]:
                followers.setdefault(name, []).append(unit)
        urgency = critical_paths(units)
        ready = [(-urgency[unit.name], index, unit) for index, unit in enumerate(units) if not blocked[unit.name]]
        heapq.heapify(ready)
        later: list = []
        last: list = []
        tried_last: set = set()
        attempts = dict.fromkeys(waiting, 0)
        results: dict = {}
        counter = len(units)
        while len(results) < len(units):
            now = time.monotonic()
            for item in [item for item in later if item[0] <= now]:
                later.remove(item)
                counter += 1
                heapq.heappush(ready, (-urgency[item[1].name], counter, item[1]))
            if last and not ready and not later and not any(worker.unit for worker in self.workers):
                tried_last.update(unit.name for unit in last)
                ready = [(-urgency[unit.name], index, unit) for index, unit in enumerate(last)]
                last = []
            self.dispatch(ready, attempts)
            if ready and len(self.prepared) < PREPARED and ready[0][2].name not in self.prepared:
                self.prepared[ready[0][2].name] = ready[0][2].order()
            if not any(worker.unit for worker in self.workers) and not ready and not later:
                raise TransferFailed(
                    f"Units wait for each other in a circle: {', '.join(sorted(set(waiting) - set(results))[:5])}.",
                    "This is an error of the plan: report it with the engine's log; what is done stays done.",
                )
            try:
                worker, answer = self.answers.get(timeout=1)
            except queue.Empty:
                self.tick()
                continue
            self.tick()
            unit = worker.unit
            if answer["event"] == "progress" and unit:
                self.progress(unit, answer["bytes"])
            elif answer["event"] == "done":
                order = worker.order
                self.journal.end_span(worker.number + 1, "done", *totals_of(answer))
                self.go_on(worker, attempts)
                for follower in followers.get(unit.name, ()):
                    blocked[follower.name].discard(unit.name)
                    if not blocked[follower.name]:
                        counter += 1
                        heapq.heappush(ready, (-urgency[follower.name], counter, follower))
                self.dispatch(ready, attempts)  # nobody waits for the journal
                if unit.kind != "prove" and not answer.get("later"):
                    self.record(unit, order, answer)
                answer.pop("members", None)
                results[unit.name] = answer
            elif answer["event"] in ("failed", "ended"):
                order = worker.order
                self.journal.end_span(worker.number + 1, "failed")
                if answer["event"] == "failed":
                    self.go_on(worker, attempts)
                else:
                    worker.unit = None
                    if worker.next:  # it has not begun with that
                        counter += 1
                        heapq.heappush(ready, (-urgency[worker.next[0].name], counter, worker.next[0]))
                    self.replace(worker)
                    reason = worker.struck or f"its worker ended with status {worker.process.returncode}"
                    answer = {"message": reason, "transient": True}
                if unit is None:
                    attempts.setdefault("", 0)
                    attempts[""] += 1
                    if attempts[""] > ATTEMPTS:
                        raise TransferFailed(f"Workers do not start: {answer['message']}.", "Read the engine's log.")
                    continue
                advice = relieve(unit, answer) if relieve and not answer["transient"] else None
                if advice == AGAIN:
                    self.prepared.pop(unit.name, None)
                    later.append((now, unit))
                    continue
                if advice == LAST and unit.name not in tried_last:
                    last.append(unit)
                    continue
                self.retry(unit, order, answer, attempts[unit.name], later)
        return results

    def record(self, unit: Unit, order: Order, answer: dict) -> None:
        """Enter a finished unit in the journal under all its names."""
        if unit.part_of:
            self.progress(unit, answer.get("bytes") or 0)
            return
        size = sum(self.parts.pop(unit.name, {}).values()) or answer.get("bytes")
        members = answer.get("members") or {unit.name: (answer.get("rows"), size)}
        self.journal.finished(self.database, {name: members.get(name, (None, None)) for name in order.journal_names})

    def progress(self, unit: Unit, size: int) -> None:
        """Enter how many bytes of a unit have been carried; the parts of a table count together."""
        if unit.part_of:
            parts = self.parts.setdefault(unit.part_of, {})
            parts[unit.name] = size
            size = sum(parts.values())
        self.journal.progress(self.database, unit.part_of or unit.name, size)

    def dispatch(self, ready: list, attempts: dict) -> None:
        """Give ready units to idle workers; units whose locks clash with one in flight are put back."""
        put_back = []
        for worker in self.crew():
            while worker.unit is None and ready:
                item = heapq.heappop(ready)
                unit = item[2]
                others = [other.unit for other in self.workers if other.unit]
                if conflicts(unit, others) or (unit.is_stream and self.streams_are_enough(others)):
                    put_back.append(item)
                    continue
                order = self.hand_over(worker, unit, attempts)
                self.enter(worker, unit, order, attempts)
            if not ready:
                break
        for item in put_back:
            heapq.heappush(ready, item)
        # A batch takes so little time that a worker would often wait for the next.
        for worker in self.workers:
            if len(ready) > self.jobs and not worker.next and is_batch(worker.unit) and is_batch(ready[0][2]):
                unit = heapq.heappop(ready)[2]
                worker.next = (unit, self.hand_over(worker, unit, attempts))

    def hand_over(self, worker: WorkerProcess, unit: Unit, attempts: dict) -> Order:
        """Send a unit to a worker, which does one after the other, and return its order."""
        order = self.prepared.pop(unit.name, None) or unit.order()
        message = {"names": order.names, "attempt": attempts[unit.name] + 1, "task": order.task}
        worker.send({"unit": unit.name, **message})
        return order

    def enter(self, worker: WorkerProcess, unit: Unit, order: Order, attempts: dict) -> None:
        """Enter that a worker begins with a unit that it was sent."""
        worker.unit, worker.order = unit, order
        attempts[unit.name] += 1
        if unit.kind != "prove" and unit.name not in self.parts and unit.part_of not in self.parts:
            self.journal.started(self.database, *order.journal_names)
        if unit.part_of:
            self.progress(unit, 0)
        facts = (unit.name, unit.kind, unit.label, len(order.journal_names), unit.bytes_total, unit.weight)
        self.journal.begin_span(self.database, worker.number + 1, *facts)

    def go_on(self, worker: WorkerProcess, attempts: dict) -> None:
        """Enter that a worker has ended its unit, and with which it goes on if it was sent one more."""
        found, worker.next, worker.unit = worker.next, None, None
        if found:
            self.enter(worker, *found, attempts)

    def streams_are_enough(self, others: list) -> bool:
        """Return whether half of the workers copy tables already: the other half is better off building their keys."""
        if self.order.get("rate"):
            return False  # each stream has its share of the limit, and leaves none to the others
        return sum(other.is_stream for other in others) >= max(1, self.jobs // 2)

    def crew(self) -> Iterator[WorkerProcess]:
        """Yield the workers that there are, then new ones as long as more are allowed: started only when asked for."""
        yield from list(self.workers)
        while len(self.workers) < self.jobs:
            worker = WorkerProcess(len(self.workers), self.command, self.answers)
            worker.begin(self.order)
            self.workers.append(worker)
            if self.watch:
                self.watch.watch(worker)
            yield worker

    def retry(self, unit: Unit, order: Order, answer: dict, attempt: int, later: list) -> None:
        """Put a unit that failed for a passing reason aside for a while, or give up.

        :raises TransferFailed: naming the unit and giving the server's own message
        """
        if answer["transient"] and attempt < ATTEMPTS:
            self.journal.event(
                f"{unit.label}: {answer['message']}; tried again in {RETRY_SECONDS[attempt - 1]} s.",
                "warning",
                self.database,
            )
            later.append((time.monotonic() + RETRY_SECONDS[attempt - 1], unit))
            return
        for name in order.journal_names:
            self.journal.failed(self.database, name, answer["message"])
        raise TransferFailed(
            f"Database {self.database}, {unit.label}: {answer['message']}",
            answer.get("hint") or REMEDIES.get(answer.get("sqlstate"), REMEDY),
            {"database": self.database, "unit": unit.label, "sqlstate": answer.get("sqlstate")},
        )
