# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects whose definitions the major versions print differently, and types that users make themselves."""

from __future__ import annotations

#: Run by a superuser first; the values of the reg* types point at these. [(from version, SQL)]
BASIS = [
    (0, "CREATE SCHEMA app AUTHORIZATION app_owner"),
    (0, "CREATE SCHEMA typed AUTHORIZATION app_owner"),
    (0, "SET ROLE app_owner"),
    (0, "CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy')"),
    (0, "ALTER TYPE app.mood ADD VALUE 'so-so' BEFORE 'ok'"),
    (0, "CREATE FUNCTION app.half(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2'"),
    (0, "CREATE FUNCTION app.near(numeric, numeric) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT abs($1 - $2) < 1'"),
    (0, "CREATE OPERATOR app.<=> (LEFTARG = numeric, RIGHTARG = numeric, PROCEDURE = app.near, COMMUTATOR = OPERATOR(app.<=>))"),
    (0, "CREATE TEXT SEARCH CONFIGURATION app.plain (COPY = simple)"),
    (0, 'CREATE COLLATION app.plain FROM "C"'),
    (0, "CREATE TABLE app.parents (id integer PRIMARY KEY, name text NOT NULL, born timestamptz, price numeric(10,2) DEFAULT 1.50)"),
    (0, 'CREATE TABLE app."Odd Name" ("A b" integer, "c""d" text)'),
    (0, "RESET ROLE"),
]  # fmt: skip

#: Types made by users: {table: (from version, statements, column type, SQL values)}.
USER_TYPES = {
    "enum": (0, [], "app.mood", ["'sad'", "'so-so'", "'happy'"]),
    "enum_array": (0, [], "app.mood[]", ["'{}'", "'{sad,NULL,happy}'", "'[0:1]={ok,ok}'"]),
    "domain_numeric": (0, ["CREATE DOMAIN app.price AS numeric(10,2) DEFAULT 0 CHECK (VALUE >= 0)"], "app.price", ["1.5", "0"]),
    "domain_enum": (0, ["CREATE DOMAIN app.good_mood AS app.mood CHECK (VALUE <> 'sad')"], "app.good_mood", ["'ok'"]),
    "domain_domain": (0, ["CREATE DOMAIN app.dear AS app.price CHECK (VALUE > 100)"], "app.dear", ["100.01"]),
    "domain_array": (0, ["CREATE DOMAIN app.pair AS integer[] CHECK (array_length(VALUE, 1) = 2)"], "app.pair", ["'{1,2}'"]),
    "array_of_domain": (110000, [], "app.price[]", ["'{1.5,NULL}'", "'{}'"]),
    "array_of_enum_domain": (110000, [], "app.good_mood[]", ["'{ok,happy,NULL}'"]),
    "composite": (
        0,
        ["CREATE TYPE app.place AS (street text, number integer, at timestamptz, tags text[])"],
        "app.place",
        ["ROW('a,b \"c\" (d)', 1, '2020-01-01 00:00+02', '{x,NULL}')", "ROW(NULL, NULL, NULL, NULL)", "ROW('', 0, 'infinity', '{}')"],
    ),
    "composite_float": (
        0,
        ["CREATE TYPE app.spot AS (x float8, y float4, z numeric)"],
        "app.spot",
        ["ROW('NaN', '-0', '1.50')", "ROW(0.1, 0.1, 1.5)", "ROW(0.30000000000000004, 1e-30, 'NaN')"],
    ),
    "composite_of_user_types": (
        0,
        ["CREATE TYPE app.visit AS (where_to app.place, how app.mood, price app.price, moods app.mood[])"],
        "app.visit",
        ["ROW(ROW('s', 1, NULL, NULL), 'ok', 1.5, '{sad}')", "ROW(NULL, NULL, NULL, NULL)"],
    ),
    "array_of_composite": (
        0, [], "app.place[]", ["ARRAY[ROW('a', 1, '2020-01-01 00:00+02', '{x}'), NULL]::app.place[]", "'{}'"]
    ),
    "array_of_nested_composite": (
        0, [], "app.visit[]", ["ARRAY[ROW(ROW('s', 1, NULL, NULL), 'ok', 1.5, '{sad}'), NULL]::app.visit[]"]
    ),
    "array_of_float_composite": (0, [], "app.spot[]", ["ARRAY[ROW(0.5, 0.25, 1.50), ROW('NaN', '-0', 1)]::app.spot[]"]),
    "domain_over_composite": (
        110000, ["CREATE DOMAIN app.known_place AS app.place CHECK (VALUE IS NULL OR (VALUE).street IS NOT NULL)"], "app.known_place",
        ["ROW('here', 1, NULL, NULL)"],
    ),
    "row_type_of_table": (0, [], "app.parents", ["ROW(1, 'p', '2020-01-01 00:00+00', 1.50)"]),
    "user_range": (0, ["CREATE TYPE app.span AS RANGE (subtype = float8)"], "app.span", ["'[0.1,0.30000000000000004]'", "'empty'", "'(,1)'"]),
    "range_of_text": (0, ['CREATE TYPE app.letters AS RANGE (subtype = text, collation = "C")'], "app.letters", ["'[a,b)'", "'[\"a,b\",\"c]\")'"]),
    "range_of_enum": (0, ["CREATE TYPE app.moods AS RANGE (subtype = app.mood)"], "app.moods", ["'[sad,ok]'", "'(,happy)'"]),
    "array_of_range": (0, [], "app.span[]", ["'{\"[0.5,1]\",empty}'"]),
    "user_multirange": (140000, [], "app.span_multirange", ["'{[0.1,0.3],(1,)}'", "'{}'"]),
    "multirange_of_enum": (140000, [], "app.moods_multirange", ["'{[sad,sad],[happy,happy]}'"]),
    "typmods": (
        0,
        ["CREATE TYPE app.modified AS (n numeric(10,2), v varchar(5), b bit(3))"],
        "app.modified",
        ["ROW(1.005, 'ab', B'101')"],
    ),
}  # fmt: skip

