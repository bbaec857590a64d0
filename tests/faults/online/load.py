# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application that never stops writing, and what has to hold of its rows at any commit.

Money moves between accounts and its sum stays; each client writes a chain in which a row vouches for the one before it, and
remembers how far the server has told it that its chain is safe; counters count what else was written.
"""

from __future__ import annotations

import contextlib
import random
import secrets
import threading
import time

import psycopg2

ACCOUNTS, CLIENTS = 300, 4
ROLE = "teller"

SCHEMA = f"""
SET ROLE app_owner;
CREATE SCHEMA bank;
CREATE TYPE bank.kind AS ENUM ('sent', 'kept', 'lost');
CREATE TABLE bank.account (id int PRIMARY KEY, balance bigint NOT NULL, place int NOT NULL UNIQUE, note text);
ALTER TABLE bank.account ALTER note SET STORAGE EXTERNAL;
INSERT INTO bank.account SELECT g, 1000, g, repeat(md5(g::text), 90) FROM generate_series(1, {ACCOUNTS}) g;
CREATE TABLE bank.transfer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, source int NOT NULL REFERENCES bank.account,
  target int NOT NULL REFERENCES bank.account, amount bigint NOT NULL, kind bank.kind);
CREATE TABLE bank.chain (client int, n bigint, seal text NOT NULL, PRIMARY KEY (client, n));
CREATE TABLE bank.head (client int PRIMARY KEY, n bigint NOT NULL, seal text NOT NULL);
INSERT INTO bank.head SELECT g, 0, 'start' FROM generate_series(1, {CLIENTS}) g;
CREATE TABLE bank.counter (client int PRIMARY KEY, ticks bigint NOT NULL);
INSERT INTO bank.counter SELECT g, 0 FROM generate_series(1, {CLIENTS}) g;
CREATE TABLE bank.tick (client int NOT NULL, at timestamptz DEFAULT clock_timestamp(), words text);
ALTER TABLE bank.tick REPLICA IDENTITY FULL;
CREATE TABLE bank.event (id bigserial, day date NOT NULL, what text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE bank.event_1 PARTITION OF bank.event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE bank.event_2 PARTITION OF bank.event FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO bank.event (day, what) SELECT '2026-01-01'::date + g % 59, md5(g::text) FROM generate_series(1, 3000) g;
CREATE TABLE bank.scratch (id int PRIMARY KEY, words text);
CREATE TABLE bank.bulk_1 AS SELECT g AS id, repeat(md5(g::text), 40) AS words FROM generate_series(1, 6000) g;
CREATE TABLE bank.bulk_2 AS SELECT g AS id, repeat(md5(g::text), 40) AS words FROM generate_series(1, 6000) g;
ALTER TABLE bank.bulk_1 ADD PRIMARY KEY (id); ALTER TABLE bank.bulk_2 ADD PRIMARY KEY (id);
ALTER TABLE bank.bulk_1 ALTER words SET STORAGE EXTERNAL; ALTER TABLE bank.bulk_2 ALTER words SET STORAGE EXTERNAL;
CREATE TABLE bank.audit (id bigserial PRIMARY KEY, what text);
CREATE FUNCTION bank.write_down() RETURNS trigger LANGUAGE plpgsql AS $f$
  BEGIN INSERT INTO bank.audit (what) VALUES (TG_OP); RETURN NULL; END $f$;
CREATE TRIGGER write_down AFTER INSERT ON bank.transfer FOR EACH ROW EXECUTE FUNCTION bank.write_down();
ALTER TABLE bank.transfer ENABLE ALWAYS TRIGGER write_down;
RESET ROLE;
ANALYZE;
"""

TRANSFER = """
BEGIN; UPDATE bank.account SET balance = balance - {amount} WHERE id = {one}; UPDATE bank.account SET balance = balance + {amount}
WHERE id = {two}; INSERT INTO bank.transfer (source, target, amount, kind) VALUES ({one}, {two}, {amount}, 'sent'); COMMIT
"""
LINK = """
BEGIN; UPDATE bank.head SET n = n + 1, seal = md5(seal || n) WHERE client = {client};
INSERT INTO bank.chain SELECT client, n, seal FROM bank.head WHERE client = {client}; COMMIT;
SELECT n FROM bank.head WHERE client = {client}
"""
TICK = """
BEGIN; UPDATE bank.counter SET ticks = ticks + 1 WHERE client = {client};
INSERT INTO bank.tick (client, words) VALUES ({client}, repeat('w', {amount} % 50)); COMMIT
"""
OTHERS = (
    "UPDATE bank.account SET note = repeat(md5('{amount}'), 90) WHERE id = {one}",
    """BEGIN; UPDATE bank.account SET place = -{one} WHERE id = {one}; UPDATE bank.account SET place = -{two} WHERE id = {two};
       ROLLBACK""",
    """BEGIN; SELECT 1 FROM bank.account WHERE id IN ({one}, {two}) ORDER BY id FOR UPDATE;
       CREATE TEMPORARY TABLE p ON COMMIT DROP AS SELECT id, place FROM bank.account WHERE id IN ({one}, {two});
       UPDATE bank.account SET place = -id WHERE id = (SELECT min(id) FROM p);
       UPDATE bank.account SET place = (SELECT place FROM p ORDER BY id LIMIT 1) WHERE id = (SELECT max(id) FROM p);
       UPDATE bank.account SET place = (SELECT place FROM p ORDER BY id DESC LIMIT 1) WHERE id = (SELECT min(id) FROM p); COMMIT""",
    "UPDATE bank.event SET day = '2026-01-01'::date + (({amount} + id) % 59)::int WHERE id = {one}",
    "INSERT INTO bank.event (day, what) VALUES ('2026-01-01'::date + {one} % 59, 'new')",
    "DELETE FROM bank.event WHERE id = 300 + {amount}",
    "DELETE FROM bank.tick WHERE ctid IN (SELECT ctid FROM bank.tick WHERE client = 0 LIMIT 1); "
    "INSERT INTO bank.tick (client, at, words) VALUES (0, '2026-01-01', 'same'), (0, '2026-01-01', 'same')",
    "UPDATE bank.bulk_1 SET words = words || 'x' WHERE id = {one}; DELETE FROM bank.bulk_2 WHERE id = {amount}",
    "BEGIN; DELETE FROM bank.bulk_2 WHERE id = {two}; INSERT INTO bank.bulk_2 VALUES ({two}, 'back') ON CONFLICT (id) DO NOTHING; COMMIT",
    """BEGIN; SAVEPOINT a; UPDATE bank.account SET balance = 0; ROLLBACK TO a; UPDATE bank.bulk_1 SET words = words WHERE id = {two}; COMMIT""",
)
LARGE = """
BEGIN; TRUNCATE bank.scratch; INSERT INTO bank.scratch SELECT g, repeat('s', 50) FROM generate_series(1, 4000) g;
SAVEPOINT a; DELETE FROM bank.scratch WHERE id > 100; INSERT INTO bank.scratch SELECT g, 'lost' FROM generate_series(5000, 8000) g; ROLLBACK TO a;
UPDATE bank.scratch SET words = 'u' WHERE id % 7 = 0; COMMIT
"""
#: What has to hold of the rows at any commit, as queries that return no row when it does.
INVARIANTS = {
    "the sum of all money": f"SELECT sum(balance) FROM bank.account HAVING sum(balance) <> {ACCOUNTS * 1000}",
    "balances and transfers": """
      SELECT a.id FROM bank.account a
       WHERE a.balance <> 1000 + COALESCE((SELECT sum(amount) FROM bank.transfer t WHERE t.target = a.id), 0)
                          - COALESCE((SELECT sum(amount) FROM bank.transfer t WHERE t.source = a.id), 0)""",
    "unbroken chains": """
      SELECT client, n FROM (SELECT client, n, seal, lag(seal, 1, 'start') OVER w AS before, lag(n, 1, 0::bigint) OVER w AS previous
        FROM bank.chain WINDOW w AS (PARTITION BY client ORDER BY n)) c
       WHERE n <> previous + 1 OR seal <> md5(before || (n - 1))""",
    "heads of chains": """
      SELECT h.client FROM bank.head h WHERE h.n <> (SELECT COALESCE(max(n), 0) FROM bank.chain c WHERE c.client = h.client)""",
    "counters": """
      SELECT c.client FROM bank.counter c WHERE c.ticks <> (SELECT count(*) FROM bank.tick t WHERE t.client = c.client)""",
    "one line of audit per transfer": """
      SELECT 1 WHERE (SELECT count(*) FROM bank.audit) <> (SELECT count(*) FROM bank.transfer)""",
    "places": "SELECT place FROM bank.account WHERE place < 0 OR place > 300 GROUP BY place",
}


class Client(threading.Thread):
    """One client; I(safe) is how far its chain is known to be committed."""

    def __init__(self, load, number: int):
        super().__init__(name=f"client {number}", daemon=True)
        self.load = load
        self.number = number
        self.dice = random.Random(f"{load.seed}:{number}")
        self.safe = 0
        self.done = 0
        self.connection = None

    def run(self) -> None:
        """Write until the load ends or the door is shut."""
        while not self.load.ending.is_set():
            try:
                self.step()
            except psycopg2.errors.ReadOnlySqlTransaction:
                self.load.shut.set()
                time.sleep(0.2)
            except psycopg2.errors.DeadlockDetected:
                self.forget()
            except psycopg2.Error as error:
                self.forget()
                if not isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
                    self.load.errors.append(f"client {self.number}: {error}")
                time.sleep(0.1)
        self.forget()

    def forget(self) -> None:
        """Give the connection up."""
        with contextlib.suppress(psycopg2.Error):
            if self.connection:
                self.connection.close()
        self.connection = None

    def step(self) -> None:
        """Write something."""
        if self.connection is None:
            self.connection = psycopg2.connect(**self.load.words, connect_timeout=5)
            self.connection.autocommit = True
        dice = self.dice
        one, two = dice.sample(range(1, ACCOUNTS + 1), 2)
        words = {"one": min(one, two), "two": max(one, two), "amount": dice.randint(1, 3000), "client": self.number}
        choice = dice.random()
        with self.connection.cursor() as cursor:
            if choice < 0.3:
                cursor.execute(TRANSFER.format(**words))
            elif choice < 0.6:
                cursor.execute(LINK.format(**words))
                self.safe = cursor.fetchone()[0]
            elif choice < 0.75:
                cursor.execute(TICK.format(**words))
            elif choice < 0.99:
                cursor.execute(dice.choice(OTHERS).format(**words))
            elif self.number == 1:
                cursor.execute(LARGE)
        self.done += 1
        time.sleep(dice.uniform(0, self.load.pause))


class Load:
    """All clients."""

    def __init__(self, cluster, database: str, seed: str, pause: float = 0.01):
        self.cluster = cluster
        self.seed = seed
        self.pause = pause
        self.password = secrets.token_urlsafe(12)
        cluster.psql(
            f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}') THEN CREATE ROLE {ROLE} LOGIN; END IF; END $$;"
            f"GRANT app_owner TO {ROLE}; ALTER ROLE {ROLE} PASSWORD '{self.password}'"
        )
        self.words = cluster.connection(ROLE, self.password, database)
        self.ending, self.shut = threading.Event(), threading.Event()
        self.errors: list = []
        self.clients = [Client(self, number) for number in range(1, CLIENTS + 1)]

    def __enter__(self) -> Load:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_unused) -> None:
        self.ending.set()
        for client in self.clients:
            client.join(30)

    @property
    def done(self) -> int:
        """How much has been written."""
        return sum(client.done for client in self.clients)

    @property
    def safe(self) -> dict:
        """How far each client's chain is known to be committed."""
        return {client.number: client.safe for client in self.clients}


def broken(cluster, database: str, safe: dict) -> list:
    """Return what does not hold on a server: names of invariants, and chains that lack what was known to be safe."""
    with psycopg2.connect(**cluster.connection(dbname=database)) as connection, connection.cursor() as cursor:
        found = []
        for name, query in INVARIANTS.items():
            cursor.execute(query)
            rows = cursor.fetchmany(3)
            if rows:
                found.append(f"{name}: {rows}")
        cursor.execute("SELECT client, n FROM bank.head")
        heads = dict(cursor.fetchall())
    return found + [
        f"chain {client} ends at {heads[client]}, {n} was safe" for client, n in safe.items() if heads[client] < n
    ]
