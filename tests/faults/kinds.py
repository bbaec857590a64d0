# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults. Each begins at some moment of a transfer, lasts a while, and is put right."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time

import psycopg2
from support.migrations import children
from support.servers import USER, ask, run, session

from tests.faults.dataset import CHANGES, DATABASES

OWN = f"usename = '{USER}' AND pid <> pg_backend_pid()"
LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")


class Fault:
    """A kind of fault.

    I(phases) narrows the moments at which it makes sense; I(engine_survives) demands that the engine goes on by itself;
    I(durable) says whether what the target had committed a moment ago is still there afterwards.
    """

    phases: tuple = ()
    engine_survives = False
    durable = True
    hold = (0.2, 4.0)

    def __init__(self, stage, one, dice):
        self.stage = stage
        self.one = one
        self.dice = dice
        self.side = dice.choice(("source", "target"))
        self.cluster = stage.cluster(self.side)
        self.changed: set = set()
        self.notes: list = []

    def skip(self) -> str:
        """Return why it cannot be tried here."""
        return ""

    def begin(self) -> None:
        """Let it happen."""
        raise NotImplementedError

    def last(self) -> None:
        """Let it last."""
        time.sleep(self.dice.uniform(*self.hold))

    def heal(self) -> None:
        """Put it right."""

    def finish(self) -> None:
        """Put right what was to last over the second run too."""


class EngineKilled(Fault):
    """SIGKILL of the engine."""

    hold = (0.0, 1.0)

    def begin(self) -> None:
        self.one.kill_engine()


class WorkerKilled(Fault):
    """SIGKILL of one of the engine's children."""

    engine_survives = True
    phases = ("copy-early", "copy-middle", "copy-late", "large objects", "keys", "foreign keys", "statistics")
    hold = (0.0, 0.2)

    def begin(self) -> None:
        engine = self.one.engine()
        workers = children(engine) if engine else []
        if workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.dice.choice(workers), signal.SIGKILL)


class Cancelled(Fault):
    """The migration is cancelled; nothing of it works on a server any more when the call returns."""

    hold = (0.0, 0.0)

    def begin(self) -> None:
        begun = time.monotonic()
        result = self.one.module("migration", state="cancelled")
        left = [(side, row) for side in ("source", "target") for row in self.stage.own_sessions(side)]
        self.notes.append(f"cancelled in {time.monotonic() - begun:.1f} s")
        assert result.get("state") in ("cancelled", "completed") or "completed" in str(result.get("msg")), result
        assert not left, f"sessions after the cancellation: {left}"
        assert not self.one.engine()


class ServerStopped(Fault):
    """A server is stopped and started again."""

    mode = "fast"

    def begin(self) -> None:
        self.cluster.stop(self.mode)

    def heal(self) -> None:
        self.cluster.start()


class SourceStoppedFast(ServerStopped):
    """The source is stopped, mode fast."""

    def __init__(self, *words):
        super().__init__(*words)
        self.side, self.cluster = "source", self.stage.cluster("source")


class SourceStoppedImmediate(SourceStoppedFast):
    """The source is stopped, mode immediate."""

    mode = "immediate"


class TargetStoppedFast(ServerStopped):
    """The target is stopped, mode fast."""

    def __init__(self, *words):
        super().__init__(*words)
        self.side, self.cluster = "target", self.stage.cluster("target")


class TargetStoppedImmediate(TargetStoppedFast):
    """The target is stopped, mode immediate, which loses what it had not written to its log."""

    mode = "immediate"
    durable = False


class TargetCrashAtTheEnd(TargetStoppedImmediate):
    """The target crashes the moment the migration says that it is completed."""

    phases = ("completed",)
    hold = (0.0, 0.2)


class NetworkRefused(Fault):
    """All connections between the engine and one server are reset, new ones refused."""

    def begin(self) -> None:
        self.stage.proxies[self.side].refuse()

    def heal(self) -> None:
        self.stage.proxies[self.side].restore()


class NetworkReset(Fault):
    """All connections between the engine and one server are reset once."""

    hold = (0.0, 0.0)

    def begin(self) -> None:
        self.stage.proxies[self.side].cut()


class NetworkSwallowed(Fault):
    """Nothing comes through to one server for some seconds; then everything goes on, late."""

    engine_survives = True
    hold = (1.0, 12.0)

    def begin(self) -> None:
        self.stage.proxies[self.side].swallow()

    def heal(self) -> None:
        self.stage.proxies[self.side].release()