#: A table with type modifiers, and one value so large that it is toasted.
SHAPES = [
    (0, "CREATE TABLE typed.shaped (id integer PRIMARY KEY, n numeric(10,3), v varchar(5), c char(5), b bit(3), vb bit varying(7), "
        "ts timestamp(0), tz timestamptz(3), t time(2), i interval year to month, i2 interval second(2), a numeric(5,1)[])"),
    (0, "INSERT INTO typed.shaped VALUES (1, 1.5, 'ab ', 'ab', B'101', B'01', '2020-01-01 00:00:00.6', "
        "'2020-01-01 00:00:00.1236+02', '12:00:00.126', '1 year 2 mons', '1.126', '{1.25,NULL}')"),
    (150000, "CREATE TABLE typed.negative_scale (id integer PRIMARY KEY, n numeric(3,-2), m numeric(3,5))"),
    (150000, "INSERT INTO typed.negative_scale VALUES (1, 12345, 0.00123), (2, NULL, NULL)"),
    (0, "CREATE TABLE typed.large (id integer PRIMARY KEY, t text, b bytea, j jsonb)"),
    (0, "INSERT INTO typed.large SELECT 1, string_agg(md5(g::text), ' '), decode(string_agg(md5(g::text), ''), 'hex'), "
        "jsonb_object_agg(g, md5(g::text)) FROM generate_series(1, 40000) g"),
    (0, "CREATE TABLE typed.without_columns ()"),
    (0, "INSERT INTO typed.without_columns DEFAULT VALUES"),
    (0, "CREATE TABLE typed.dropped_column (id integer PRIMARY KEY, gone text, kept text)"),
    (0, "INSERT INTO typed.dropped_column VALUES (1, 'x', 'y')"),
    (0, "ALTER TABLE typed.dropped_column DROP COLUMN gone"),
    (0, "ALTER TABLE typed.dropped_column ADD COLUMN late integer DEFAULT 7"),
    (0, "CREATE UNLOGGED TABLE typed.unlogged (v integer)"),
    (0, "INSERT INTO typed.unlogged VALUES (1), (1), (NULL)"),
    (120000, "CREATE TABLE typed.generated (id integer PRIMARY KEY, a numeric, g numeric GENERATED ALWAYS AS (app.half(a)) STORED)"),
    (120000, "INSERT INTO typed.generated VALUES (1, 3.0), (2, NULL)"),
    (180000, "CREATE TABLE typed.virtual (id integer PRIMARY KEY, a numeric, g numeric GENERATED ALWAYS AS (a * 2) VIRTUAL)"),
    (180000, "INSERT INTO typed.virtual VALUES (1, 3.0), (2, NULL)"),
    (0, "CREATE TABLE typed.identity (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s serial, v text)"),
    (0, "INSERT INTO typed.identity (v) VALUES ('a'), ('b')"),
    (0, "CREATE TABLE typed.ranged (id integer, v text) PARTITION BY RANGE (id)"),
    (0, "CREATE TABLE typed.ranged_1 PARTITION OF typed.ranged FOR VALUES FROM (MINVALUE) TO (10)"),
    (110000, "CREATE TABLE typed.ranged_2 (v text, id integer)"),
    (110000, "ALTER TABLE typed.ranged ATTACH PARTITION typed.ranged_2 DEFAULT"),
    (110000, "INSERT INTO typed.ranged SELECT g, 'v' || g FROM generate_series(1, 20) g"),
    (110000, "CREATE TABLE typed.hashed (id integer, v text) PARTITION BY HASH (id)"),
    (110000, "CREATE TABLE typed.hashed_0 PARTITION OF typed.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0)"),
    (110000, "CREATE TABLE typed.hashed_1 PARTITION OF typed.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1)"),
    (110000, "INSERT INTO typed.hashed SELECT g, 'v' || g FROM generate_series(1, 20) g"),
    (0, "CREATE TABLE typed.base (id integer, v text)"),
    (0, "CREATE TABLE typed.child (more float8) INHERITS (typed.base)"),
    (0, "INSERT INTO typed.base VALUES (1, 'b')"),
    (0, "INSERT INTO typed.child VALUES (2, 'c', 0.1)"),
]  # fmt: skip

