-- any

-- tables
CREATE FUNCTION half(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n / 2';
CREATE FUNCTION quarter(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN half(half(n)); END';
CREATE TABLE t (id int PRIMARY KEY, n int); CREATE INDEX ON t (quarter(n));

-- round
INSERT INTO t SELECT g, g FROM generate_series(1, 50) g;

-- round
UPDATE t SET n = n + 8;
