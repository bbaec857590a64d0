-- Rows of the application's tables. Every value follows from its number; :scale says how many rows there are.
SET timezone = 'UTC';
SET synchronous_commit = off;
SET work_mem = '64MB';
SELECT greatest(50, (20000 * :scale)::integer) AS customers,
       greatest(40, (2000 * :scale)::integer) AS products,
       greatest(200, (150000 * :scale)::integer) AS orders,
       greatest(400, (250000 * :scale)::integer) AS events,
       greatest(20, (2500 * :scale)::integer) AS documents
\gset

INSERT INTO app.customers (email, name, address, other_addresses, tags, preferences, attributes, created_at, birthday,
                           token, last_seen_from, network, device, credit, referred_by)
SELECT format('User.%s@example.%s', n, (ARRAY['org', 'COM', 'net'])[1 + n % 3]),
       CASE n % 11 WHEN 0 THEN E'O''Brien  "the\tgreat" ' || n
                   WHEN 1 THEN 'Zoë Ångström ' || n
                   WHEN 2 THEN '山田 太郎 ' || n
                   ELSE initcap(substr(md5(n::text), 1, 6)) || ' ' || initcap(substr(md5(n::text), 7, 9)) END,
       CASE WHEN n % 7 <> 0 THEN ROW(format('%s High Street, "Flat" %s', n, n % 40), 'City ' || n % 97,
                                     lpad((n % 99999)::text, 5, '0'), (ARRAY['DE', 'DK', 'FR'])[1 + n % 3])
                                 ::app.postal_address END,
       CASE n % 5 WHEN 0 THEN ARRAY[ROW('a', NULL, '', 'SE')::app.postal_address, NULL] END,
       CASE n % 4 WHEN 0 THEN '{}' WHEN 1 THEN ARRAY['vip', 'a,b', 'c"d'] WHEN 2 THEN ARRAY[NULL, 'x\y', '{}']
                  ELSE ARRAY['new'] END,
       jsonb_build_object('theme', (ARRAY['dark', 'light', NULL])[1 + n % 3], 'limits', jsonb_build_array(n % 10, 1.50),
                          'newsletter', n % 2 = 0, 'näme', md5(n::text)),
       CASE WHEN n % 3 = 0 THEN extensions.hstore(ARRAY['size', (n % 50)::text, 'colour', NULL, 'a=>b', '"q"']) END,
       timestamptz '2020-01-01 00:00:00+00' + n * interval '97 minutes 13.000001 seconds',
       date '1950-01-01' + (n * 37) % 20000,
       md5('customer' || n)::uuid,
       ('10.' || n % 256 || '.' || n / 256 % 256 || '.1')::inet,
       CASE n % 6 WHEN 0 THEN '2001:db8::/32'::cidr ELSE NULL END,
       ('08:00:2b:' || to_hex(16 + n % 200) || ':02:03')::macaddr,
       round((hashint4(n) % 100000) / 100.0 + 500, 2),
       CASE WHEN n > 10 AND n % 3 = 0 THEN 1000 + n / 3 END
FROM generate_series(1, :customers) AS n;

INSERT INTO app.categories (id, parent_id, name, codes)
SELECT n, CASE WHEN n > 5 THEN n / 5 END, 'Category ' || n, CASE n % 3 WHEN 0 THEN ARRAY['A-' || n, 'B'] END
FROM generate_series(1, 120) AS n;
SELECT setval(pg_get_serial_sequence('app.categories', 'id'), 120) \g /dev/null

INSERT INTO app.products (sku, name, price, cost, weight, dimensions, description, photo, attributes, validity, retired)
SELECT chr(65 + n % 26) || chr(65 + n / 26 % 26) || '-' || lpad(n::text, 6, '0'),
       initcap(app.sample_text(n, 3)),
       5 + n * 7 % 900 + 0.99,
       round(1 + (n * 13 % 500) / 7.0, 4),
       app.weight_range(n * 0.1, n * 0.1 + 1.25, CASE n % 2 WHEN 0 THEN '[)' ELSE '(]' END),
       CASE WHEN n % 9 <> 0 THEN ARRAY[n / 3.0, n * 1e-7, 1e300 / n] END,
       app.sample_text(n, 20 + n % 60),
       CASE WHEN n % 4 <> 0 THEN app.sample_bytes('photo' || n, 4000 + n % 20 * 1000) END,
       jsonb_build_object('colour', md5(n::text), 'sizes', jsonb_build_array('S', 'M', n), 'nested',
                          jsonb_build_object('rating', round(n % 50 / 10.0, 1), 'none', NULL)),
       CASE n % 5 WHEN 0 THEN 'empty'::daterange WHEN 1 THEN daterange(date '2024-01-01' + n % 300, NULL)
                  ELSE daterange(date '2024-01-01', date '2024-06-01' + n % 300) END,
       n % 17 = 0
FROM generate_series(1, :products) AS n;

INSERT INTO app.product_categories
SELECT product.id, 1 + (product.id * step) % 120, step
FROM app.products AS product, generate_series(1, 3) AS step
ON CONFLICT DO NOTHING;

INSERT INTO app.warehouses
SELECT n, 'Warehouse ' || n, point(n * 1.5, -n / 3.0), polygon(box(point(n, n), point(n + 1, n + 2))),
       n * interval '1 hour 30 minutes', n * 10
