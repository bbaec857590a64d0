-- The database itself, large objects, comments elsewhere.
-- case: large_objects (as superuser)
CREATE ROLE fid_lo_reader;
CREATE ROLE "fid lo ""odd""";
SELECT lo_from_bytea(900001, '\x00ff'), lo_from_bytea(900002, ''), lo_from_bytea(900003, decode(repeat('00112233445566778899', 400000), 'hex')),
  lo_from_bytea(900004, 'closed'), lo_from_bytea(900005, 'open');
ALTER LARGE OBJECT 900001 OWNER TO app_owner;
ALTER LARGE OBJECT 900002 OWNER TO other_owner;
ALTER LARGE OBJECT 900003 OWNER TO app_owner;
ALTER LARGE OBJECT 900004 OWNER TO app_owner;
ALTER LARGE OBJECT 900005 OWNER TO app_owner;
GRANT SELECT ON LARGE OBJECT 900001 TO fid_lo_reader WITH GRANT OPTION;
GRANT ALL ON LARGE OBJECT 900001 TO "fid lo ""odd""";
GRANT SELECT ON LARGE OBJECT 900005 TO PUBLIC;
REVOKE UPDATE ON LARGE OBJECT 900004 FROM app_owner;
COMMENT ON LARGE OBJECT 900003 IS 'it''s a \large\ object';
SET ROLE fid_lo_reader;
GRANT SELECT ON LARGE OBJECT 900001 TO other_owner;
RESET ROLE;
CREATE TABLE points (id int, lo oid);
ALTER TABLE points OWNER TO app_owner;
INSERT INTO points VALUES (1, 900001);
-- look
SELECT oid, pg_get_userbyid(lomowner), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(lomacl) a), obj_description(oid, 'pg_largeobject'), md5(lo_get(oid)), length(lo_get(oid))
  FROM pg_largeobject_metadata ORDER BY 1
-- case: settings (as superuser)
CREATE ROLE fid_setter;
CREATE ROLE "Fid Set";
GRANT USAGE ON SCHEMA settings TO fid_setter, "Fid Set";
ALTER DATABASE fidelity SET search_path = settings, "odd, schema", public;
ALTER DATABASE fidelity SET work_mem = '7MB';
ALTER DATABASE fidelity SET "DateStyle" = 'German, DMY';
ALTER DATABASE fidelity SET default_transaction_read_only = off;
ALTER ROLE fid_setter IN DATABASE fidelity SET statement_timeout = '5min';
ALTER ROLE fid_setter IN DATABASE fidelity SET search_path = '';
ALTER ROLE "Fid Set" SET search_path = "$user", settings;
ALTER ROLE "Fid Set" SET application_name = 'a''b \ "c"';
COMMENT ON DATABASE fidelity IS 'the
database';
GRANT CONNECT ON DATABASE fidelity TO fid_setter WITH GRANT OPTION;
REVOKE TEMPORARY ON DATABASE fidelity FROM PUBLIC;
ALTER DATABASE fidelity CONNECTION LIMIT 77;
-- look
SELECT coalesce(s.setrole::regrole::text, '-'), c FROM pg_db_role_setting s CROSS JOIN unnest(setconfig) c
 WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    OR (setdatabase = 0 AND setrole = '"Fid Set"'::regrole) ORDER BY 1, 2
-- look
SELECT datconnlimit, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) a), pg_get_userbyid(datdba), shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()
-- case: comments_everywhere
COMMENT ON SCHEMA comments_everywhere IS 'schema';
CREATE TABLE t (id int CONSTRAINT k PRIMARY KEY, v text DEFAULT 'x' CONSTRAINT c CHECK (v <> ''), f int CONSTRAINT fk REFERENCES t);
INSERT INTO t VALUES (1);
COMMENT ON TABLE t IS 'table';
COMMENT ON COLUMN t.id IS 'column';
COMMENT ON CONSTRAINT k ON t IS 'key';
COMMENT ON CONSTRAINT c ON t IS 'check';
COMMENT ON CONSTRAINT fk ON t IS 'foreign key';
CREATE INDEX i ON t (v);
COMMENT ON INDEX i IS 'index';
COMMENT ON INDEX k IS 'index of the key';
-- look
SELECT (pg_identify_object(classoid, objoid, objsubid)).identity, description FROM pg_description
 WHERE (pg_identify_object(classoid, objoid, objsubid)).identity ~ 'comments_everywhere' ORDER BY 1
-- case: public_schema (as superuser)
CREATE TABLE public.in_public (id int);
ALTER TABLE public.in_public OWNER TO app_owner;
INSERT INTO public.in_public VALUES (1);
-- look
SELECT pg_get_userbyid(relowner), (SELECT id FROM public.in_public) FROM pg_class WHERE oid = 'public.in_public'::regclass
-- case: extensions (as superuser)
CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE TABLE e (c public.citext PRIMARY KEY, h hstore);
ALTER TABLE e OWNER TO app_owner;
INSERT INTO e VALUES ('Abc', 'a=>1, b=>NULL');
COMMENT ON EXTENSION citext IS 'of our own';
-- look
SELECT extname, n.nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace ORDER BY 1
-- look
SELECT * FROM e
