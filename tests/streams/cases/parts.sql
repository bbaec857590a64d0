-- since 11

-- tables
CREATE TABLE t (id int, day date, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE t_2 (note text, day date NOT NULL, id int NOT NULL, gone int); ALTER TABLE t_2 DROP COLUMN gone;
ALTER TABLE t ATTACH PARTITION t_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
CREATE TABLE t_rest PARTITION OF t DEFAULT;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE hashed (m mood, id int, note text, PRIMARY KEY (m, id)) PARTITION BY HASH (m);
CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE heir_of (id int PRIMARY KEY, n int); CREATE TABLE heir (more text, PRIMARY KEY (id)) INHERITS (heir_of);

-- round
INSERT INTO t SELECT g, '2026-01-01'::date + g % 80, 'n' || g FROM generate_series(1, 200) g;
INSERT INTO hashed SELECT (enum_range(NULL::mood))[1 + g % 3], g, 'n' FROM generate_series(1, 60) g;
INSERT INTO heir_of SELECT g, g FROM generate_series(1, 20) g; INSERT INTO heir SELECT g, g, 'm' FROM generate_series(21, 40) g;

-- round
UPDATE t SET note = 'u' WHERE id % 4 = 0; UPDATE t SET day = day + 31 WHERE id % 9 = 0; DELETE FROM t WHERE id % 10 = 0;
UPDATE hashed SET m = 'happy' WHERE id = 7; UPDATE hashed SET note = 'v' WHERE id < 20; DELETE FROM hashed WHERE id = 8;
UPDATE heir_of SET n = n + 1; DELETE FROM heir_of WHERE id IN (5, 25); UPDATE heir SET more = NULL WHERE id < 30;

-- round
TRUNCATE t_1; INSERT INTO t VALUES (1, '2026-01-05', 'after'); TRUNCATE hashed; INSERT INTO hashed VALUES ('ok', 1, 'x');
