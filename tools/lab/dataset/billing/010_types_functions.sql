-- Schemas, types, functions. Runs as billing_owner, who owns the database.
SET client_min_messages = warning;
CREATE SCHEMA billing;
CREATE SCHEMA archive;
CREATE EXTENSION pgcrypto;
CREATE TYPE billing.currency AS ENUM ('EUR', 'DKK', 'USD', 'JPY');
CREATE TYPE billing.payment_method AS ENUM ('card', 'transfer', 'cash');
CREATE DOMAIN billing.percentage AS numeric(5,2) CHECK (VALUE >= 0 AND VALUE <= 100);
CREATE TYPE billing.posting AS (account integer, amount numeric(16,4), booked date);

CREATE FUNCTION billing.iban_digits(account integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$SELECT 'DK' || lpad((account * 97 % 100)::text, 2, '0') || lpad(account::text, 14, '0')$$;
CREATE FUNCTION billing.sample_bytes(seed text, length integer) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$
    SELECT coalesce(substring(string_agg(sha512(convert_to(seed || ':' || block, 'UTF8')), ''::bytea ORDER BY block)
                              FROM 1 FOR length), ''::bytea)
    FROM generate_series(1, (length + 63) / 64) AS block
$$;
CREATE FUNCTION billing.rounded(amount numeric, currency billing.currency) RETURNS numeric
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
        SELECT round(amount, CASE WHEN currency = 'JPY'::billing.currency THEN 0 ELSE 2 END);
    END;
