-- any

-- tables
CREATE TABLE two (a int, b text, c timestamptz, PRIMARY KEY (a, b));
CREATE TABLE last (note text, id bigint PRIMARY KEY, raw bytea);
CREATE TABLE scattered (a int, note text, b uuid, c date, PRIMARY KEY (b, a));
CREATE TABLE only_keys (a int, b int, PRIMARY KEY (a, b));
CREATE TABLE by_index (id int NOT NULL, note text, mail text NOT NULL);
CREATE UNIQUE INDEX by_index_mail ON by_index (mail);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_mail;
CREATE TABLE numeric_key (n numeric PRIMARY KEY, note text);

-- round
INSERT INTO two SELECT g, 'k' || g % 7, '2026-01-01 00:00+00'::timestamptz + g * interval '1 s' FROM generate_series(1, 100) g;
INSERT INTO last SELECT 'n' || g, g, decode(lpad(to_hex(g), 8, '0'), 'hex') FROM generate_series(1, 100) g;
INSERT INTO scattered SELECT g, 'n', md5(g::text)::uuid, '2026-01-01'::date + g FROM generate_series(1, 100) g;
INSERT INTO only_keys SELECT g, g * 2 FROM generate_series(1, 50) g;
INSERT INTO by_index SELECT g, 'n' || g, g || '@example.org' FROM generate_series(1, 50) g;
INSERT INTO numeric_key VALUES (1.0, 'a'), (2, 'b'), (1e20, 'c');

-- round
UPDATE two SET c = NULL WHERE a < 20; UPDATE two SET b = 'new' WHERE a BETWEEN 30 AND 40; DELETE FROM two WHERE a > 90;
UPDATE last SET id = id + 1000 WHERE id < 10; UPDATE last SET raw = '\x00' WHERE id = 50; DELETE FROM last WHERE id = 60;
UPDATE scattered SET a = a + 500, note = 'moved' WHERE a < 10; UPDATE scattered SET c = NULL WHERE a = 50;
DELETE FROM scattered WHERE a = 51; UPDATE only_keys SET b = b + 1 WHERE a < 5; UPDATE only_keys SET b = b WHERE a = 7;
DELETE FROM only_keys WHERE a = 9; UPDATE by_index SET note = 'x' WHERE id < 9;
UPDATE by_index SET mail = 'new' || mail WHERE id > 45; DELETE FROM by_index WHERE id = 20;
UPDATE numeric_key SET n = 1.00 WHERE n = 1; UPDATE numeric_key SET note = 'z' WHERE n = 2.000;
DELETE FROM numeric_key WHERE n = 1e20; INSERT INTO numeric_key VALUES (100000000000000000000.0, 'again');

-- round
BEGIN; UPDATE last SET id = id + 1 WHERE id = 1009; UPDATE last SET id = id + 1 WHERE id = 1010;
UPDATE last SET id = 1009 WHERE id = 1011; UPDATE last SET note = 'home' WHERE id = 1009;
INSERT INTO last VALUES ('takes the place', 1011, NULL); UPDATE last SET id = 5000 WHERE id = 1011;
DELETE FROM last WHERE id = 1008; UPDATE last SET id = 1008 WHERE id = 1007; COMMIT;
