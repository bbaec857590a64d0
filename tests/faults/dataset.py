# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two databases with a little of everything that a transfer treats differently."""

FIRST = r"""
SET ROLE app_owner;
CREATE SCHEMA app;
CREATE SCHEMA "Odd ""Schema";
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE SEQUENCE app.ticket START 100 INCREMENT 7;
SELECT nextval('app.ticket') FROM generate_series(1, 30);
CREATE TABLE app.customer (id integer PRIMARY KEY, name text NOT NULL UNIQUE, mood app.mood DEFAULT 'ok', tags text[]);
INSERT INTO app.customer SELECT g, 'customer ' || g, 'ok', ARRAY['a', g::text] FROM generate_series(1, 4000) g;
CREATE TABLE app.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer integer NOT NULL, at timestamptz NOT NULL, note text,
  CONSTRAINT orders_customer FOREIGN KEY (customer) REFERENCES app.customer);
INSERT INTO app.orders (customer, at, note)
  SELECT 1 + g % 4000, timestamptz '2020-01-01 00:00+00' + g * interval '1 minute', repeat(md5(g::text), 3)
    FROM generate_series(1, 20000) g;
CREATE INDEX orders_at ON app.orders (at);
CREATE INDEX orders_note ON app.orders (md5(note), customer);
CREATE TABLE app.item (
  orders bigint REFERENCES app.orders ON DELETE CASCADE, line integer, amount numeric(10,2) CHECK (amount > 0),
  twice numeric GENERATED ALWAYS AS (amount * 2) STORED, PRIMARY KEY (orders, line));
INSERT INTO app.item SELECT 1 + g % 20000, g / 20000, 1 + g % 97 FROM generate_series(1, 60000) g;
CREATE INDEX item_amount ON app.item (amount, twice);
CREATE TABLE app.document (id integer PRIMARY KEY, body text, raw bytea);
ALTER TABLE app.document ALTER body SET STORAGE EXTERNAL, ALTER raw SET STORAGE EXTERNAL;
INSERT INTO app.document SELECT g, repeat(md5(g::text), 400), decode(repeat(md5((g + 1)::text), 200), 'hex')
  FROM generate_series(1, 220) g;
CREATE TABLE app.event (id bigint, day date NOT NULL, customer integer REFERENCES app.customer, what text)
  PARTITION BY RANGE (day);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
CREATE TABLE app.event_2 (what text, id bigint, customer integer, day date NOT NULL);
ALTER TABLE app.event ATTACH PARTITION app.event_2 FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
INSERT INTO app.event SELECT g, date '2020-01-01' + g % 59, 1 + g % 4000, md5(g::text) FROM generate_series(1, 30000) g;
CREATE INDEX event_id ON app.event (id);
CREATE TABLE app.audit (id bigint GENERATED ALWAYS AS IDENTITY, what text);
-- Run a second time these would change rows, so that a trigger that fires while rows are carried does not go unseen.
CREATE FUNCTION app.write_down() RETURNS trigger LANGUAGE plpgsql AS $f$
  BEGIN INSERT INTO app.audit (what) VALUES (TG_TABLE_NAME); RETURN NULL; END $f$;
CREATE FUNCTION app.spoil() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.note := 'spoilt'; RETURN NEW; END $f$;
CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON app.orders FOR EACH ROW EXECUTE FUNCTION app.spoil();
CREATE TRIGGER write_down AFTER INSERT OR TRUNCATE ON app.customer FOR EACH STATEMENT EXECUTE FUNCTION app.write_down();
CREATE TRIGGER write_down_event AFTER INSERT ON app.event FOR EACH ROW EXECUTE FUNCTION app.write_down();
CREATE TRIGGER off BEFORE INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.spoil();
ALTER TABLE app.orders DISABLE TRIGGER off;
COMMENT ON TRIGGER spoil ON app.orders IS 'changes every row';
COMMENT ON CONSTRAINT orders_customer ON app.orders IS 'an order has a customer';
CREATE TABLE app.secret (id integer PRIMARY KEY, owner name, text text);
INSERT INTO app.secret SELECT g, 'alice', md5(g::text) FROM generate_series(1, 3000) g;
ALTER TABLE app.secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON app.secret USING (owner = current_user);
CREATE TABLE app.closed (id integer PRIMARY KEY, text text);
INSERT INTO app.closed SELECT g, md5(g::text) FROM generate_series(1, 2000) g;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON app.closed FROM app_owner;
GRANT SELECT ON app.customer, app.orders TO app_read;
CREATE TABLE "Odd ""Schema"."Odd
Table" ("A b" integer PRIMARY KEY, "c""d" text);
INSERT INTO "Odd ""Schema"."Odd
Table" SELECT g, md5(g::text) FROM generate_series(1, 500) g;
DO $do$ BEGIN
  FOR number IN 1..40 LOOP
    EXECUTE format('CREATE TABLE app.small_%s (id integer PRIMARY KEY, customer integer REFERENCES app.customer, note text)', number);
    EXECUTE format('INSERT INTO app.small_%s SELECT g, g, md5(g::text) FROM generate_series(1, 40) g', number);
    EXECUTE format('CREATE INDEX ON app.small_%s (note)', number);
  END LOOP;
END $do$;
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA app TO billing_owner;
SET ROLE billing_owner;
CREATE TABLE app.guest (id integer PRIMARY KEY, note text);
INSERT INTO app.guest SELECT g, md5(g::text) FROM generate_series(1, 900) g;
RESET ROLE;
REVOKE CREATE ON SCHEMA app FROM billing_owner;
SET ROLE app_owner;
CREATE VIEW app.spending AS SELECT o.customer, sum(i.amount) AS total FROM app.orders o JOIN app.item i ON i.orders = o.id GROUP BY 1;
CREATE MATERIALIZED VIEW app.best AS SELECT * FROM app.spending WHERE total > 500;
CREATE UNIQUE INDEX best_customer ON app.best (customer);
CREATE MATERIALIZED VIEW app.best_names AS SELECT c.name, b.total FROM app.best b JOIN app.customer c ON c.id = b.customer;
CREATE RULE no_delete AS ON DELETE TO app.audit DO INSTEAD NOTHING;
SELECT lo_from_bytea(0, decode(repeat(md5(g::text), 20), 'hex')) FROM generate_series(1, 700) g;
RESET ROLE;
ANALYZE;
"""

