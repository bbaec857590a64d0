-- text

-- tables
CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy'); CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE own (id int PRIMARY KEY, m mood, d mail, p pair, ma mood[], pa pair[], da mail[]);
CREATE TABLE named (id int PRIMARY KEY, c regclass, t regtype, x money, y xml, q tsquery);

-- round
INSERT INTO own VALUES (1, 'so so', 'a@b', '(1,"x,y")', '{happy,sad}', ARRAY['(1,a)', '(2,"b ""c"" ")']::pair[], '{a@b,c@d}'),
(2, NULL, NULL, NULL, '{}', '{}', '{}'), (3, 'sad', '@', '(,)', '{NULL}', '{NULL}', '{NULL}');
INSERT INTO named VALUES (1, 'pg_class', 'integer', '12.34', '<a>1</a>', 'a & !b'), (2, 'named', 'mood', '-0.01', NULL, '');

-- round
UPDATE own SET m = 'happy', pa = pa || '(3,z)'::pair WHERE id = 1;
UPDATE own SET p.b = 'changed' WHERE id = 3;
DELETE FROM own WHERE id = 2;
UPDATE named SET c = 'own' WHERE id = 2;
