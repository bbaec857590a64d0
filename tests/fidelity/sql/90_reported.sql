-- What cannot arrive whole, and what is said of it.
-- case: broken_check
CREATE TABLE rules (v int);
INSERT INTO rules VALUES (1);
CREATE FUNCTION fits(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM broken_check.rules WHERE v = $1)';
CREATE TABLE c (v int CONSTRAINT fitting CHECK (fits(v)));
INSERT INTO c VALUES (1);
UPDATE rules SET v = 2;
-- look
SELECT v, (SELECT v FROM rules) FROM c
-- look
SELECT conname FROM pg_constraint WHERE conrelid = 'c'::regclass
-- warned: broken_check.c.fitting | NOT VALID | violated by some row
-- found: constraint | broken_check.c.fitting
-- case: event_triggers (as superuser)
CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER fid_event ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE PROCEDURE note();
ALTER EVENT TRIGGER fid_event DISABLE;
COMMENT ON EVENT TRIGGER fid_event IS 'a comment';
-- look
SELECT proname FROM pg_proc WHERE pronamespace = 'event_triggers'::regnamespace
-- warned: event trigger fid_event | ermission denied
-- found: event trigger | fid_event
-- case: operator_classes (as superuser)
CREATE FUNCTION backwards(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR FAMILY fam USING btree;
CREATE OPERATOR CLASS cls FOR TYPE int USING btree FAMILY fam AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
  FUNCTION 1 backwards(int, int);
CREATE TABLE t (id int);
ALTER TABLE t OWNER TO app_owner;
INSERT INTO t SELECT generate_series(1, 10);
CREATE INDEX needs_class ON t (id cls);
-- look
SELECT sum(id) FROM t
-- warned: operator family operator_classes.fam | superuser
-- warned: operator class operator_classes.cls | operator_classes.fam
-- warned: index operator_classes.needs_class | operator_classes.cls
-- found: operator class | operator_classes.cls
-- found: operator family | operator_classes.fam
-- found: index | operator_classes.needs_class
-- case: transforms (as superuser)
CREATE TYPE d AS (x int);
CREATE TRANSFORM FOR d LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal));
-- look
SELECT typname FROM pg_type WHERE oid = 'd'::regtype
-- warned: transform | transforms.d | must be owner
-- found: transform | transforms.d
-- case: publication_of_all (as superuser)
CREATE PUBLICATION fid_all FOR ALL TABLES;
-- look
SELECT 1
-- warned: publication fid_all | superuser
-- found: publication | fid_all
-- case: subscriptions (as superuser)
CREATE SUBSCRIPTION fid_subscription CONNECTION 'host=nowhere.invalid password=unread' PUBLICATION p
  WITH (connect = false, slot_name = NONE, enabled = false, create_slot = false);
-- look
SELECT 1
-- warned: Subscriptions | fid_subscription
-- found: subscription | fid_subscription
-- case: column_order
CREATE TABLE parent (id int, name text);
CREATE TABLE child (extra int, name text, id int);
ALTER TABLE child INHERIT parent;
INSERT INTO child VALUES (1, 'x', 2);
-- look
SELECT id, name, extra FROM child
-- warned: another order | column_order.child
-- found: column | column_order.child | position
-- case: superusers_own (as superuser)
CREATE TABLE t (id int);
INSERT INTO t VALUES (1);
GRANT SELECT ON t TO migrator;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA superusers_own GRANT SELECT ON TABLES TO app_owner;
-- look
SELECT id FROM t
-- warned: Role postgres | no counterpart | superusers_own
-- found: default privileges | for role postgres
-- case: settings_refused (as superuser)
ALTER DATABASE reported SET log_min_messages = 'error';
ALTER DATABASE reported SET work_mem = '8MB';
ALTER ROLE postgres IN DATABASE reported SET work_mem = '1MB';
-- look
SELECT c FROM pg_db_role_setting CROSS JOIN unnest(setconfig) c WHERE setrole = 0 AND c ~ 'work_mem'
   AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
-- warned: log_min_messages | permission denied
-- warned: Role postgres | no counterpart
-- found: database setting | log_min_messages
-- found: database setting | role postgres, work_mem
-- case: foreign_data (as superuser)
CREATE FOREIGN DATA WRAPPER fid_wrapper;
-- look
SELECT 1
-- warned: foreign data wrapper fid_wrapper | permission denied
-- found: foreign-data wrapper | fid_wrapper
-- case: unfillable (until 16)
CREATE FUNCTION fails_later() RETURNS int LANGUAGE plpgsql STABLE AS
  'BEGIN IF current_setting(''server_version_num'')::int >= 170000 THEN RAISE EXCEPTION ''out of reach''; END IF; RETURN 1; END';
CREATE MATERIALIZED VIEW m AS SELECT fails_later() AS x;
CREATE MATERIALIZED VIEW reads_m AS SELECT x + 1 AS y FROM m;
-- look
SELECT relname FROM pg_class WHERE relnamespace = 'unfillable'::regnamespace ORDER BY 1
-- warned: unfillable.m | could not be filled | out of reach
-- warned: unfillable.reads_m | could not be filled
-- found: materialized view | unfillable.m | populated
-- found: materialized view | unfillable.reads_m | populated
