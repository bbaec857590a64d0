-- Views and materialised views.
-- case: view_options
CREATE TABLE t (id int PRIMARY KEY, v text, secret boolean);
INSERT INTO t VALUES (1, 'x', false), (2, 'y', true);
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM t WHERE NOT secret;
CREATE VIEW local_check AS SELECT * FROM t WHERE id > 0 WITH LOCAL CHECK OPTION;
CREATE VIEW cascaded_check AS SELECT * FROM local_check WHERE id < 100 WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW counting (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM counting WHERE n < 5;
CREATE VIEW by_key AS SELECT t.*, count(*) FROM t GROUP BY t.id;
CREATE VIEW with_default AS SELECT * FROM t;
ALTER VIEW with_default ALTER COLUMN v SET DEFAULT 'of the view';
CREATE VIEW circle AS SELECT 1 AS id;
CREATE FUNCTION of_view() RETURNS SETOF by_key LANGUAGE sql AS 'SELECT * FROM view_options.by_key';
CREATE VIEW of_function AS SELECT * FROM of_view();
COMMENT ON VIEW barrier IS 'a view';
COMMENT ON COLUMN barrier.v IS 'a column of a view';
-- look
SELECT relname, reloptions::text, obj_description(oid, 'pg_class'), col_description(oid, 2) FROM pg_class
 WHERE relnamespace = 'view_options'::regnamespace AND relkind = 'v' ORDER BY 1
-- look
SELECT (SELECT count(*) FROM barrier), (SELECT sum(n) FROM counting), (SELECT count(*) FROM of_function),
  (SELECT column_default FROM information_schema.columns WHERE table_schema = 'view_options' AND table_name = 'with_default' AND column_name = 'v')
-- case: security_invoker (from 15)
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM t;
-- look
SELECT reloptions::text FROM pg_class WHERE oid = 'v'::regclass
-- case: materialised_chain
CREATE TABLE t (id int, v text);
INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, 100) g;
-- Names in the wrong order on purpose.
CREATE MATERIALIZED VIEW z_first AS SELECT id % 10 AS ten, count(*) AS n FROM t GROUP BY 1;
CREATE VIEW y_between AS SELECT ten, n * 2 AS n FROM z_first;
CREATE MATERIALIZED VIEW a_second AS SELECT sum(n) AS total FROM y_between;
CREATE UNIQUE INDEX ON z_first (ten);
COMMENT ON MATERIALIZED VIEW z_first IS 'a view';
-- look
SELECT (SELECT count(*) FROM z_first), (SELECT total FROM a_second)
-- look
SELECT relname, relispopulated FROM pg_class WHERE relnamespace = 'materialised_chain'::regnamespace AND relkind = 'm' ORDER BY 1
-- case: materialised_empty
CREATE MATERIALIZED VIEW never AS SELECT 1 AS x WITH NO DATA;
CREATE MATERIALIZED VIEW no_rows AS SELECT 1 AS x WHERE false;
CREATE MATERIALIZED VIEW reads_never AS SELECT x FROM never WITH NO DATA;
CREATE MATERIALIZED VIEW options WITH (fillfactor = 50) AS SELECT g FROM generate_series(1, 9) g;
-- look
SELECT relname, relispopulated, reloptions::text FROM pg_class WHERE relnamespace = 'materialised_empty'::regnamespace AND relkind = 'm' ORDER BY 1
-- case: materialised_under_row_security
CREATE TABLE t (id int, who text);
INSERT INTO t VALUES (1, 'all'), (2, 'nobody');
CREATE POLICY visible ON t USING (who = 'all');
ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE MATERIALIZED VIEW m AS SELECT * FROM t;
-- look
SELECT * FROM m
-- case: materialised_through_function (until 16)
CREATE TABLE t (id int);
INSERT INTO t SELECT generate_series(1, 10);
CREATE MATERIALIZED VIEW z_first AS SELECT sum(id)::numeric AS total FROM t;
CREATE FUNCTION inner_function() RETURNS numeric LANGUAGE sql STABLE AS 'SELECT total FROM z_first';
CREATE FUNCTION outer_function() RETURNS numeric LANGUAGE plpgsql STABLE AS 'BEGIN RETURN inner_function(); END';
CREATE VIEW between_them AS SELECT outer_function() AS total;
CREATE MATERIALIZED VIEW a_second AS SELECT total + 1 AS total FROM between_them;
CREATE INDEX ON a_second (total);
-- look
SELECT total, (SELECT total FROM z_first) FROM a_second
-- look
SELECT proname, proconfig::text FROM pg_proc WHERE pronamespace = 'materialised_through_function'::regnamespace ORDER BY 1
