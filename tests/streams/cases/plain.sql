-- any

-- tables
CREATE TABLE t (id int PRIMARY KEY, note text, amount numeric(12,3));

-- round
INSERT INTO t SELECT g, 'row ' || g, g / 8.0 FROM generate_series(1, 400) g;

-- round
UPDATE t SET note = note || '!' WHERE id % 3 = 0; DELETE FROM t WHERE id % 5 = 0; UPDATE t SET amount = NULL WHERE id < 9;

-- round
BEGIN; INSERT INTO t VALUES (1000, 'comes', 1); UPDATE t SET note = 'stays' WHERE id = 1000;
INSERT INTO t VALUES (1001, 'comes', 1); UPDATE t SET note = 'goes' WHERE id = 1001; DELETE FROM t WHERE id = 1001;
DELETE FROM t WHERE id = 7; INSERT INTO t VALUES (7, 'again', 7.5); UPDATE t SET amount = 8 WHERE id = 7;
DELETE FROM t WHERE id = 8; INSERT INTO t VALUES (8, 'again', 7.5); DELETE FROM t WHERE id = 8; COMMIT;

-- round
BEGIN; DELETE FROM t; ROLLBACK; UPDATE t SET note = note;

-- round
BEGIN; SAVEPOINT a; INSERT INTO t VALUES (2000, 'x', 1); ROLLBACK TO a; INSERT INTO t VALUES (2001, 'y', 2); COMMIT;
