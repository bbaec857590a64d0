-- any

-- tables
CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int);
DO $$ BEGIN IF current_setting('azpg.side') = 'target' THEN
DROP TABLE t; CREATE TABLE t (b text, more text DEFAULT 'kept', id int PRIMARY KEY);
ELSE ALTER TABLE t DROP COLUMN a, DROP COLUMN c; END IF; END $$;

-- round
INSERT INTO t SELECT g, 'b' || g FROM generate_series(1, 30) g;

-- round
UPDATE t SET b = 'x' WHERE id < 5; DELETE FROM t WHERE id = 6;
