-- any

-- tables
CREATE TABLE bag (a int, b text, j json, p point); ALTER TABLE bag REPLICA IDENTITY FULL;
CREATE TABLE keyed (id int PRIMARY KEY, b text, c text); ALTER TABLE keyed REPLICA IDENTITY FULL;
CREATE TABLE nothing_but_nulls (a int, b int); ALTER TABLE nothing_but_nulls REPLICA IDENTITY FULL;

-- round
INSERT INTO bag SELECT g % 4, 'b', '{"a": 1}', point(1, g % 2) FROM generate_series(1, 60) g;
INSERT INTO keyed SELECT g, 'b' || g, NULL FROM generate_series(1, 60) g;
INSERT INTO nothing_but_nulls SELECT NULL, NULL FROM generate_series(1, 5);

-- round
UPDATE bag SET b = 'c' WHERE a = 1; DELETE FROM bag WHERE ctid IN (SELECT ctid FROM bag WHERE a = 2 LIMIT 4);
UPDATE bag SET j = '{"a":1}' WHERE a = 3; UPDATE bag SET b = b;
UPDATE keyed SET c = 'x' WHERE id < 20; UPDATE keyed SET id = id + 100 WHERE id > 50; DELETE FROM keyed WHERE id = 5;
DELETE FROM nothing_but_nulls WHERE ctid IN (SELECT ctid FROM nothing_but_nulls LIMIT 2);
UPDATE nothing_but_nulls SET b = 1 WHERE ctid IN (SELECT ctid FROM nothing_but_nulls LIMIT 1);

-- round
DELETE FROM bag WHERE a = 1; INSERT INTO bag SELECT 1, 'b', NULL, NULL FROM generate_series(1, 3);
