-- Types.
-- case: enums
CREATE TYPE mood AS ENUM ('sad', 'happy');
ALTER TYPE mood ADD VALUE 'ok' BEFORE 'happy';
ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'ok';
ALTER TYPE mood ADD VALUE 'ecstatic';
CREATE TYPE empty_enum AS ENUM ();
CREATE TABLE e (m mood, a mood[], e empty_enum);
COMMENT ON TYPE mood IS 'moods';
-- look
SELECT enumtypid::regtype::text, enumlabel FROM pg_enum WHERE enumtypid = 'mood'::regtype ORDER BY enumsortorder
-- look
SELECT 'so-so'::mood < 'ok'::mood AND 'ok'::mood < 'happy'::mood
-- case: enum_rows
CREATE TYPE mood AS ENUM ('a', 'b', 'c');
CREATE TABLE e (m mood PRIMARY KEY, a mood[]);
INSERT INTO e VALUES ('c', '{a,NULL,c}'), ('a', '{}'), ('b', '[0:1]={b,b}');
-- look
SELECT * FROM e ORDER BY m
-- case: composites
CREATE TYPE place AS (street text, number int, tags text[]);
CREATE TYPE visit AS (place place, at timestamptz, more place[]);
CREATE TYPE hollow AS ();
CREATE TABLE c (p place, v visit, several visit[], h hollow);
INSERT INTO c VALUES (ROW('a,"(b)', 1, '{x,NULL}'), ROW(ROW('s', NULL, '{}'), 'infinity', ARRAY[ROW('q', 1, NULL)::place, NULL]),
  ARRAY[ROW(NULL, NULL, NULL)::visit, NULL], NULL), (NULL, ROW(NULL, NULL, NULL), '{}', ROW());
CREATE INDEX ON c (((p).street));
COMMENT ON COLUMN place.street IS 'a field';
ALTER TYPE place ADD ATTRIBUTE late int;
ALTER TYPE place DROP ATTRIBUTE number;
-- look
SELECT attname, atttypid::regtype::text, col_description(attrelid, attnum) FROM pg_attribute
 WHERE attrelid = 'place'::regclass AND NOT attisdropped ORDER BY attnum
-- look
SELECT c::text FROM c ORDER BY 1
-- case: ranges (until 13)
CREATE FUNCTION span_size(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = span_size);
CREATE TABLE r (s span, a span[]);
INSERT INTO r VALUES ('[0.1,0.3]', '{"[1,2]",empty}'), ('empty', '{}'), ('(,)', NULL);
-- look
SELECT rngsubtype::regtype::text, rngsubdiff::text FROM pg_range WHERE rngtypid = 'span'::regtype
-- look
SELECT * FROM r ORDER BY s
-- case: multiranges (from 14)
CREATE FUNCTION span_size(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = span_size, multirange_type_name = "many spans");
CREATE TABLE r (s span, m "many spans", a span[], n "many spans"[]);
INSERT INTO r VALUES ('[0.1,0.3]', '{[1,2],(3,)}', '{"[1,2]",empty}', '{"{[1,2)}","{}"}'), ('empty', '{}', '{}', NULL);
COMMENT ON TYPE "many spans" IS 'several';
-- look
SELECT rngtypid::regtype::text, rngmultitypid::regtype::text, rngsubdiff::text, pg_get_userbyid(t.typowner),
  obj_description(rngmultitypid, 'pg_type') FROM pg_range JOIN pg_type t ON t.oid = rngtypid WHERE rngtypid = 'span'::regtype
-- look
SELECT * FROM r ORDER BY s
-- case: domains
CREATE DOMAIN price AS numeric(10, 2) DEFAULT 1 NOT NULL CONSTRAINT dear CHECK (VALUE >= 0) CHECK (VALUE < 1000);
CREATE DOMAIN nested AS price CHECK (VALUE > 1);
CREATE DOMAIN words AS text[] CHECK (array_length(VALUE, 1) < 4);
CREATE DOMAIN c_text AS text COLLATE "C";
CREATE TABLE d (a price, b nested, w words, c c_text, p price[]);
INSERT INTO d VALUES (1.5, 2.25, '{a,b}', 'x', '{1,2.50}'), (0, 2, NULL, NULL, '{}');
COMMENT ON DOMAIN price IS 'a price';
COMMENT ON CONSTRAINT dear ON DOMAIN price IS 'not too dear';
-- look
SELECT conname, pg_get_constraintdef(oid), obj_description(oid, 'pg_constraint') FROM pg_constraint
 WHERE connamespace = 'domains'::regnamespace AND contype = 'c' ORDER BY 1
-- look
SELECT * FROM d ORDER BY a
-- case: casts_and_operators
CREATE TYPE metre AS (v numeric);
CREATE TYPE foot AS (v numeric);
CREATE FUNCTION to_foot(metre) RETURNS foot LANGUAGE sql IMMUTABLE AS 'SELECT ROW(($1).v * 3.28)::casts_and_operators.foot';
CREATE CAST (metre AS foot) WITH FUNCTION to_foot(metre) AS IMPLICIT;
CREATE CAST (foot AS metre) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (metre AS foot) IS 'a cast';
CREATE FUNCTION longer(metre, metre) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).v > ($2).v';
CREATE FUNCTION shorter(metre, metre) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).v < ($2).v';
CREATE OPERATOR >>> (LEFTARG = metre, RIGHTARG = metre, FUNCTION = longer, COMMUTATOR = <<<, RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR <<< (LEFTARG = metre, RIGHTARG = metre, FUNCTION = shorter, COMMUTATOR = >>>);
CREATE OPERATOR !! (RIGHTARG = metre, FUNCTION = to_foot);
COMMENT ON OPERATOR >>> (metre, metre) IS 'longer';
-- look
SELECT oprname, oprleft::regtype::text, oprcode::text, oprcom::regoperator::text, oprrest::text, obj_description(oid, 'pg_operator')
  FROM pg_operator WHERE oprnamespace = 'casts_and_operators'::regnamespace ORDER BY 1
-- look
SELECT (ROW(1)::metre)::foot, ROW(2)::metre >>> ROW(1)::metre, castcontext, obj_description(oid, 'pg_cast') FROM pg_cast
 WHERE castsource = 'metre'::regtype
-- case: collations
CREATE COLLATION plain FROM "C";
CREATE COLLATION posix (PROVIDER = libc, LOCALE = 'POSIX');
CREATE TABLE c (a text COLLATE plain, b text COLLATE posix);
INSERT INTO c VALUES ('a', 'B'), ('B', 'a');
CREATE INDEX ON c (a COLLATE posix);
COMMENT ON COLLATION plain IS 'plain';
-- look
SELECT collname, collprovider, obj_description(oid, 'pg_collation') FROM pg_collation
 WHERE collnamespace = 'collations'::regnamespace ORDER BY 1
-- look
SELECT a FROM c ORDER BY a
