-- Row-level security, grants, comments, settings.
ALTER TABLE billing.payments ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_cash ON billing.payments FOR SELECT TO app_read USING (method <> 'cash'::billing.payment_method);
GRANT USAGE ON SCHEMA billing TO app_read;
GRANT SELECT ON ALL TABLES IN SCHEMA billing TO app_read;
REVOKE SELECT ON billing.accounts FROM app_read;
GRANT SELECT (id, holder, currency) ON billing.accounts TO app_read;
GRANT INSERT, UPDATE ON billing.payments TO app_write WITH GRANT OPTION;
GRANT SELECT ON public.account_names TO PUBLIC;
GRANT USAGE ON SEQUENCE billing.invoice_number TO app_write;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO app_read;
DO $$
DECLARE
    object oid;
BEGIN
    FOR object IN SELECT large_object FROM billing.scans WHERE large_object IS NOT NULL ORDER BY id LOOP
        EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO app_read', object);
        EXECUTE format('COMMENT ON LARGE OBJECT %s IS %L', object, 'Scanned');
    END LOOP;
END;
$$;
COMMENT ON DATABASE billing IS 'Money';
COMMENT ON TABLE billing.ledger IS 'Double entry: each booking adds up to nothing';
COMMENT ON COLUMN billing.accounts.iban IS 'Computed';
COMMENT ON FUNCTION billing.balance_of(integer) IS 'Sum of all postings';
COMMENT ON TRIGGER booking_adds_up ON billing.ledger IS 'Checked at commit';
ALTER DATABASE billing SET search_path TO billing, public;
ALTER DATABASE billing SET default_transaction_isolation TO 'repeatable read';
ALTER DATABASE billing CONNECTION LIMIT 80;
GRANT CONNECT ON DATABASE billing TO app_read WITH GRANT OPTION;