FROM generate_series(1, 8) AS n;
INSERT INTO app.staff
SELECT n, 'Worker ' || n, 1 + (n - 1) / 10, 20000 + n * 123.45, ('08:00:00+0' || n % 9)::timetz, date '2015-03-01' + n * 11,
       (n % 256)::bit(8), substring((n % 256)::bit(8), 1, 1 + n % 7)::bit varying(16)
FROM generate_series(1, 80) AS n;

INSERT INTO app.stock
SELECT warehouse, product.id, abs(hashint4(product.id * 8 + warehouse)) % 500,
       timestamp '2026-02-01 12:00:00' + product.id * interval '1 millisecond'
FROM generate_series(1, 8) AS warehouse, app.products AS product;

INSERT INTO app.reservations (resource_id, during, reserved_for)
SELECT 1 + n % 10, tstzrange(start, start + interval '50 minutes'), CASE WHEN n % 6 <> 0 THEN 'guest ' || n END
FROM generate_series(1, 300) AS n, LATERAL (SELECT timestamptz '2026-03-01 08:00:00+00' + n * interval '1 hour') AS s(start);

INSERT INTO app.orders (id, customer_id, ordered_at, region, status, total, notes, delivery)
SELECT n, 1000 + abs(hashint8(n)) % :customers,
       timestamptz '2021-11-15 00:00:00+00' + (n::double precision / :orders) * interval '1780 days'
           + (n % 977) * interval '1 microsecond',
       (enum_range(NULL::app.region))[1 + abs(hashint8(n + 1)) % 5],
       (enum_range(NULL::app.order_status))[1 + abs(hashint8(n + 2)) % 7],
       round((abs(hashint8(n + 3)) % 1000000) / 100.0, 2),
       CASE n % 10 WHEN 0 THEN E'line one\nline two\r\n\ttab \\ backslash \\N ''quote'' "double" ' || n
                   WHEN 1 THEN '' WHEN 2 THEN '\N' WHEN 3 THEN 'emoji 🐘 ' || n ELSE NULL END,
       CASE WHEN n % 3 = 0 THEN n % 90 * interval '1 day 02:03:04.5' ELSE NULL END
FROM generate_series(1, :orders) AS n;

INSERT INTO app.order_lines (order_id, line_number, product_id, quantity, unit_price, discount)
SELECT n, line, 1 + abs(hashint8(n * 5 + line)) % :products, 1 + abs(hashint8(n * 7 + line)) % 9,
       round((abs(hashint8(n * 11 + line)) % 50000) / 100.0, 2), CASE WHEN line = 2 THEN (n % 30) / 3.0 END
FROM generate_series(1, :orders) AS n, generate_series(1, 1 + (n % 5)::integer) AS line;

INSERT INTO app.events
SELECT n, (ARRAY['view', 'view', 'view', 'cart', 'checkout', 'search', 'login', 'view'])[1 + n % 8],
       timestamptz '2025-01-01 00:00:00+00' + n * interval '23.000123 seconds',
       CASE WHEN n % 5 <> 0 THEN 1000 + abs(hashint8(n)) % :customers END,
       jsonb_build_object('page', '/p/' || n % 1000, 'ms', n % 977, 'agent',
                          jsonb_build_object('name', 'Browser ' || n % 7, 'mobile', n % 3 = 0),
                          'tags', jsonb_build_array('t' || n % 13, 't' || n % 17))
FROM generate_series(1, :events) AS n;

INSERT INTO app.documents (id, title, body, original, metadata, words)
SELECT n, 'Document ' || n, app.sample_text(n, 100 + n % 700),
       CASE n % 3 WHEN 0 THEN app.sample_bytes('document' || n, n % 40 * 1000)
                  WHEN 1 THEN decode(repeat(md5(n::text), 300 + n % 100), 'hex') ELSE NULL END,
       xmlparse(CONTENT format('<doc n="%s"><title>Über &amp; co</title></doc>', n)),
       to_tsvector('app.plain', app.sample_text(n, 40))
FROM generate_series(1, :documents) AS n;

INSERT INTO app.audit_trail (table_name, action, new_row)
SELECT 'customers', 'INSERT', jsonb_build_object('id', n) FROM generate_series(1, 100) AS n;
INSERT INTO app.session_cache
SELECT md5('session' || n)::uuid, format('{"b": %s,  "a": 1, "a": 2}', n)::json, n * interval '1 second'
FROM generate_series(1, 200) AS n;
INSERT INTO public.settings (key, value, changed_by) VALUES
    ('shop.name', '"The \"Elephant\" Shop"', 'app_owner'),
    ('limits', '{"max": 1e400, "min": -0.0001}', 'alice'),
    ('null', 'null', NULL),
    ('nothing', NULL, 'bob');

SELECT nextval('app.ticket_number') FROM generate_series(1, 25) \g /dev/null
SELECT nextval('app.countdown') FROM generate_series(1, 40) \g /dev/null
SELECT nextval('app.round_robin') FROM generate_series(1, 17) \g /dev/null
SELECT setval('app.set_not_called', 777, false) \g /dev/null
SELECT nextval('"Odd Schema"."Sequence With ""Quote"""') \g /dev/null
