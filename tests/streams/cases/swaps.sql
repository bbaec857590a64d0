-- replays

-- tables
CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE, note text);
CREATE TABLE late (id int PRIMARY KEY, place int UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE rooms (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));

-- round
INSERT INTO t SELECT g, g, 'n' FROM generate_series(1, 20) g; INSERT INTO late SELECT g, g FROM generate_series(1, 20) g;
INSERT INTO rooms SELECT g, int4range(g * 10, g * 10 + 10) FROM generate_series(1, 9) g;

-- round
BEGIN; UPDATE t SET place = -1 WHERE id = 1; UPDATE t SET place = 1 WHERE id = 2; UPDATE t SET place = 2 WHERE id = 1; COMMIT;
BEGIN; UPDATE late SET place = 2 WHERE id = 1; UPDATE late SET place = 1 WHERE id = 2; COMMIT;
BEGIN; UPDATE rooms SET during = int4range(500, 510) WHERE id = 1; UPDATE rooms SET during = int4range(10, 20) WHERE id = 2;
UPDATE rooms SET during = int4range(20, 30) WHERE id = 1; COMMIT;

-- round
BEGIN; UPDATE t SET id = -1 WHERE id = 5; UPDATE t SET id = 5 WHERE id = 6; UPDATE t SET id = 6 WHERE id = -1; COMMIT;
DELETE FROM t WHERE id = 9; UPDATE t SET place = 9 WHERE id = 10; INSERT INTO t VALUES (9, 10, 'new');
