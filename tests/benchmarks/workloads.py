# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data sets that the transfer engine and its peers are measured on; scale 1.0 is the size that results speak of."""

from __future__ import annotations

PGBENCH = "pgbench"

SMALL_TABLES = """
CREATE SCHEMA many;
DO $$
BEGIN
  FOR i IN 1..{tables} LOOP
    EXECUTE format('CREATE TABLE many.t%s (id serial PRIMARY KEY, label text DEFAULT ''x'', amount int)', i);
    EXECUTE format('INSERT INTO many.t%s (label, amount) SELECT md5(g::text), g FROM generate_series(1, 100) g', i);
    EXECUTE format('CREATE INDEX ON many.t%s (amount)', i);
    IF i %% 200 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
"""

MIXED = """
CREATE TYPE status AS ENUM ('new', 'paid', 'sent', 'returned');
CREATE TABLE customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, public_id uuid UNIQUE NOT NULL, name text NOT NULL,
  email text NOT NULL, tags text[], address inet, credit numeric(12,2), profile jsonb, created timestamptz);
CREATE TABLE product (id serial PRIMARY KEY, sku text UNIQUE, name text, price numeric(10,2), attributes jsonb);
CREATE TABLE orders (
  id bigserial PRIMARY KEY, customer_id bigint NOT NULL, state status NOT NULL, placed timestamptz NOT NULL,
  total numeric(12,2), note text, duration interval);
CREATE TABLE order_item (
  order_id bigint NOT NULL, line int NOT NULL, product_id int NOT NULL, quantity int, price numeric(10,2),
  PRIMARY KEY (order_id, line));
CREATE TABLE event (id bigserial PRIMARY KEY, at timestamptz, kind text, payload jsonb);
INSERT INTO customer (public_id, name, email, tags, address, credit, profile, created)
  SELECT md5('c' || g)::uuid, 'Customer ' || g, 'user' || g || '@example.org', ARRAY['t' || g % 50, 'u' || g % 7],
         ('10.' || g % 256 || '.' || g / 256 % 256 || '.1')::inet, g % 10000 / 7.0,
         jsonb_build_object('age', g % 90, 'city', md5((g % 500)::text), 'flags', jsonb_build_array(g % 3, g % 5)),
         timestamptz '2020-01-01 UTC' + g * interval '1 minute' FROM generate_series(1, {customers}) g;
INSERT INTO product (sku, name, price, attributes)
  SELECT 'SKU-' || g, md5(g::text) || ' ' || md5((g * 3)::text), g % 1000 / 3.0,
         jsonb_build_object('colour', g % 12, 'weight', g % 100) FROM generate_series(1, {products}) g;
INSERT INTO orders (customer_id, state, placed, total, note, duration)
  SELECT 1 + g::bigint * 7919 % {customers}, (ARRAY['new','paid','sent','returned'])[1 + g % 4]::status,
         timestamptz '2021-01-01 UTC' + g * interval '17 seconds', g % 100000 / 9.0,
         md5(g::text) || ' ' || md5((g + 1)::text), g % 1000 * interval '1 minute' FROM generate_series(1, {orders}) g;
INSERT INTO order_item SELECT 1 + g / 4, g % 4, 1 + g::bigint * 104729 % {products}, 1 + g % 9, g % 900 / 7.0
  FROM generate_series(0, {orders} * 4 - 1) g;
INSERT INTO event (at, kind, payload)
  SELECT timestamptz '2022-01-01 UTC' + g * interval '3 seconds', 'kind' || g % 20,
         jsonb_build_object('n', g, 'text', md5(g::text), 'list', jsonb_build_array(g % 11, g % 13))
    FROM generate_series(1, {events}) g;
CREATE INDEX ON customer (email); CREATE INDEX ON customer (created); CREATE INDEX ON customer USING gin (tags);
CREATE INDEX ON customer USING gin (profile); CREATE INDEX ON customer (lower(name));
CREATE INDEX ON product (name); CREATE INDEX ON product USING gin (attributes);
CREATE INDEX ON orders (customer_id); CREATE INDEX ON orders (placed); CREATE INDEX ON orders (state) WHERE state <> 'sent';
CREATE INDEX ON orders (total); CREATE INDEX ON orders USING brin (placed);
CREATE INDEX ON order_item (product_id); CREATE INDEX ON order_item (price);
CREATE INDEX ON event (at); CREATE INDEX ON event (kind, at); CREATE INDEX ON event USING gin (payload jsonb_path_ops);
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customer;
ALTER TABLE order_item ADD FOREIGN KEY (order_id) REFERENCES orders, ADD FOREIGN KEY (product_id) REFERENCES product;
"""

WIDE = """
CREATE TABLE doc (id int PRIMARY KEY, prose text, image bytea, meta jsonb);
INSERT INTO doc SELECT g, (SELECT string_agg(md5((g * 131 + s % 90)::text) || ' lorem ipsum dolor ', '') FROM generate_series(1, 310) s),
  (SELECT string_agg(sha256((g || '-' || s)::bytea), ''::bytea) FROM generate_series(1, 384) s),
  (SELECT jsonb_object_agg('key' || s, md5((g + s)::text)) FROM generate_series(1, 40) s)
  FROM generate_series(1, {documents}) g;
SELECT count(lo_from_bytea(0, convert_to(repeat(md5(g::text), CASE WHEN g % 100 = 0 THEN 32768 WHEN g % 10 = 0 THEN 6250 ELSE 1000 END), 'UTF8')))
  FROM generate_series(1, {large_objects}) g;
"""

ONE_LARGE = """
CREATE TABLE big (id bigint PRIMARY KEY, a int, b text, at timestamptz);
INSERT INTO big SELECT g, g % 1000, md5(g::text), timestamptz '2020-01-01 UTC' + g * interval '1 second'
  FROM generate_series(1, {rows}) g;
CREATE INDEX ON big (a);
CREATE TABLE side (id int PRIMARY KEY, big_id bigint REFERENCES big);
INSERT INTO side SELECT g, 1 + g::bigint * 31 % {rows} FROM generate_series(1, {rows} / 20) g;
"""


def statements(name: str, scale: float) -> str:
    """Return the SQL that makes data set I(name) (b to e); a is made by pgbench.

    :raises KeyError: for an unknown name
    """

    def count(number: int) -> int:
        return max(1, int(number * scale))

    return {
        "b": MIXED.format(
            customers=count(400_000), products=count(100_000), orders=count(1_500_000), events=count(2_000_000)
        ),
        "c": SMALL_TABLES.format(tables=count(5_000)).replace("%%", "%"),
        "d": WIDE.format(documents=count(36_000), large_objects=count(2_000)),
        "e": ONE_LARGE.format(rows=count(8_000_000)),
    }[name]


TITLES = {
    "a": "pgbench scale 100 with foreign keys",
    "b": "mixed application schema",
    "c": "5,000 small tables",
    "d": "wide rows and large objects",
    "e": "one table with 90 % of the data",
}
