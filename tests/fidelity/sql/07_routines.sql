-- Functions, procedures, aggregates, triggers, rules.
-- case: functions
CREATE FUNCTION f(a int, b text DEFAULT 'x', VARIADIC c numeric[] DEFAULT '{1}', OUT d int, OUT e text) RETURNS SETOF record
  LANGUAGE plpgsql STABLE SECURITY DEFINER STRICT COST 5 ROWS 7 PARALLEL RESTRICTED SET search_path = functions, "odd, path", pg_temp
  SET "DateStyle" = 'German, DMY' SET application_name = 'it''s' AS $body$
BEGIN
  -- TOC entry 1 (class 1 OID 1)
  d := a; e := $x$'quoted'$x$ || E'\n\\'; RETURN NEXT;
END $body$;
CREATE FUNCTION same_name(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION same_name(text) RETURNS int LANGUAGE sql AS 'SELECT 2';
CREATE FUNCTION returns_table(n int) RETURNS TABLE (x int, y text) LANGUAGE sql AS 'SELECT 1, ''y''';
CREATE FUNCTION broken() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION uses_later_table() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM functions.never_was); END';
COMMENT ON FUNCTION same_name(int) IS 'one
-- of two';
CREATE PROCEDURE p(INOUT n int, IN t text DEFAULT 'x') LANGUAGE plpgsql AS 'BEGIN n := n + 1; COMMIT; END';
COMMENT ON PROCEDURE p(int, text) IS 'a procedure';
REVOKE EXECUTE ON FUNCTION same_name(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION same_name(int) TO other_owner;
-- look
SELECT oid::regprocedure::text, md5(prosrc), prosecdef, proisstrict, proleakproof, provolatile, procost, prorows, proparallel, proconfig::text,
  proacl::text, obj_description(oid, 'pg_proc') FROM pg_proc WHERE pronamespace = 'functions'::regnamespace ORDER BY 1
-- case: sql_bodies (from 14)
CREATE TABLE t (id int, v text);
INSERT INTO t VALUES (1, 'x');
CREATE FUNCTION atomic(n int) RETURNS SETOF t LANGUAGE sql BEGIN ATOMIC SELECT t.id + n, t.v FROM t; SELECT * FROM t WHERE id = n; END;
CREATE FUNCTION doubling(n int) RETURNS int LANGUAGE sql RETURN n * 2;
CREATE PROCEDURE insert_one(n int) LANGUAGE sql BEGIN ATOMIC INSERT INTO t VALUES (n, 'new'); END;
CREATE VIEW v AS SELECT doubling(id) AS r FROM t;
-- look
SELECT proname, md5(pg_get_functiondef(oid)) IS NOT NULL FROM pg_proc WHERE pronamespace = 'sql_bodies'::regnamespace ORDER BY 1
-- look
SELECT atomic(1), doubling(4), (SELECT r FROM v)
-- case: aggregates
CREATE AGGREGATE product(numeric) (SFUNC = numeric_mul, STYPE = numeric, INITCOND = '1', PARALLEL = SAFE, COMBINEFUNC = numeric_mul);
CREATE FUNCTION gather(state int[], elem int) RETURNS int[] LANGUAGE sql IMMUTABLE AS 'SELECT array_append($1, $2)';
CREATE FUNCTION pick(state int[], fraction float8) RETURNS int LANGUAGE sql IMMUTABLE AS
  'SELECT e FROM unnest($1) e ORDER BY e OFFSET floor($2 * (array_length($1, 1) - 1))::int LIMIT 1';
CREATE AGGREGATE quantile(float8 ORDER BY int) (SFUNC = gather, STYPE = int[], INITCOND = '{}', FINALFUNC = pick);
CREATE AGGREGATE moving(float8) (SFUNC = float8pl, STYPE = float8, INITCOND = '0', MSFUNC = float8pl, MINVFUNC = float8mi, MSTYPE = float8,
  MINITCOND = '0', SORTOP = >);
COMMENT ON AGGREGATE product(numeric) IS 'a product';
CREATE TABLE n (i int);
INSERT INTO n SELECT generate_series(1, 9);
-- look
SELECT aggfnoid::regprocedure::text, aggkind, aggtransfn::text, aggfinalfn::text, aggcombinefn::text, aggmtransfn::text, aggminvtransfn::text,
  aggsortop::regoperator::text, aggtranstype::regtype::text, agginitval, aggminitval, obj_description(aggfnoid, 'pg_proc')
  FROM pg_aggregate WHERE aggfnoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'aggregates'::regnamespace) ORDER BY 1
