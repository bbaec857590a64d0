-- since 11

-- tables
CREATE TABLE t (id int PRIMARY KEY, note text); CREATE TABLE other (id int PRIMARY KEY, note text);

-- round
BEGIN; INSERT INTO t SELECT g, repeat('n', 60) FROM generate_series(1, 8000) g; COMMIT;

-- round
BEGIN; UPDATE t SET note = 'u' || note WHERE id <= 3000; SAVEPOINT a; DELETE FROM t WHERE id > 4000; ROLLBACK TO a;
SAVEPOINT b; INSERT INTO t SELECT g, 'kept' FROM generate_series(10001, 13000) g; RELEASE b;
SAVEPOINT c; INSERT INTO t SELECT g, 'lost' FROM generate_series(20001, 23000) g; SAVEPOINT d;
UPDATE t SET note = 'lost too' WHERE id > 20000; ROLLBACK TO c; UPDATE t SET note = 'last' WHERE id > 12000; COMMIT;

-- round
BEGIN; DELETE FROM t; INSERT INTO t SELECT g, 'never' FROM generate_series(1, 9000) g; ROLLBACK; DELETE FROM t WHERE id = 5;

-- round
BEGIN; UPDATE t SET id = -id; TRUNCATE other; INSERT INTO other SELECT id, note FROM t; UPDATE other SET note = 'x'; COMMIT;
