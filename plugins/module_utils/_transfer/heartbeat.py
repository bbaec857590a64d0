# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing waits for ever unnoticed: who has not moved for a while is looked for on both servers.

Every worker tells when bytes move (see M(pulse)). Who is silent may be waiting for a lock, be at work inside a server
(an index takes its time), or hang on a connection that is dead without anybody having said so. Which of these it is,
the servers know: a thread of the engine asks them over connections of its own, and every one of its questions has a
deadline. A lock is named in the journal. What hangs on a dead connection is ended, so that it can be tried again.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field

from .._core.errors import ConnectionFailed
from .._core.redaction import redact
from .leftovers import SIDES, terminate
from .probe import NoAnswer, ask
from .sessions import Sessions

STILL_SECONDS = 20  # without a movement before somebody looks
LOOK_SECONDS = 10  # between two looks; two alike condemn
ANSWER_SECONDS = 10
PROCESSES = ("w", "f")  # what the names of sessions of workers, and of those who follow, begin with
ASIDE = "-look"  # what the name of a session ends with that moves whatever the others of its process do
HELD_BACK_BYTES = 8 << 20  # what a throttled worker may take at once and then sleep over: a slice of a large object

ACTIVITY = """
SELECT a.pid, a.application_name AS label, a.state, a.wait_event_type AS wait_type, a.wait_event AS wait,
       a.state_change::text AS since, a.backend_type = 'client backend' AS client,
       (SELECT pg_catalog.array_agg(b.pid::text) FROM pg_catalog.unnest(pg_catalog.pg_blocking_pids(a.pid)) AS b(pid)) AS blocked_by,
       (SELECT pg_catalog.string_agg(pg_catalog.format('process %%s of user %%s (%%s)', b.pid, b.usename,
               COALESCE(NULLIF(b.application_name, ''), 'no application name')), ', ' ORDER BY b.pid)
          FROM pg_catalog.pg_stat_activity b WHERE b.pid = ANY (pg_catalog.pg_blocking_pids(a.pid))) AS blockers
  FROM pg_catalog.pg_stat_activity a
 WHERE a.usename = current_user AND pg_catalog.starts_with(a.application_name, %s)
"""


@dataclass
class Look:
    """What two servers said of everybody's sessions; a side that is None was silent, one in I(blind) let nobody in."""

    rows: dict = field(default_factory=dict)
    blind: set = field(default_factory=set)

    def of(self, side: str, label: str) -> list:
        """Return the rows of one subject on one side."""
        return [row for row in self.rows.get(side) or () if row["label"] == label and row["client"]]


def judge(look: Look, labels: dict) -> tuple:
    """Return C((verdict, words, signature)) for a subject that has not moved.

    Verdicts: C(blocked), words name side and holders; C(working), a server is busy on it; C(unseen), a server that
    answers lets nobody look; C(still), nothing moves anywhere, and the same signature twice means that nothing will.

    :param labels: C({side: application name}) of the subject's sessions
    """
    signature, silent = [], []
    for side, label in labels.items():
        if side in look.blind:
            return "unseen", f"the {side} lets nobody look", None
        if look.rows.get(side) is None:
            silent.append(side)
            signature.append((side, "no answer"))
            continue
        for row in look.of(side, label):
            if row["wait_type"] == "Lock" or row["blocked_by"]:
                return "blocked", f"on the {side} it waits for a lock held by {row['blockers'] or 'somebody'}", None
            if row["state"] == "active" and row["wait_type"] != "Client":
                return "working", f"the {side} is at work", None
            signature.append((side, row["pid"], row["since"], row["wait"]))
    words = " and ".join(f"the {side} does not answer" for side in silent)
    return "still", words or "nothing moves between the servers and this host", tuple(signature)