-- look
SELECT product(i), quantile(0.5) WITHIN GROUP (ORDER BY i), moving(i) FROM n
-- case: trigger_states
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''must not fire while rows are carried''; END';
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
INSERT INTO t VALUES (1, 'x');
CREATE TRIGGER a_on BEFORE INSERT ON t FOR EACH ROW EXECUTE PROCEDURE note();
CREATE TRIGGER b_off BEFORE INSERT ON t FOR EACH ROW EXECUTE PROCEDURE note();
CREATE TRIGGER c_always AFTER UPDATE OF v ON t FOR EACH ROW WHEN (NEW.v IS DISTINCT FROM OLD.v) EXECUTE PROCEDURE note('arg', 'it''s');
CREATE TRIGGER d_replica AFTER TRUNCATE ON t FOR EACH STATEMENT EXECUTE PROCEDURE note();
CREATE CONSTRAINT TRIGGER e_later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE PROCEDURE pass();
CREATE TRIGGER f_tables AFTER DELETE ON t REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE PROCEDURE pass();
ALTER TABLE t DISABLE TRIGGER b_off, ENABLE ALWAYS TRIGGER c_always, ENABLE REPLICA TRIGGER d_replica;
COMMENT ON TRIGGER a_on ON t IS 'a trigger';
CREATE VIEW w AS SELECT * FROM t;
CREATE TRIGGER instead INSTEAD OF INSERT ON w FOR EACH ROW EXECUTE PROCEDURE pass();
-- look
SELECT tgrelid::regclass::text, tgname, tgenabled, tgdeferrable, tginitdeferred, obj_description(oid, 'pg_trigger') FROM pg_trigger
 WHERE NOT tgisinternal AND tgrelid IN ('t'::regclass, 'w'::regclass) ORDER BY 1, 2
-- look
SELECT * FROM t
-- case: trigger_on_partitions (from 13)
CREATE TABLE p (id int) PARTITION BY LIST (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
INSERT INTO p VALUES (1), (2);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER r BEFORE INSERT ON p FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE p2 DISABLE TRIGGER r;
-- look
SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE tgname = 'r' AND tgrelid IN ('p'::regclass, 'p1'::regclass, 'p2'::regclass) ORDER BY 1
-- case: rules
CREATE TABLE r (id int, v text);
CREATE TABLE log (id int, what text);
INSERT INTO r VALUES (1, 'x');
CREATE RULE instead_nothing AS ON DELETE TO r DO INSTEAD NOTHING;
CREATE RULE also AS ON INSERT TO r WHERE NEW.id > 5 DO ALSO INSERT INTO log VALUES (NEW.id, 'insert');
CREATE RULE off AS ON UPDATE TO r DO ALSO (INSERT INTO log VALUES (OLD.id, 'update'); NOTIFY rules_channel);
ALTER TABLE r DISABLE RULE off;
CREATE VIEW rv AS SELECT id FROM r;
CREATE RULE rv_insert AS ON INSERT TO rv DO INSTEAD INSERT INTO r VALUES (NEW.id, 'view') RETURNING r.id;
COMMENT ON RULE also ON r IS 'a rule';
-- look
SELECT ev_class::regclass::text, rulename, ev_type, ev_enabled, is_instead, obj_description(oid, 'pg_rewrite') FROM pg_rewrite
 WHERE ev_class IN ('r'::regclass, 'rv'::regclass) ORDER BY 1, 2
-- look
SELECT *, (SELECT count(*) FROM log) FROM r
