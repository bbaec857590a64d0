-- Rows; every value follows from its number.
SET timezone = 'UTC';
SET synchronous_commit = off;
SELECT greatest(30, (5000 * :scale)::integer) AS accounts,
       greatest(100, (120000 * :scale)::integer) AS invoices,
       greatest(50, (60000 * :scale)::integer) AS payments,
       greatest(60, (150000 * :scale)::integer) AS bookings,
       greatest(10, (2500 * :scale)::integer) AS scans
\gset
INSERT INTO billing.accounts (id, public_id, holder, currency, password_hash, opened, closed)
SELECT n, md5('account' || n)::uuid, CASE n % 6 WHEN 0 THEN 'Müller & Søn "Ltd" ' || n ELSE 'Holder ' || n END,
       (enum_range(NULL::billing.currency))[1 + n % 4], CASE WHEN n <= 20 THEN encode(digest(n::text, 'sha256'), 'base64') END,
       date '2010-01-01' + n % 4000, CASE WHEN n % 10 = 0 THEN date '2025-06-30' END
FROM generate_series(1, :accounts) AS n;
INSERT INTO billing.exchange_rates
SELECT base, quote, date '2025-01-01' + day, round(1 + (hashint4(day + 1000) % 1000) / 7919.0, 9)
FROM unnest(enum_range(NULL::billing.currency)) AS base, unnest(enum_range(NULL::billing.currency)) AS quote,
     generate_series(0, 364) AS day
WHERE base <> quote;
INSERT INTO billing.invoices (account_id, currency, issued, amount, lines, paid)
SELECT 1 + n % :accounts, (ARRAY['EUR', 'EUR', 'DKK', 'USD', 'EUR', 'JPY'])[1 + n % 6]::billing.currency,
       date '2024-01-01' + n % 1000, round((abs(hashint8(n)) % 10000000) / 100.0, 2),
       jsonb_build_array(jsonb_build_object('text', 'Item ' || n % 50, 'amount', n % 100 + 0.5),
                         jsonb_build_object('text', 'Freight', 'amount', 12, 'vat', n % 2 = 0)),
       n % 3 <> 0
FROM generate_series(1, :invoices) AS n;
INSERT INTO billing.payments (account_id, method, amount, received, reference, raw)
SELECT 1 + n % :accounts, (enum_range(NULL::billing.payment_method))[1 + n % 3], round((n % 99999) / 7.0, 2),
       timestamptz '2025-03-30 00:00:00+00' + n * interval '7 minutes', CASE WHEN n % 4 <> 0 THEN E'RF\\' || n || E'\t' END,
       CASE WHEN n % 8 = 0 THEN billing.sample_bytes('payment' || n, n % 300) END
FROM generate_series(1, :payments) AS n;
INSERT INTO billing.ledger
SELECT n * 2 + side, n, 1 + (n + side) % :accounts, timestamp '2025-01-01 00:00:00' + n * interval '191 seconds',
       (CASE side WHEN 0 THEN 1 ELSE -1 END) * (n % 100000) / 16.0, CASE WHEN n % 3 = 0 THEN 'Booking ' || n END
FROM generate_series(1, :bookings) AS n, generate_series(0, 1) AS side;
INSERT INTO billing.tax_rules (rate, valid)
SELECT 10 + n, daterange(date '2000-01-01' + n * 365, date '2000-01-01' + (n + 1) * 365) FROM generate_series(0, 25) AS n;
INSERT INTO billing.scans
SELECT n, n, n % 30, CASE WHEN n % 5 <> 0 THEN billing.sample_bytes('scan' || n, 6000 + n % 30 * 500) END,
       CASE WHEN n <= 5 THEN lo_from_bytea(0, billing.sample_bytes('scan object' || n, n * 4000)) END
FROM generate_series(1, :scans) AS n;
INSERT INTO archive.invoices_2019 (id, account_id, currency, issued, due, amount, lines)
SELECT n, 1, 'USD', '2019-05-05', '2019-06-04', n / 3.0, NULL FROM generate_series(1, 40) AS n;
INSERT INTO public.change_log (what, rows) VALUES ('opening', 1), (E'new\nline', NULL);
INSERT INTO public.balances
SELECT n, ARRAY[ROW(n, n / 4.0, '2026-01-01')::billing.posting, ROW(NULL, NULL, NULL)::billing.posting], n * 1.0001
FROM generate_series(1, 25) AS n;
SELECT nextval('billing.invoice_number') FROM generate_series(1, 3) \g /dev/null
