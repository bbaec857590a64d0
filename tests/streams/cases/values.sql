-- any

-- tables
CREATE TABLE built_in (id int PRIMARY KEY, a bool, b "char", c char(7), d varchar(9), e text, f bytea, g int2, h int8,
i float4, j float8, k numeric, l date, m time, n timetz, o timestamp, p timestamptz, q interval, r uuid, s inet, t cidr,
u macaddr, v bit(5), w varbit, x json, y jsonb, z point, aa box, ab circle, ac tsvector, ad macaddr8, ae int4range,
af tstzrange, ag int[], ah text[], ai numeric[], aj name, ak oid, al pg_lsn, am timestamptz[]);
CREATE TABLE "Odd ""names"" ; DROP" ("The Key" int PRIMARY KEY, "select" text, "a,b" text, "näme 🐘" text);
CREATE TABLE no_columns ();

-- round
INSERT INTO built_in VALUES (1, true, 'x', 'abc', 'def', E'tab\tnew\nline\\ \\N \\. "q" ''s'' ÄÖ 🐘', '\x00ff5c0a09', -32768,
9223372036854775807, 'NaN', '-Infinity', 'NaN', '4713-01-01 BC', '23:59:59.999999', '12:00:00+05:30', 'infinity',
'2026-03-29 01:30:00+00', '-1 year 2 days -03:04:05.000006', md5('x')::uuid, '10.0.0.1/8', '10.0.0.0/8',
'08:00:2b:01:02:03', B'10101', B'', '{"a":  [1, "\u00e4"]}', '{"b": {"c": null}}', '(1.5,-2)', '((0,0),(1,1))',
'<(0,0),2>', 'a:1 b:2A', '08:00:2b:01:02:03:04:05', '[1,5)', '["2026-01-01 00:00+00",)', '{1,NULL,3}', ARRAY['a,b', NULL, '"', '\', ''],
'{1.50,NaN}', 'a name', 4000000000, 'FF/16', '{"2026-01-01 00:00+00"}'),
(2, false, '', '', '', '', '', 0, 0, 0, '-0', 0, 'epoch', '00:00', '00:00+00', 'epoch', 'epoch', '0', md5('')::uuid, '::1', '::/0',
'00:00:00:00:00:00', B'00000', B'1', 'null', 'null', '(0,0)', '((0,0),(0,0))', '<(0,0),0>', '', '00:00:00:00:00:00:00:00', 'empty', 'empty',
'{}', '{}', '{}', '', 0, '0/0', '{}'),
(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO "Odd ""names"" ; DROP" VALUES (1, 'a', 'b', 'c'), (2, E'\\', E'\t', '');
INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;

-- round
UPDATE built_in SET e = e || '\\', k = 1e100, q = q * 2, ag = ag || 4, x = '[]' WHERE id = 1; UPDATE built_in SET a = true WHERE id = 3;
UPDATE built_in SET c = 'z', j = 1e-300, i = 0.1 WHERE id = 2; UPDATE "Odd ""names"" ; DROP" SET "select" = 'from', "näme 🐘" = 'ü' WHERE "The Key" = 2;
