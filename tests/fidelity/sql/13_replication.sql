-- Publications.
-- case: publications (as superuser)
GRANT CREATE ON DATABASE fidelity TO app_owner;
SET ROLE app_owner;
CREATE TABLE p1 (id int PRIMARY KEY, v text, w int);
CREATE TABLE p2 (id int PRIMARY KEY);
INSERT INTO p1 VALUES (1, 'x', 2);
CREATE PUBLICATION fid_some FOR TABLE p1, p2 WITH (publish = 'insert, delete');
CREATE PUBLICATION fid_empty;
COMMENT ON PUBLICATION fid_some IS 'a publication';
RESET ROLE;
-- look
SELECT pubname, pg_get_userbyid(pubowner), puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, obj_description(oid, 'pg_publication')
  FROM pg_publication WHERE pubname ~ '^fid' ORDER BY 1
-- look
SELECT p.pubname, r.prrelid::regclass::text FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname ~ '^fid' ORDER BY 1, 2
-- case: publication_filters (from 15, as superuser)
SET ROLE app_owner;
CREATE TABLE p1 (id int PRIMARY KEY, v text, w int);
INSERT INTO p1 VALUES (1, 'x', 2);
CREATE TABLE root (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (1) TO (9);
CREATE PUBLICATION filtered FOR TABLE p1 (id, w) WHERE (id > 5 AND w IS NOT NULL), root WITH (publish_via_partition_root = true);
RESET ROLE;
-- look
SELECT r.prrelid::regclass::text, r.prattrs::text, pg_get_expr(r.prqual, r.prrelid), p.pubviaroot FROM pg_publication_rel r
  JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = 'filtered' ORDER BY 1
-- case: publication_generated (from 18, as superuser)
SET ROLE app_owner;
CREATE TABLE p1 (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO p1 VALUES (1);
CREATE PUBLICATION generated_too FOR TABLE p1 WITH (publish_generated_columns = stored);
RESET ROLE;
-- look
SELECT pubname, pubgencols FROM pg_publication WHERE pubname = 'generated_too'
