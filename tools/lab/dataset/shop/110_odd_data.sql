-- Rows of the tables that trip tools.
INSERT INTO "Odd Schema"."Mixed Case Table"
SELECT n, E'tab\there\nnew line ' || n, CASE WHEN n % 2 = 0 THEN 'it''s "quoted"' END, 'ß∂ƒ' || repeat('é', n % 7),
       n / 8.0, '100%s %', (enum_range(NULL::"Odd Schema"."Colour Of Thing"))[1 + n % 3],
       timestamp '2026-02-28 23:59:59.999' + n * interval '1 day', jsonb_build_object('$', n)
FROM generate_series(1, 100) AS n;
SELECT setval(pg_get_serial_sequence('"Odd Schema"."Mixed Case Table"', 'Id'), 250) \g /dev/null
INSERT INTO "Odd Schema"."it's; DROP TABLE x --" ("Ref") SELECT nullif(n % 50, 0) FROM generate_series(1, 120) AS n;

INSERT INTO crm.people SELECT n, 'Person ' || n, 'P' || n || '@Example.org', date '1980-01-01' + n FROM generate_series(1, 60) AS n;
INSERT INTO crm.employees
SELECT n, 'Employee ' || n, NULL, NULL, 'Department ' || n % 4, (1000 + n)::money FROM generate_series(101, 180) AS n;
INSERT INTO crm.contractors
SELECT n, 'Contractor ' || n, 'C@x', NULL, 'Company ' || n % 3, n / 7.0 FROM generate_series(201, 240) AS n;
INSERT INTO crm.interns
SELECT n, 'Intern ' || n, NULL, NULL, 'Department 1', NULL, 'School ' || n % 2 FROM generate_series(301, 310) AS n;

INSERT INTO crm.notes
SELECT n, (ARRAY['alice', 'bob', 'app_owner'])[1 + n % 3], n % 5 = 0,
       CASE n % 4 WHEN 0 THEN E'''; DROP TABLE notes; --' WHEN 1 THEN E'\\.' WHEN 2 THEN E'a\\tb\r\nc' ELSE 'plain ' || n END
FROM generate_series(1, 200) AS n;
INSERT INTO crm.secrets
SELECT n, (ARRAY['alice', 'bob', 'app_owner'])[1 + n % 3], app.sample_bytes('secret' || n, 64) FROM generate_series(1, 90) AS n;

INSERT INTO public.no_key
SELECT n % 20, CASE n % 4 WHEN 0 THEN NULL ELSE 'same' END, '2026-01-01 00:00:00+00' FROM generate_series(1, 500) AS n;
INSERT INTO public.no_columns SELECT FROM generate_series(1, 7);
INSERT INTO public.dropped_columns (kept_one, kept_two) SELECT n, 'row ' || n FROM generate_series(1, 50) AS n;
ALTER TABLE public.dropped_columns ADD COLUMN added_afterwards integer DEFAULT 7;

INSERT INTO public.special_values VALUES
    (1, 'NaN', 1.5, 'NaN', 'NaN', 'infinity', 'infinity', 'infinity', '0', '24:00:00', '', '', '', true, '', '0.0.0.0/0',
     '{}', '{}', '{}', '{}', xmlparse(CONTENT ''), 'empty', '{}', '00000000-0000-0000-0000-000000000000', '$', '', 'app.orders'),
    (2, 'Infinity', -0.00001, 'Infinity', '-Infinity', '-infinity', '-infinity', '-infinity', '-178000000 years', '00:00',
     E'\x01\x7f', 'ab   ', 'ab', false, '\x00ff00', '::1', '[-2:0]={1,2,3}', ARRAY[NULL, 'NULL', '', '"', '\', '{', ','],
     '[1, 1.0, 1.00]', '[1, 1.0, 1.00]', xmlparse(CONTENT '<a/><b/>'), '(,5]', '{(,1],[5,9)}',
     'ffffffff-ffff-ffff-ffff-ffffffffffff', 'strict $.a[*] ? (@ > 1)', 'x', '"Odd Schema"."Mixed Case Table"'),
    (3, '-Infinity', 123456789012345.12345, '-0', '-0', '4713-01-01 BC', '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999+00',
     '1 mon 30 days 720:00:00.000001', '23:59:59.999999', E'\u0301\U0001F600\uFEFF', 'äöü€', 'x y', NULL, NULL, '192.168.1.5/24',
     '{{1,2},{3,4}}', '{{a,b},{c,NULL}}', 'null', 'null', xmlparse(CONTENT 'text only'), '[1,10)', '{[1,2),[4,6)}', NULL,
     '$."k y".type()', E'\\', NULL),
    (4, 1.10, 0, 1e-307, 1.4e-45, '2000-02-29', '2000-02-29 00:00:00.000001', '1883-11-18 12:03:58-07:52:58', '-1 mon +1 day -00:00:01',
     '12:00', E'line\nfeed\rreturn\ttab\bbs\fff\vvt\\N\\.', NULL, NULL, NULL, decode(repeat('5c', 50), 'hex'), NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (5, 1.1000, NULL, 0.1::double precision + 0.2, 0.1, '9999-12-31', NULL, '2025-10-26 01:30:00+01', '15 years', NULL, repeat('x', 3000),
     'a', 'a', NULL, NULL, NULL, array_fill(0, ARRAY[500]), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (6, ('1e' || 1000)::numeric, NULL, 1.7976931348623157e308, 3.4028235e38, '0001-01-01', NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

SELECT 'INSERT INTO public.wide_table SELECT n, ' || string_agg(
    (ARRAY['n * %s', '''text '' || n || ''/%s''', '(n * %s) / 1000.0', 'n %% %s = 0', 'date ''2020-01-01'' + n %% %s',
           'n / %s.0::double precision'])[1 + column_number % 6], ', ' ORDER BY column_number)
    || ' FROM generate_series(1, 300) AS n' AS template
FROM generate_series(2, 60) AS column_number
\gset
SELECT replace(replace(:'template', '%%', '%'), '%s', '7')
\gexec
