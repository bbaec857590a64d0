-- Constraints.
-- case: exclusion
CREATE TABLE x (room int4range, during tsrange, note text, EXCLUDE USING gist (room WITH &&, during WITH &&),
  CONSTRAINT part EXCLUDE USING btree (note WITH =) WHERE (note <> 'twice') DEFERRABLE INITIALLY DEFERRED);
INSERT INTO x VALUES ('[1,2)', '[2020-01-01,2020-01-02)', 'a'), ('[2,3)', '[2020-01-01,2020-01-02)', 'b'), ('[4,5)', NULL, 'twice'),
  ('[5,6)', NULL, 'twice');
-- look
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'x'::regclass AND contype = 'x' ORDER BY 1
-- look
SELECT * FROM x ORDER BY room
-- case: deferrable_keys
CREATE TABLE d (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, u int UNIQUE DEFERRABLE, w int);
CREATE TABLE b (id int PRIMARY KEY);
CREATE TABLE e (id int REFERENCES b DEFERRABLE INITIALLY IMMEDIATE, f int REFERENCES b ON DELETE SET NULL ON UPDATE CASCADE
  DEFERRABLE INITIALLY DEFERRED, g int, FOREIGN KEY (g) REFERENCES b MATCH FULL);
INSERT INTO b VALUES (1), (2);
INSERT INTO d VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO e VALUES (1, 2, 1), (NULL, NULL, NULL);
-- look
SELECT conrelid::regclass::text, contype, condeferrable, condeferred, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'deferrable_keys'::regnamespace AND contype <> 'n' ORDER BY 1, 5
-- case: not_valid
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE n (id int, v int);
INSERT INTO parent VALUES (1);
INSERT INTO n VALUES (1, 5), (99, -5);
ALTER TABLE n ADD CONSTRAINT positive CHECK (v > 0) NOT VALID, ADD CONSTRAINT known FOREIGN KEY (id) REFERENCES parent NOT VALID;
CREATE DOMAIN d AS int;
CREATE TABLE of_domain (v d);
INSERT INTO of_domain VALUES (-1), (1);
ALTER DOMAIN d ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID;
-- look
SELECT conname, contype, convalidated FROM pg_constraint WHERE connamespace = 'not_valid'::regnamespace AND contype IN ('c', 'f') ORDER BY 2, 1
-- look
SELECT (SELECT sum(v) FROM n), (SELECT sum(v) FROM of_domain)
-- case: not_null_not_valid (from 18)
CREATE TABLE n (id int, v int, w int CONSTRAINT named_not_null NOT NULL, x int CONSTRAINT no_heirs NOT NULL NO INHERIT);
INSERT INTO n VALUES (1, NULL, 1, 1);
ALTER TABLE n ADD CONSTRAINT v_not_null NOT NULL v NOT VALID;
COMMENT ON CONSTRAINT named_not_null ON n IS 'a comment';
-- look
SELECT conname, contype, convalidated, connoinherit, obj_description(oid, 'pg_constraint') FROM pg_constraint
 WHERE conrelid = 'n'::regclass ORDER BY 1
-- case: not_enforced (from 18)
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE n (id int CHECK (id > 0) NOT ENFORCED, p int CONSTRAINT ghost REFERENCES parent NOT ENFORCED);
INSERT INTO n VALUES (-1, 99);
-- look
SELECT conname, contype, convalidated, conenforced FROM pg_constraint WHERE conrelid = 'n'::regclass ORDER BY 1
-- case: temporal_keys (from 18)
CREATE TABLE t (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS));
CREATE TABLE f (id int4range, during daterange, FOREIGN KEY (id, PERIOD during) REFERENCES t (id, PERIOD during));
INSERT INTO t VALUES ('[1,2)', '[2020-01-01,2021-01-01)');
INSERT INTO f VALUES ('[1,2)', '[2020-02-01,2020-03-01)');
-- look
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'temporal_keys'::regnamespace AND contype IN ('p', 'f') ORDER BY 1
-- case: foreign_key_cycles
CREATE TABLE self (id int PRIMARY KEY, boss int REFERENCES self);
CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen DEFERRABLE INITIALLY DEFERRED);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
INSERT INTO self VALUES (1, 2), (2, 3), (3, 1), (4, NULL);
BEGIN;
INSERT INTO egg VALUES (1, 1);
INSERT INTO hen VALUES (1, 1);
COMMIT;
-- look
SELECT conrelid::regclass::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint
 WHERE connamespace = 'foreign_key_cycles'::regnamespace AND contype = 'f' ORDER BY 1
