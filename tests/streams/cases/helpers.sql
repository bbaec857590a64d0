-- replays

-- tables
CREATE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n / 2';
CREATE FUNCTION quarter(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN half(half(n)); END';
CREATE TABLE t (id int PRIMARY KEY, n int, place int UNIQUE); CREATE INDEX ON t (quarter(n));

-- round
INSERT INTO t SELECT g, g, g FROM generate_series(1, 50) g;

-- round
UPDATE t SET n = n + 8;

-- round
BEGIN; UPDATE t SET place = -1 WHERE id = 1; UPDATE t SET place = 1, n = 3 WHERE id = 2; UPDATE t SET place = 2 WHERE id = 1; COMMIT;