#: What prints differently from one major version to another.
OBJECTS = [
    (0, "CREATE TABLE app.items (id integer PRIMARY KEY, parent integer NOT NULL REFERENCES app.parents ON DELETE CASCADE "
        "DEFERRABLE INITIALLY DEFERRED, name varchar(40) NOT NULL DEFAULT upper(substring('abc' FROM 2)), at timestamptz DEFAULT "
        "(now() AT TIME ZONE 'UTC'), day date DEFAULT CURRENT_DATE, mood app.mood DEFAULT 'ok', tags text[] DEFAULT '{}', "
        "price numeric(10,2) DEFAULT 1.50 CHECK (price >= 0 AND price <> ALL (ARRAY[13, 666])), "
        "CONSTRAINT short CHECK (name::text ~ '^[a-z]+$' AND length(name) BETWEEN 1 AND 40), "
        "CONSTRAINT when_it_was CHECK (extract(year FROM at) > 1970), UNIQUE (parent, name), "
        "EXCLUDE USING btree (mood WITH =) WHERE (mood = 'sad'))"),
    (0, "ALTER TABLE app.items ADD CONSTRAINT later CHECK (price < 1000) NOT VALID"),
    (0, "CREATE VIEW app.simple AS SELECT i.id, i.name, p.name AS parent FROM app.items i JOIN app.parents p ON p.id = i.parent WHERE i.price > 1.5"),
    (0, "CREATE VIEW app.parts AS SELECT extract(year FROM i.at) AS y, date_part('month', i.at) AS m, substring(i.name FROM 2 FOR 3) AS s, "
        "position('a' IN i.name) AS p, trim(both 'x' FROM i.name) AS t, overlay(i.name PLACING 'zz' FROM 2 FOR 1) AS o, "
        "i.at AT TIME ZONE 'Europe/Paris' AS z, (i.day, i.day) OVERLAPS (i.day, i.day) AS v, i.name SIMILAR TO 'a%' AS l, "
        "i.name LIKE 'a%' ESCAPE '#' AS e, substring(i.name FROM 'a#\"_#\"%' FOR '#') AS sim FROM app.items i"),
    (0, "CREATE VIEW app.grouped AS SELECT p.name, count(*) FILTER (WHERE i.price > 2) AS n, sum(i.price) OVER (PARTITION BY p.id ORDER BY i.id "
        "ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s, CASE i.mood WHEN 'sad' THEN 1 ELSE 2 END AS c, COALESCE(i.tags[1], 'none') AS t "
        "FROM app.parents p LEFT JOIN LATERAL (SELECT * FROM app.items x WHERE x.parent = p.id) i ON true "
        "GROUP BY p.id, p.name, i.id, i.price, i.mood, i.tags HAVING count(*) > 0 ORDER BY p.name LIMIT 10"),
    (0, "CREATE VIEW app.tree AS WITH RECURSIVE t(id, depth) AS (SELECT id, 0 FROM app.items UNION ALL SELECT i.id, t.depth + 1 "
        "FROM t JOIN app.items i ON i.parent = t.id) SELECT * FROM t WHERE depth < 3"),
    (0, "CREATE VIEW app.sets AS SELECT id FROM app.items UNION SELECT id FROM app.parents EXCEPT SELECT 0 ORDER BY 1"),
    (0, "CREATE VIEW app.checked WITH (security_barrier) AS SELECT * FROM app.items WHERE price > 0 WITH LOCAL CHECK OPTION"),
    (150000, "CREATE VIEW app.invoker WITH (security_invoker) AS SELECT id FROM app.items"),
    (0, "CREATE VIEW app.cast_view AS SELECT '2020-01-01'::date + interval '1 mon' AS d, 1::numeric(10,2) AS n, 'a'::text COLLATE \"C\" AS t, "
        "ARRAY[1, 2]::bigint[] AS a, NULLIF(1, 2) AS u, GREATEST(1, 2) AS g, current_user AS me, NOT true AS no, "
        "'infinity'::float8 AS f, '{\"a\": 1}'::jsonb -> 'a' AS j, xmlelement(name foo, 'x') AS x"),
    (0, "CREATE MATERIALIZED VIEW app.totals AS SELECT parent, sum(price) AS total, max(extract(epoch FROM at)) AS newest FROM app.items GROUP BY parent"),
    (0, "CREATE UNIQUE INDEX totals_key ON app.totals (parent)"),
    (0, "CREATE INDEX items_lower ON app.items (lower(name::text) varchar_pattern_ops, price DESC NULLS LAST) WHERE mood <> 'sad'::app.mood"),
    (0, "CREATE INDEX items_part ON app.items (date_part('year', day::timestamp), (substring(name FROM 1 FOR 2)))"),
    (0, "CREATE INDEX items_tags ON app.items USING gin (tags) WITH (fastupdate = off)"),
    (110000, "CREATE INDEX items_include ON app.items (price) INCLUDE (name)"),
    (150000, "CREATE UNIQUE INDEX items_nulls ON app.items (mood, id) NULLS NOT DISTINCT"),
    (0, "CREATE STATISTICS app.items_stats (dependencies, ndistinct) ON parent, mood FROM app.items"),
    (140000, "CREATE STATISTICS app.items_expression ON lower(name::text), price FROM app.items"),
    (0, "CREATE FUNCTION app.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at := now(); RETURN NEW; END'"),
    (0, "CREATE TRIGGER items_stamp BEFORE INSERT OR UPDATE OF name ON app.items FOR EACH ROW WHEN (NEW.name::text <> 'x') EXECUTE PROCEDURE app.stamp()"),
    (0, "CREATE CONSTRAINT TRIGGER items_later AFTER INSERT ON app.items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE app.stamp()"),
    (0, "CREATE TRIGGER items_old AFTER DELETE ON app.items REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE PROCEDURE app.stamp()"),
    (0, "CREATE TRIGGER items_off BEFORE DELETE ON app.items FOR EACH ROW EXECUTE PROCEDURE app.stamp()"),
    (0, "ALTER TABLE app.items DISABLE TRIGGER items_off"),
    (110000, "CREATE PROCEDURE app.work(INOUT n integer, IN note text DEFAULT 'x', VARIADIC more integer[] DEFAULT '{}') LANGUAGE plpgsql "
        "AS 'BEGIN n := n + 1; END'"),
    (0, "CREATE FUNCTION app.list(n integer DEFAULT 3, OUT a integer, OUT b text) RETURNS SETOF record LANGUAGE sql STABLE STRICT PARALLEL SAFE "
        "COST 42 ROWS 7 SET search_path = app, pg_temp SECURITY DEFINER AS 'SELECT id, name::text FROM app.items LIMIT n'"),
    (140000, "CREATE FUNCTION app.body(n integer) RETURNS numeric LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT extract(epoch FROM interval '1 day') + n; END"),
    (0, "CREATE AGGREGATE app.product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1')"),
    (0, "CREATE RULE items_note AS ON UPDATE TO app.items WHERE NEW.price <> OLD.price DO ALSO "
        "INSERT INTO app.\"Odd Name\" VALUES (NEW.id, extract(year FROM NEW.at)::text)"),
    (0, "ALTER TABLE app.items ENABLE ROW LEVEL SECURITY"),
    (0, "CREATE POLICY own ON app.items FOR SELECT TO app_reader USING (name = current_user OR price > (SELECT avg(p.price) FROM app.parents p))"),
    (0, "CREATE POLICY few ON app.items AS RESTRICTIVE FOR INSERT WITH CHECK (extract(year FROM at) > 2000 AND mood <> ALL (ARRAY['sad']::app.mood[]))"),
    (0, "CREATE SEQUENCE app.countdown INCREMENT -2 MAXVALUE 100 MINVALUE -100 START 10 CACHE 5 CYCLE"),
    (0, "SELECT nextval('app.countdown')"),
    (0, "CREATE DOMAIN app.zip AS text COLLATE \"C\" NOT NULL DEFAULT '00000' CHECK (VALUE SIMILAR TO '[0-9]{5}') CHECK (position('9' IN VALUE) = 0)"),
    (0, "CREATE CAST (app.mood AS integer) WITH INOUT"),
    (0, "GRANT SELECT ON ALL TABLES IN SCHEMA app TO app_reader"),
    (0, "GRANT USAGE ON SCHEMA app TO app_reader"),
    (0, "GRANT UPDATE (name) ON app.items TO app_reader WITH GRANT OPTION"),
    (0, "GRANT ALL ON app.parents TO \"Odd Role\""),
    (0, "REVOKE EXECUTE ON FUNCTION app.half(numeric) FROM PUBLIC"),
    (0, "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO app_reader"),
    (0, "ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO \"Odd Role\""),
    (0, "COMMENT ON TABLE app.items IS 'Größe: 東京'"),
    (0, "COMMENT ON COLUMN app.items.name IS 'a ''name'''"),
    (0, "COMMENT ON CONSTRAINT short ON app.items IS 'short'"),
    (0, "ALTER TABLE app.items ALTER COLUMN name SET STATISTICS 500, ALTER COLUMN tags SET STORAGE EXTERNAL, REPLICA IDENTITY FULL"),
    (0, "ALTER TABLE app.items SET (fillfactor = 80, autovacuum_enabled = false)"),
    (0, "INSERT INTO app.parents SELECT g, 'p' || g, '2020-01-01 00:00:00+02'::timestamptz + g * interval '1 hour' FROM generate_series(1, 50) g"),
    (0, "INSERT INTO app.items (id, parent, name, mood, price) SELECT g, g % 50 + 1, translate(g::text, '0123456789', 'abcdefghij'), "
        "'ok', 1.50 + g % 7 FROM generate_series(1, 500) g WHERE g % 7 <> 6"),
    (0, "INSERT INTO app.\"Odd Name\" VALUES (1, 'x')"),
    (0, "REFRESH MATERIALIZED VIEW app.totals"),
]  # fmt: skip
