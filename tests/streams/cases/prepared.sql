-- any

-- tables
CREATE TABLE t (id int PRIMARY KEY, n int);

-- round
INSERT INTO t SELECT g, 0 FROM generate_series(1, 10) g; BEGIN; UPDATE t SET n = 1 WHERE id < 3; PREPARE TRANSACTION 'one';
BEGIN; DELETE FROM t WHERE id = 9; PREPARE TRANSACTION 'two'; UPDATE t SET n = 5 WHERE id = 5;

-- round
COMMIT PREPARED 'one'; ROLLBACK PREPARED 'two';