SECOND = r"""
SET ROLE billing_owner;
CREATE SCHEMA billing;
CREATE TABLE billing.account (id integer PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO billing.account SELECT g, g / 7.0 FROM generate_series(1, 6000) g;
CREATE TABLE billing.entry (id bigint PRIMARY KEY, account integer NOT NULL REFERENCES billing.account, note text);
INSERT INTO billing.entry SELECT g, 1 + g % 6000, repeat(md5(g::text), 4) FROM generate_series(1, 15000) g;
CREATE INDEX ON billing.entry (account);
CREATE FUNCTION billing.spoil() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN NEW.note := 'spoilt'; RETURN NEW; END $f$;
CREATE TRIGGER spoil BEFORE INSERT ON billing.entry FOR EACH ROW EXECUTE FUNCTION billing.spoil();
CREATE MATERIALIZED VIEW billing.sums AS SELECT account, count(*) AS n FROM billing.entry GROUP BY 1;
SELECT lo_from_bytea(0, 'a large object');
RESET ROLE;
ANALYZE;
"""

#: Databases of the trials: name, owner, template on the source, and what fills the template.
DATABASES = (("first", "app_owner", "seed_first", FIRST), ("second", "billing_owner", "seed_second", SECOND))

#: Statements that change rows on the source and leave every definition alone; {db: [(tables concerned, statement)]}.
#: They set aside what would fire, as an administrator's repair would.
CHANGES = {
    "first": [
        ("app.customer", "UPDATE app.customer SET name = name || ' changed' WHERE id = 7"),
        ("app.orders", "SET session_replication_role = replica; DELETE FROM app.item WHERE orders = 9; DELETE FROM app.orders WHERE id = 9"),
        ("app.item", "UPDATE app.item SET amount = amount + 1 WHERE orders = 17"),
        ("app.document", "INSERT INTO app.document VALUES (100000, 'new', NULL)"),
        ("app.event_2", "SET session_replication_role = replica; UPDATE app.event SET what = 'changed' WHERE day = '2020-02-03'"),
        ("app.secret", "UPDATE app.secret SET text = 'changed' WHERE id = 3"),
        ("app.closed", "DELETE FROM app.closed WHERE id = 4"),
        ("app.small_3", "UPDATE app.small_3 SET note = 'changed' WHERE id = 1"),
        ("large objects", "SELECT lo_put(min(oid), 0, 'changed') FROM pg_largeobject_metadata"),
        ("large objects", "SELECT lo_unlink(max(oid)) FROM pg_largeobject_metadata"),
        ("large objects", "SET ROLE app_owner; SELECT lo_from_bytea(0, 'one more')"),
    ],
    "second": [("billing.account", "UPDATE billing.account SET balance = 0 WHERE id = 1")],
}  # fmt: skip
