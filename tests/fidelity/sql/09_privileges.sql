-- Privileges and row security.
-- case: grants (as superuser)
CREATE ROLE fid_reader;
CREATE ROLE fid_giver;
CREATE ROLE "Fid ""Odd"" Role";
CREATE ROLE "fid
newline";
SET ROLE app_owner;
CREATE TABLE t (id int, secret text, open text);
INSERT INTO t VALUES (1, 's', 'o');
CREATE SEQUENCE s;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE e AS ENUM ('x');
CREATE DOMAIN d AS int;
GRANT USAGE ON SCHEMA grants TO fid_giver WITH GRANT OPTION;
GRANT USAGE ON SCHEMA grants TO "fid
newline";
GRANT SELECT, UPDATE ON t TO fid_giver WITH GRANT OPTION;
GRANT ALL ON t TO "Fid ""Odd"" Role";
GRANT SELECT (open), UPDATE (id) ON t TO PUBLIC;
GRANT REFERENCES (id) ON t TO "fid
newline" WITH GRANT OPTION;
GRANT USAGE ON SEQUENCE s TO "fid
newline";
GRANT TRIGGER ON t TO "fid
newline";
REVOKE ALL ON FUNCTION f() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION f() TO fid_giver WITH GRANT OPTION;
REVOKE USAGE ON TYPE e FROM PUBLIC;
GRANT USAGE ON TYPE e TO "Fid ""Odd"" Role";
GRANT USAGE ON DOMAIN d TO fid_reader;
REVOKE INSERT, TRUNCATE ON t FROM app_owner;
SET ROLE fid_giver;
GRANT SELECT ON t TO fid_reader;
GRANT SELECT (secret) ON t TO "Fid ""Odd"" Role";
GRANT UPDATE ON t TO "fid
newline" WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION f() TO fid_reader;
GRANT USAGE ON SCHEMA grants TO fid_reader;
SET ROLE "fid
newline";
GRANT UPDATE ON t TO fid_reader;
RESET ROLE;
-- look
SELECT c.relname, a.grantor::regrole::text, CASE WHEN a.grantee <> 0 THEN a.grantee::regrole::text END, a.privilege_type, a.is_grantable
  FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'grants'::regnamespace AND a.privilege_type <> 'MAINTAIN' ORDER BY 1, 2, 3, 4
-- look
SELECT attname, a.grantor::regrole::text, CASE WHEN a.grantee <> 0 THEN a.grantee::regrole::text END, a.privilege_type, a.is_grantable
  FROM pg_attribute, aclexplode(attacl) a WHERE attrelid = 't'::regclass ORDER BY 1, 2, 3, 4
-- look
SELECT 'schema', nspacl::text FROM pg_namespace WHERE nspname = 'grants' UNION ALL SELECT proname, proacl::text FROM pg_proc
 WHERE pronamespace = 'grants'::regnamespace UNION ALL SELECT typname, typacl::text FROM pg_type
 WHERE typnamespace = 'grants'::regnamespace AND typacl IS NOT NULL ORDER BY 1
-- case: default_privileges (as superuser)
SET ROLE app_owner;
ALTER DEFAULT PRIVILEGES IN SCHEMA default_privileges GRANT SELECT ON TABLES TO other_owner WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA default_privileges GRANT USAGE ON SEQUENCES TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO other_owner;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO other_owner;
RESET ROLE;
ALTER DEFAULT PRIVILEGES FOR ROLE other_owner REVOKE ALL ON TABLES FROM other_owner;
-- look
SELECT defaclrole::regrole::text, coalesce(defaclnamespace::regnamespace::text, ''), defaclobjtype, a.grantee::regrole::text, a.privilege_type, a.is_grantable
  FROM pg_default_acl d, aclexplode(d.defaclacl) a WHERE a.privilege_type <> 'MAINTAIN' ORDER BY 1, 2, 3, 4, 5
-- case: row_security (as superuser)
CREATE ROLE fid_seer;
SET ROLE app_owner;
CREATE TABLE parent (id int PRIMARY KEY, who text DEFAULT current_user);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent VALUES (1, 'nobody'), (2, 'app_owner');
INSERT INTO child VALUES (1, 1), (2, 2);
CREATE POLICY p_all ON parent USING (who = current_user) WITH CHECK (who <> 'x TO y');
CREATE POLICY "p; odd" ON parent AS RESTRICTIVE FOR SELECT TO fid_seer, other_owner USING (id > 0);
CREATE POLICY p_insert ON child FOR INSERT TO PUBLIC WITH CHECK (parent IN (SELECT id FROM parent));
ALTER TABLE parent ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE child FORCE ROW LEVEL SECURITY;
COMMENT ON POLICY p_all ON parent IS 'a policy';
RESET ROLE;
-- look
SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relnamespace = 'row_security'::regnamespace AND relkind = 'r' ORDER BY 1
-- look
SELECT polname, polcmd, polpermissive, (SELECT string_agg(CASE WHEN o = 0 THEN 'public' ELSE o::regrole::text END, ',' ORDER BY o::regrole::text)
  FROM unnest(polroles) o), obj_description(oid, 'pg_policy') FROM pg_policy WHERE polrelid IN ('parent'::regclass, 'child'::regclass) ORDER BY 1
-- look
SELECT (SELECT count(*) FROM parent), (SELECT count(*) FROM child)
