-- Values near limits.
-- case: extremes
CREATE TABLE n (id int, n numeric, f float8, r float4, m money, t timestamptz, ts timestamp, d date, i interval, b bytea, c "char");
INSERT INTO n VALUES (1, 'NaN', 'NaN', 'Infinity', '-92233720368547758.08', 'infinity', '-infinity', 'infinity', '178000000 years', '\x', ''),
  (2, '1e-1000', '-0', '1e-45', '0.01', '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999', '4713-01-01 BC', '-1 mons +1 day -00:00:00.000001', '\x00ff', 'a'),
  (3, repeat('9', 10000)::numeric, '1.7976931348623157e308', '-0', NULL, '0001-01-01 00:00:00+00', '1582-10-10', '5874897-12-31', '00:00:00', NULL, NULL),
  (4, '0.00', '4.9e-324', '0.1', '1', '2020-03-29 02:30:00+01', '2020-01-01 24:00:00', '0001-12-31 BC', '1 day', '\xdeadbeef', ' '),
  (5, 1.500, 0.1 + 0.2::float8, '3.4028235e38', '1', NULL, NULL, NULL, NULL, NULL, NULL);
-- look
SELECT id, md5(n::text), float8send(f), float4send(r), m, t, ts, d, i, b, c FROM n ORDER BY id
-- case: numeric_infinity (from 14)
CREATE TABLE n (n numeric);
INSERT INTO n VALUES ('Infinity'), ('-Infinity');
-- look
SELECT * FROM n ORDER BY 1
-- case: texts
CREATE TABLE t (id int, t text, v varchar(10), c char(5), n name, j json, b jsonb, x xml);
INSERT INTO t VALUES (1, '', '', '', '', '{"b": 1,  "a":1.0, "a": 1.00}', '{"b": 1, "a": 1.50}', '<a/>'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, E'\\N', E'\\.', E'\t', E'\n', '"\\u00e9"', 'null', 'text'), (4, E'\r\n\t\b\\', 'a ', 'a ', 'NULL', '[]', '[]', '<?xml version="1.0" encoding="UTF-8"?><a b="ë"/>'),
  (5, U&'\FFFF e\0301 \+01F418', 'é', 'é', 'n', '1e1000', '1e100', '<!-- x -->y<b/>');
-- look
-- An XML declaration is no part of the value: the server itself leaves it out when it sends one.
SELECT id, t, v, c, n, j::text, b, regexp_replace(x::text, '^<\?xml[^>]*\?>', '') FROM t ORDER BY id
-- case: arrays
CREATE TABLE a (id int, i int[], t text[], m int[][], j jsonb[], n numeric[]);
INSERT INTO a VALUES (1, '{}', '{}', '{}', '{}', '{}'), (2, '[-1:1]={1,NULL,3}', '{NULL,"NULL","","a,b","{}"}', '[0:1][5:6]={{1,2},{3,4}}', '{"{\"a\": 1}",null}', '{NaN,1.50}'),
  (3, array_fill(NULL::int, '{3}', '{-1}'), ARRAY[E'\\', '"', E'\n'], NULL, NULL, NULL);
-- look
SELECT id, i, t, m, j, n, array_lower(i, 1), array_dims(m) FROM a ORDER BY id
-- case: catalogue_references
CREATE TYPE kind AS ENUM ('x');
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE r (c regclass, p regprocedure, t regtype, ty regtype, o regoperator, n regnamespace, ro regrole, cf regconfig, a regclass[], oid oid, x xid, tid tid);
INSERT INTO r VALUES ('r', 'f(int)', 'kind', 'kind[]', '+(int,int)', 'catalogue_references', 'app_owner', 'english', '{r,pg_class}', 4294967295, '3', '(1,2)'),
  ('-', '-', '-', NULL, '0', '-', '-', '-', '{}', 0, '0', '(0,0)');
-- look
SELECT c::text, p::text, t::text, ty::text, o::text, n::text, ro::text, cf::text, a::text, oid, x::text, tid::text FROM r ORDER BY 1
-- case: bits_and_nets
CREATE TABLE b (b bit(3), vb bit varying, i inet, c cidr, m macaddr, m8 macaddr8, u uuid, ln line, l lseg, bx box, p path, po polygon, ci circle, lsn pg_lsn, tx txid_snapshot);
INSERT INTO b VALUES (B'101', B'', '::1/64', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '<(0,0),1>', '16/B374D848', '10:20:10,14,15'),
  (NULL, B'1', '192.168.1.5', '::/0', NULL, NULL, NULL, NULL, NULL, NULL, '[(0,0)]', NULL, NULL, '0/0', NULL);
-- look
SELECT b::text FROM b ORDER BY 1
-- case: many_rows_of_toast
CREATE TABLE t (id int PRIMARY KEY, compressible text, random bytea, j jsonb);
INSERT INTO t SELECT g, repeat('abc ', g * 1000), (SELECT decode(string_agg(md5((g * 1000 + h)::text), ''), 'hex') FROM generate_series(1, 300) h),
  jsonb_build_object('k', repeat('v', 5000)) FROM generate_series(1, 20) g;
ALTER TABLE t ALTER random SET STORAGE EXTERNAL;
-- look
SELECT count(*), sum(length(compressible)), md5(string_agg(md5(random), '' ORDER BY id)), md5(string_agg(j::text, '' ORDER BY id)) FROM t
