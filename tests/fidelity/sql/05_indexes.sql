-- Indexes and what hangs on them.
-- case: index_options
CREATE TABLE i (id int NOT NULL, t text, u text NOT NULL, a int[], p point, j jsonb);
INSERT INTO i SELECT g, md5(g::text), 'u' || g, ARRAY[g, g + 1], point(g, g), jsonb_build_object('k', g) FROM generate_series(1, 300) g;
CREATE INDEX i_include ON i (id) INCLUDE (t, u);
CREATE INDEX i_partial ON i (t) WHERE id > 100 AND u <> 'x';
CREATE INDEX i_expression ON i (lower(t), (id + 1) DESC NULLS LAST, t COLLATE "C" text_pattern_ops);
CREATE INDEX i_fill ON i (id) WITH (fillfactor = 60);
CREATE INDEX i_gin ON i USING gin (a) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX i_gist ON i USING gist (p) WITH (buffering = on);
CREATE INDEX i_spgist ON i USING spgist (p);
CREATE INDEX i_brin ON i USING brin (id) WITH (pages_per_range = 16, autosummarize = true);
CREATE INDEX i_hash ON i USING hash (t);
CREATE INDEX i_path ON i USING gin (j jsonb_path_ops);
ALTER INDEX i_expression ALTER COLUMN 2 SET STATISTICS 77;
COMMENT ON INDEX i_hash IS 'a hash';
CREATE UNIQUE INDEX i_identity ON i (u);
ALTER TABLE i REPLICA IDENTITY USING INDEX i_identity;
ALTER TABLE i CLUSTER ON i_fill;
CREATE TABLE full_identity (id int);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TABLE no_identity (id int PRIMARY KEY);
ALTER TABLE no_identity REPLICA IDENTITY NOTHING;
CREATE TABLE key_identity (id int NOT NULL, CONSTRAINT k PRIMARY KEY (id), w int NOT NULL, CONSTRAINT w UNIQUE (w));
ALTER TABLE key_identity REPLICA IDENTITY USING INDEX w;
ALTER TABLE key_identity CLUSTER ON k;
INSERT INTO key_identity VALUES (1, 1);
-- look
SELECT c.relname, pg_get_indexdef(c.oid), c.reloptions::text, i.indisclustered, i.indisreplident, i.indisvalid
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'index_options'::regnamespace ORDER BY 1
-- look
SELECT relname, relreplident FROM pg_class WHERE relnamespace = 'index_options'::regnamespace AND relkind = 'r' ORDER BY 1
-- look
SELECT attnum, attstattarget FROM pg_attribute WHERE attrelid = 'i_expression'::regclass AND attstattarget > 0
-- case: opclass_parameters (from 13)
CREATE TABLE o (t tsvector, a int4range, b bigint);
INSERT INTO o VALUES ('a b c', '[1,2)', 5);
CREATE INDEX o_siglen ON o USING gist (t tsvector_ops (siglen = 100));
-- look
SELECT pg_get_indexdef('o_siglen'::regclass)
-- case: bloom_brin (from 14)
CREATE TABLE o (b bigint);
INSERT INTO o SELECT generate_series(1, 100);
CREATE INDEX o_bloom ON o USING brin (b int8_bloom_ops (n_distinct_per_range = 100, false_positive_rate = 0.05));
CREATE INDEX o_multi ON o USING brin (b int8_minmax_multi_ops (values_per_range = 8));
-- look
SELECT pg_get_indexdef('o_bloom'::regclass), pg_get_indexdef('o_multi'::regclass)
-- case: index_on_function (until 16)
CREATE TABLE words (w text);
INSERT INTO words SELECT 'w' || g FROM generate_series(1, 50) g;
CREATE FUNCTION inner_form(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)';
CREATE FUNCTION outer_form(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN inner_form($1); END';
CREATE INDEX words_form ON words (outer_form(w));
CREATE UNIQUE INDEX words_part ON words (w) WHERE outer_form(w) <> '';
-- look
SELECT c.relname, i.indisvalid, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indrelid = 'words'::regclass ORDER BY 1
-- look
SELECT proname, proconfig::text FROM pg_proc WHERE pronamespace = 'index_on_function'::regnamespace ORDER BY 1
-- case: enum_predicate
CREATE TYPE state AS ENUM ('new', 'old');
CREATE TABLE e (s state, id int);
INSERT INTO e VALUES ('new', 1), ('old', 2);
CREATE INDEX e_new ON e (id) WHERE s = 'new';
-- look
SELECT pg_get_indexdef('e_new'::regclass)
-- case: statistics_objects (from 12)
CREATE TABLE s (a int, b int, c text);
INSERT INTO s SELECT g % 10, g % 5, md5(g::text) FROM generate_series(1, 200) g;
CREATE STATISTICS s_plain (ndistinct, dependencies) ON a, b FROM s;
COMMENT ON STATISTICS s_plain IS 'a comment';
-- look
SELECT stxname, stxkeys::text, stxkind::text, obj_description(oid, 'pg_statistic_ext') FROM pg_statistic_ext
 WHERE stxnamespace = 'statistics_objects'::regnamespace ORDER BY 1
-- case: statistics_of_every_kind (until 11)
-- A definition that holds all kinds that its server knows names none of them, and a newer server knows one more.
CREATE TABLE s (a int, b int, c text);
INSERT INTO s SELECT g % 10, g % 5, md5(g::text) FROM generate_series(1, 200) g;
CREATE STATISTICS s_plain (ndistinct, dependencies) ON a, b FROM s;
COMMENT ON STATISTICS s_plain IS 'a comment';
-- look
SELECT stxname, stxkeys::text, array_remove(stxkind, 'm')::text, obj_description(oid, 'pg_statistic_ext')
  FROM pg_statistic_ext WHERE stxnamespace = 'statistics_of_every_kind'::regnamespace ORDER BY 1
-- case: statistics_expressions (from 14)
CREATE TABLE s (a int, b int, c text);
INSERT INTO s SELECT g % 10, g % 5, md5(g::text) FROM generate_series(1, 200) g;
CREATE STATISTICS s_mixed (mcv) ON a, lower(c), (b + 1) FROM s;
CREATE STATISTICS s_one ON (a * b) FROM s;
ALTER STATISTICS s_mixed SET STATISTICS 123;
-- look
SELECT stxname, pg_get_statisticsobjdef(oid), nullif(stxstattarget, -1) FROM pg_statistic_ext
 WHERE stxnamespace = 'statistics_expressions'::regnamespace ORDER BY 1