-- look
SELECT *, (SELECT hen FROM egg) FROM self ORDER BY 1
-- case: check_reads_other_table
CREATE TABLE zz_allowed (v int PRIMARY KEY);
INSERT INTO zz_allowed VALUES (1), (2);
CREATE FUNCTION is_allowed(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN EXISTS (SELECT FROM zz_allowed WHERE v = $1); END';
CREATE FUNCTION is_known(int) RETURNS boolean LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM check_reads_other_table.zz_allowed WHERE v = $1)';
CREATE TABLE aa_checked (v int CHECK (is_allowed(v)), w int CONSTRAINT known CHECK (is_known(w)) NO INHERIT);
INSERT INTO aa_checked VALUES (1, 2), (2, 1);
CREATE TABLE heir () INHERITS (aa_checked);
INSERT INTO heir VALUES (1, 99);
CREATE TABLE aa_parts (v int CHECK (is_allowed(v))) PARTITION BY LIST (v);
CREATE TABLE aa_parts_1 PARTITION OF aa_parts (CHECK (is_known(v))) FOR VALUES IN (1);
INSERT INTO aa_parts VALUES (1);
COMMENT ON CONSTRAINT known ON aa_checked IS 'a comment';
-- look
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated, conislocal, coninhcount, connoinherit,
  obj_description(oid, 'pg_constraint') FROM pg_constraint
 WHERE connamespace = 'check_reads_other_table'::regnamespace AND contype = 'c' ORDER BY 1, 2
-- look
SELECT (SELECT sum(v) FROM ONLY aa_checked), (SELECT sum(w) FROM heir), (SELECT count(*) FROM aa_parts_1)
-- case: domain_calls_function
CREATE TABLE zz_codes (code text PRIMARY KEY);
INSERT INTO zz_codes VALUES ('a'), ('b');
CREATE FUNCTION is_code(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN EXISTS (SELECT FROM zz_codes WHERE code = $1); END';
CREATE FUNCTION is_short(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT length($1) < 5';
CREATE DOMAIN code AS text DEFAULT 'a' NOT NULL CONSTRAINT real_code CHECK (is_code(VALUE)) CHECK (is_short(VALUE));
CREATE TABLE aa_coded (c code);
INSERT INTO aa_coded VALUES ('a'), ('b');
CREATE DOMAIN contained AS text CHECK (is_short(VALUE));
CREATE TABLE in_array (several contained[]);
INSERT INTO in_array VALUES ('{a,b}');
-- look
SELECT conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contypid = 'code'::regtype AND contype = 'c' ORDER BY 1
-- look
SELECT c, (SELECT several FROM in_array) FROM aa_coded ORDER BY 1
-- case: primary_key_without_overlap_of_names
CREATE TABLE a (id int CONSTRAINT a_key PRIMARY KEY USING INDEX TABLESPACE pg_default, t text CONSTRAINT "t""u" UNIQUE) ;
ALTER TABLE a ADD CONSTRAINT covered UNIQUE (id) INCLUDE (t);
INSERT INTO a VALUES (1, 'x');
-- look
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'a'::regclass AND contype <> 'n' ORDER BY 1
-- case: nulls_not_distinct (from 15)
CREATE TABLE a (id int UNIQUE NULLS NOT DISTINCT, b int);
CREATE UNIQUE INDEX ON a (b) NULLS NOT DISTINCT;
INSERT INTO a VALUES (NULL, NULL);
-- look
SELECT indexrelid::regclass::text, indnullsnotdistinct FROM pg_index WHERE indrelid = 'a'::regclass ORDER BY 1
