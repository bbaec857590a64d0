-- since 12

-- tables
CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
CREATE TABLE beside (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, t text, big text);
ALTER TABLE beside ALTER big SET STORAGE EXTERNAL;
CREATE TABLE computed (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text);

-- round
INSERT INTO always (t) SELECT 't' || g FROM generate_series(1, 30) g;
INSERT INTO beside (id, t, big) SELECT g, 't', repeat(md5(g::text), 100) FROM generate_series(1, 30) g;
INSERT INTO computed (id, a, b) SELECT g, g, 'b' FROM generate_series(1, 30) g;

-- round
UPDATE always SET t = 'u' WHERE id < 5; UPDATE always SET id = DEFAULT WHERE id = 7; DELETE FROM always WHERE id = 9;
UPDATE beside SET t = 'u' WHERE id < 5; UPDATE beside SET n = DEFAULT WHERE id = 6; UPDATE beside SET id = 1000 WHERE id = 8;
UPDATE computed SET a = a + 1; UPDATE computed SET b = 'c' WHERE id < 5; DELETE FROM computed WHERE id = 9;

-- round
BEGIN; DELETE FROM beside WHERE id = 3; INSERT INTO beside (id, t) VALUES (3, 'anew'); COMMIT;
