# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Online migrations of small databases, and what an application goes on doing to them."""

from __future__ import annotations

from pathlib import Path

from support.migrations import Migration, Result
from support.servers import USER, Lab, ask
from support.waiting import wait_for

# Beside what streams: a table without a key, an unlogged one, triggers, a view that is kept, sequences, large objects.
MORE = """
SET ROLE app_owner;
CREATE TABLE app.keyless (n integer, note text);
INSERT INTO app.keyless SELECT g % 5, 'note' FROM generate_series(1, 20) g;
CREATE TABLE app.left_out (n integer);
INSERT INTO app.left_out VALUES (1);
CREATE UNLOGGED TABLE app.unlogged (n integer PRIMARY KEY);
INSERT INTO app.unlogged VALUES (1);
CREATE TABLE app.audit (id bigserial PRIMARY KEY, what text);
CREATE FUNCTION app.write_down() RETURNS trigger LANGUAGE plpgsql AS $f$
  BEGIN INSERT INTO app.audit (what) VALUES (TG_TABLE_NAME); RETURN NULL; END $f$;
CREATE TRIGGER write_down AFTER INSERT ON app.parent FOR EACH ROW EXECUTE FUNCTION app.write_down();
ALTER TABLE app.parent ENABLE ALWAYS TRIGGER write_down;
CREATE MATERIALIZED VIEW app.sums AS SELECT count(*) AS n FROM app.child;
"""
CHANGES = """
SET ROLE app_owner;
INSERT INTO app.parent SELECT g, 'late ' || g FROM generate_series(1001, 1100) g;
INSERT INTO app.child (parent, note) SELECT g, 'late' FROM generate_series(1001, 1050) g;
UPDATE app.child SET note = 'changed' WHERE id < 50; DELETE FROM app.child WHERE id BETWEEN 100 AND 120;
UPDATE app.keyless SET note = 'other' WHERE n = 2; DELETE FROM app.keyless WHERE n = 3;
INSERT INTO app.left_out VALUES (2); INSERT INTO app.unlogged VALUES (2);
SELECT lo_put(min(oid), 0, 'changed') FROM pg_largeobject_metadata; SELECT lo_from_bytea(0, 'one more');
REFRESH MATERIALIZED VIEW app.sums;
"""
LEFT_ON_SOURCE = """
SELECT 'slot', slot_name FROM pg_replication_slots WHERE slot_name LIKE 'azpg%'
UNION ALL SELECT 'publication', pubname FROM pg_publication WHERE pubname LIKE 'azpg%'
UNION ALL SELECT 'identity', relname FROM pg_class WHERE relreplident = 'f' AND relkind = 'r'
"""


class OnlineMigration(Migration):
    """A migration in mode online."""

    options: dict = {}

    def arguments(self, module: str, **options) -> dict:
        """Return a module's arguments."""
        given = super().arguments(module, **{"mode": "online", **options})
        if module == "migration":
            given.setdefault("online", {"grace_seconds": 1, **self.options})
        return given

    def replicate(self, **options) -> Result:
        """Go as far as changes flow."""
        self.provision()
        return self.module("migration", state="replicating", **options).good()

    def source(self, sql: str) -> str:
        """Run statements on the source's database."""
        return self.lab.source.psql(sql, dbname=self.databases[0])

    def target(self, sql: str) -> str:
        """Run statements on the target's database."""
        return self.lab.target.psql(sql, dbname=self.databases[0])

    def progress(self) -> dict:
        """Return what migration_info says."""
        return self.module("migration_info").good()["migration"]

    def wait_until_applied(self, seconds: float = 60) -> None:
        """Wait until everything that has been committed on the source by now is on the target."""
        written = ask(self.lab.source, "SELECT pg_current_wal_insert_lsn()::text")[0][0]
        sql = "SELECT json_extract(content, '$.applied') FROM stream"

        def is_applied() -> bool:
            found = self.journal(sql)
            return bool(found) and all(lsn and number(lsn) >= number(written) for (lsn,) in found)

        wait_for(is_applied, "the changes on the target", seconds)

    def left_on_source(self) -> list:
        """Return what of the migration is there."""
        return ask(self.lab.source, LEFT_ON_SOURCE, self.databases[0])


def number(lsn: str) -> int:
    """Return a position as a number."""
    high, _slash, low = lsn.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def make(
    lab: Lab, directory: Path, name: str, seed: str = "seed_small", more: str = MORE, **options
) -> OnlineMigration:
    """Return an online migration of a new database."""
    ask(lab.source, f"ALTER ROLE {USER} REPLICATION")
    database = lab.new_database(name.replace("-", "_"), seed)
    ask(lab.source, f"GRANT CREATE ON DATABASE {database} TO {USER}")
    if more:
        lab.source.psql(more, dbname=database)
    one = OnlineMigration(lab, directory, name, [database])
    one.options = options
    return one