class Watch(threading.Thread):
    """The thread that looks. It has I(subjects) from the engine's main thread and events for its journal.

    A subject has C(what()), a name for people or None while it has nothing to do; C(moved()), the monotonic second of its
    last movement; C(labels()), C({side: application name}) of its sessions; and C(strike(words)), which ends it.

    :param say: called with (sentence, database or None) from this thread
    """

    def __init__(
        self, sessions: Sessions, say, secrets: list, patience: float = STILL_SECONDS, pause: float = LOOK_SECONDS
    ):
        super().__init__(name="watch", daemon=True)
        self.sessions = sessions
        self.say = say
        self.secrets = secrets
        self.patience = patience
        self.pause = pause
        self.subjects: list = []
        self.changing = threading.Lock()
        self.database: str | None = None
        self.seen: dict = {}
        self.said: set = set()
        self.ending = threading.Event()
        self.cancelled = 0.0
        self.waker, self.wakeup = socket.socketpair()
        self.waker.setblocking(False)
        self.wakeup.settimeout(1)

    def watch(self, *subjects) -> None:
        """Take subjects under observation."""
        with self.changing:
            self.subjects = [*self.subjects, *subjects]

    def forget(self, *subjects) -> None:
        """Leave subjects alone from now on."""
        with self.changing:
            self.subjects = [one for one in self.subjects if one not in subjects]

    def stop(self) -> None:
        """End the thread."""
        self.ending.set()
        with contextlib.suppress(BlockingIOError):
            self.waker.send(b"\0")
        self.join(2 * ANSWER_SECONDS)

    def run(self) -> None:
        """Look once a second whether somebody has to be looked after."""
        looked = 0.0
        while not self.ending.is_set():
            try:
                woken = self.wakeup.recv(64)
                if any(woken) and not self.cancelled:  # by a signal; a zero is from stop()
                    self.cancelled = time.monotonic()
            except socket.timeout:
                pass
            if self.cancelled:
                with contextlib.suppress(Exception):
                    self.free_the_main_thread()
                time.sleep(0.2)
                continue
            try:
                due = self.silent_ones()
                if due and time.monotonic() - looked >= self.pause:
                    looked = time.monotonic()
                    self.look(due)
            except Exception as error:  # an observer must not die of what it sees
                self.tell(f"The watch over the sessions stumbled: {type(error).__name__}: {error}")

    def silent_ones(self) -> list:
        """Return the subjects that have something to do and have not moved for a while; forget what moved."""
        now = time.monotonic()
        due = [one for one in self.subjects if one.what() and now - one.moved() >= self.patience + one.allowance]
        self.seen = {one: seen for one, seen in self.seen.items() if one in due}
        return due

    def free_the_main_thread(self) -> None:
        """After a request to stop: whoever waits for a server's answer then gets none; the engine ends the rest."""
        if time.monotonic() - self.cancelled > 2:
            for one in self.subjects:
                if one.what() and one.holds_main_thread:
                    one.strike("the engine was asked to stop")

    def look(self, due: list) -> None:
        """Ask both servers and draw the consequences."""
        look = Look()
        for side in SIDES:
            try:
                look.rows[side] = ask(
                    self.sessions.endpoint(side), side, ACTIVITY, (self.sessions.family(side),), seconds=ANSWER_SECONDS
                )
            except NoAnswer:
                look.rows[side] = None
            except ConnectionFailed:
                look.blind.add(side)
        self.end_orphans(look)
        for one in due:
            what = one.what()
            if not what or time.monotonic() - one.moved() < self.patience:
                continue
            verdict, words, signature = judge(look, one.labels())
            if verdict == "blocked":
                self.tell(f"{what} waits: {words}.")
            if verdict == "unseen":
                self.tell(f"{what} has not moved for a while, and {words}.")
            known, self.seen[one] = self.seen.get(one), signature
            if verdict == "still" and known == signature:
                del self.seen[one]
                self.tell(
                    f"{what} has not moved for {time.monotonic() - one.moved():.0f} s: {words}. Its connections are given up.",
                    True,
                )
                one.strike(words)
                for side, label in one.labels().items():
                    self.end(side, [row["pid"] for row in look.of(side, label)])

    def end_orphans(self, look: Look) -> None:
        """End sessions of workers and followers that are no more: they may hold locks that their successors need."""
        for side in SIDES:
            begins = tuple(self.sessions.label(side, letter) for letter in PROCESSES)
            living = {one.labels().get(side) for one in self.subjects}
            self.end(side, [row["pid"] for row in look.rows.get(side) or () if row["client"]
                            and row["label"].startswith(begins) and row["label"].partition(ASIDE[0])[0] not in living])  # fmt: skip

    def end(self, side: str, pids: list) -> None:
        """End sessions as far as the server can be reached."""
        with contextlib.suppress(NoAnswer, ConnectionFailed):  # looked for again as soon as somebody is silent
            terminate(self.sessions, side, pids)

    def tell(self, sentence: str, always: bool = False) -> None:
        """Write an event once, or each time with I(always)."""
        if always or (self.database, sentence) not in self.said:
            self.said.add((self.database, sentence))
            self.say(redact(sentence, self.secrets), self.database)
