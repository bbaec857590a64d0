-- any

-- tables
CREATE TABLE t (id int PRIMARY KEY, one text, two text, n int);
ALTER TABLE t ALTER one SET STORAGE EXTERNAL, ALTER two SET STORAGE EXTERNAL;
CREATE TABLE whole (id int PRIMARY KEY, one text, n int); ALTER TABLE whole ALTER one SET STORAGE EXTERNAL;
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE keyless (one text, n int); ALTER TABLE keyless ALTER one SET STORAGE EXTERNAL;
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE long_key (id text PRIMARY KEY, n int); ALTER TABLE long_key ALTER id SET STORAGE EXTERNAL;

-- round
INSERT INTO t SELECT g, repeat(md5(g::text), 200), repeat(md5('x' || g), 200), 0 FROM generate_series(1, 40) g;
INSERT INTO whole SELECT g, repeat(md5(g::text), 200), 0 FROM generate_series(1, 20) g;
INSERT INTO keyless SELECT repeat(md5(g::text), 200), 0 FROM generate_series(1, 20) g;
INSERT INTO long_key SELECT repeat(md5(g::text), 75), 0 FROM generate_series(1, 10) g;

-- round
UPDATE t SET n = 1; UPDATE t SET one = 'short' WHERE id < 10; UPDATE t SET two = NULL WHERE id BETWEEN 5 AND 15;
UPDATE t SET id = id + 100 WHERE id > 35; UPDATE whole SET n = n + 1; UPDATE keyless SET n = n + 1;
UPDATE long_key SET n = 1; UPDATE whole SET id = id + 100 WHERE id > 15;

-- round
BEGIN; UPDATE t SET n = 2 WHERE id = 20; UPDATE t SET one = 'in between' WHERE id = 20; UPDATE t SET n = 3 WHERE id = 20;
UPDATE t SET two = repeat('y', 9000) WHERE id = 21; UPDATE t SET n = 4 WHERE id = 21; UPDATE t SET id = 999 WHERE id = 21;
INSERT INTO t VALUES (22000, repeat('z', 9000), 'w', 1); UPDATE t SET n = 5 WHERE id = 22000; COMMIT;