class NetworkSilent(Fault):
    """Nothing comes through to one server until the engine has noticed; old connections never come back."""

    phases = ("begin", "schema", "copy-middle", "copy-late", "keys", "foreign keys", "other objects", "statistics")

    def begin(self) -> None:
        self.begun = time.monotonic()
        self.stage.proxies[self.side].swallow()

    def last(self) -> None:
        """Last until the journal names it, which has to be within two minutes."""
        known = len(self.one.journal("SELECT 1 FROM event"))
        while time.monotonic() - self.begun < 120:
            new = self.one.journal("SELECT message FROM event WHERE level <> 'info' AND id > ?", known)
            if new or not self.one.engine():
                break
            time.sleep(0.2)
        else:
            raise AssertionError("two minutes of silence, and the journal says nothing")
        self.notes.append(f"noticed after {time.monotonic() - self.begun:.0f} s")

    def heal(self) -> None:
        self.stage.proxies[self.side].cut()
        self.stage.proxies[self.side].release()


class TargetDiskFull(Fault):
    """The target's disk is full, then grows."""

    durable = False
    hold = (0.5, 6.0)
    phases = ("begin", "schema", "copy-early", "copy-middle", "copy-late", "keys", "large objects", "statistics")

    def skip(self) -> str:
        return self.stage.disk.reason

    def begin(self) -> None:
        self.stage.disk.fill(self.dice.choice((0, 0, 200_000, 2_000_000)))

    def heal(self) -> None:
        self.stage.disk.empty()
        target = self.stage.cluster("target")
        deadline = time.monotonic() + 60
        while True:
            try:
                target.start()
                ask(target, "SELECT 1")
                return
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "the target does not come back"
                time.sleep(0.3)


class Limits(Fault):
    """An administrator limits statements, locks and idle transactions of the role and the databases on both ends."""

    phases = ("begin", "schema", "copy-middle", "keys", "foreign keys")
    engine_survives = True
    hold = (0.0, 0.0)

    def begin(self) -> None:
        self.statements = [(side, f"ALTER ROLE {USER}") for side in ("source", "target")]
        present = {name for (name,) in ask(self.stage.lab.target, "SELECT datname FROM pg_database")}
        for name, *_rest in DATABASES:
            # Settings of the source's databases would travel with them.
            if name in present:
                self.statements.append(("target", f"ALTER DATABASE {name}"))
        for side, statement in self.statements:
            for limit in LIMITS:
                ask(self.stage.cluster(side), f"{statement} SET {limit} = '300ms'")
        # Only new sessions see the limits, so there have to be some.
        self.stage.end_sessions(self.dice.choice(("source", "target")))

    def finish(self) -> None:
        for side, statement in self.statements:
            for limit in LIMITS:
                ask(self.stage.cluster(side), f"{statement} RESET {limit}")


class TableLocked(Fault):
    """Another session holds ACCESS EXCLUSIVE on some tables for a while; the journal names it when that is long."""

    engine_survives = True
    long = False
    hold = (1.0, 8.0)
    phases = ("begin", "schema", "copy-early", "copy-middle", "keys", "foreign keys", "other objects")

    def begin(self) -> None:
        self.stack = contextlib.ExitStack()
        self.pids = []
        for name, *_rest in DATABASES:
            with contextlib.suppress(psycopg2.OperationalError):  # a database that the target does not have yet
                holder = self.stack.enter_context(session(self.cluster, name))
                run(holder, "SET application_name = 'nightly report'; SET lock_timeout = '500ms'; BEGIN")
                tables = run(
                    holder,
                    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
                    "WHERE c.relkind = 'r' AND n.nspname IN ('app', 'billing') ORDER BY 1",
                )
                for (table,) in self.dice.sample(tables, min(len(tables), 12)):
                    with contextlib.suppress(psycopg2.Error):
                        run(holder, f"SAVEPOINT s; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
                        continue
                    run(holder, "ROLLBACK TO s")
                self.pids.append(holder.info.backend_pid)

    def heal(self) -> None:
        self.stack.close()


class TableLockedLong(TableLocked):
    """The same for longer than anybody should wait without saying so."""

    phases = ("copy-early", "keys")
    hold = (33.0, 40.0)

    def heal(self) -> None:
        words = self.one.events()
        super().heal()
        if self.one.engine():
            self.notes.append("named" if "nightly report" in words else "nobody waited for it")
            waiting = any(f"process {pid} " in words for pid in self.pids)
            assert waiting or not self.waited(), f"nobody named the lock: {words}"

    def last(self) -> None:
        self.seen = 0
        end = time.monotonic() + self.dice.uniform(*self.hold)
        while time.monotonic() < end and self.one.engine():
            rows = ask(self.cluster, f"SELECT count(*) FROM pg_stat_activity WHERE {OWN} AND wait_event_type = 'Lock'")
            self.seen += bool(rows[0][0])
            time.sleep(1)

    def waited(self) -> bool:
        """Tell whether somebody of ours was seen to wait for a lock for long."""
        return self.seen > 30


class RightRevoked(Fault):
    """The migration's user loses its membership in an owner and gets it back."""

    hold = (0.5, 3.0)

    def begin(self) -> None:
        # On the target several memberships stand beside each other, by who granted them; this is the one that counts.
        self.grantor = USER if self.side == "target" else "postgres"
        options = "inherit_option, set_option" if self.side == "target" else "true, true"
        self.taken = ask(
            self.cluster,
            f"SELECT r.rolname, {options} FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid "
            "JOIN pg_roles g ON g.oid = m.grantor JOIN pg_roles u ON u.oid = m.member "
            f"WHERE u.rolname = '{USER}' AND r.rolname IN ('app_owner', 'billing_owner') AND g.rolname = '{self.grantor}'",
        )
        for role, *_options in self.taken:
            ask(self.cluster, f"REVOKE {role} FROM {USER} GRANTED BY {self.grantor}")

    def heal(self) -> None:
        for role, inherit, may_set in self.taken:
            options = f" WITH INHERIT {inherit}, SET {may_set}" if self.side == "target" else ""
            ask(self.cluster, f"GRANT {role} TO {USER}{options} GRANTED BY {self.grantor}")


class LoginForbidden(Fault):
    """The migration's user may not log in on one side for a while, and its sessions there are ended."""

    def begin(self) -> None:
        ask(self.cluster, f"ALTER ROLE {USER} NOLOGIN")
        if self.dice.random() < 0.7:
            self.stage.end_sessions(self.side)

    def heal(self) -> None:
        ask(self.cluster, f"ALTER ROLE {USER} LOGIN")


class SessionTerminated(Fault):
    """A session of ours is ended with pg_terminate_backend, up to three times."""

    engine_survives = True
    hold = (0.0, 0.0)

    def begin(self) -> None:
        for _time in range(self.dice.randint(1, 3)):
            side = self.dice.choice(("source", "target"))
            pids = [row[0] for row in self.stage.own_sessions(side)]
            if pids:
                ask(self.stage.cluster(side), f"SELECT pg_terminate_backend({self.dice.choice(pids)})")
            time.sleep(self.dice.uniform(0, 0.3))


class JournalLost(EngineKilled):
    """The engine is killed and the whole state directory is gone."""

    def heal(self) -> None:
        shutil.rmtree(self.one.state)
        self.one.provision()


class RowsChanged(EngineKilled):
    """The engine is killed, and rows of some tables change on the source before the next run."""

    count = (1, 4)
    phases = ("copy-middle", "copy-late", "large objects", "keys", "foreign keys")

    def heal(self) -> None:
        # A database that is complete is not looked at again, and one that was not begun has nothing to be compared.
        running = [name for (name,) in self.one.journal("SELECT name FROM database WHERE state = 'running'")]
        for name in running:
            chosen = self.dice.sample(CHANGES[name], min(len(CHANGES[name]), self.dice.randint(*self.count)))
            for table, statement in chosen:
                if not self.finished(name):
                    with session(self.stage.cluster("source"), name) as connection:
                        run(connection, statement)
                    self.changed.add((name, table))
        self.notes.append(f"changed: {', '.join(sorted(table for _name, table in self.changed)) or 'nothing'}")

    def finished(self, name: str) -> bool:
        """Tell whether the target knows the database as complete."""
        return (name, "database") in self.stage.markers()


class RowsChangedLate(RowsChanged):
    """The same when foreign keys, triggers and the rest are on the target already."""

    count = (3, 9)
    phases = ("late",)


KINDS = {
    "engine killed": EngineKilled,
    "worker killed": WorkerKilled,
    "cancelled": Cancelled,
    "source stopped fast": SourceStoppedFast,
    "source stopped immediate": SourceStoppedImmediate,
    "target stopped fast": TargetStoppedFast,
    "target stopped immediate": TargetStoppedImmediate,
    "target crashes at the end": TargetCrashAtTheEnd,
    "network refused": NetworkRefused,
    "network reset": NetworkReset,
    "network swallowed": NetworkSwallowed,
    "network silent": NetworkSilent,
    "target's disk full": TargetDiskFull,
    "time limits": Limits,
    "tables locked": TableLocked,
    "tables locked for long": TableLockedLong,
    "right revoked": RightRevoked,
    "login forbidden": LoginForbidden,
    "sessions terminated": SessionTerminated,
    "journal lost": JournalLost,
    "rows changed": RowsChanged,
    "rows changed late": RowsChangedLate,
}
