-- Keys, indexes, statistics, views, triggers, rules.
ALTER TABLE billing.ledger ADD PRIMARY KEY (id);
ALTER TABLE billing.invoices ADD FOREIGN KEY (account_id) REFERENCES billing.accounts (id);
ALTER TABLE billing.payments ADD FOREIGN KEY (account_id) REFERENCES billing.accounts (id) ON UPDATE CASCADE;
ALTER TABLE billing.ledger ADD CONSTRAINT ledger_account_fkey FOREIGN KEY (account_id) REFERENCES billing.accounts (id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE billing.scans ADD CONSTRAINT scans_pages CHECK (page_count < 25) NOT VALID;
CREATE INDEX invoices_account_idx ON billing.invoices (account_id);
CREATE INDEX invoices_unpaid_idx ON billing.invoices (due) WHERE NOT paid;
CREATE INDEX ledger_booking_idx ON billing.ledger (booking);
CREATE INDEX ledger_booked_idx ON billing.ledger USING brin (booked);
CREATE INDEX payments_day_idx ON billing.payments (((received AT TIME ZONE 'UTC')::date), amount DESC);
CREATE INDEX payments_reference_idx ON billing.payments USING hash (reference);

CREATE STATISTICS billing.payments_method (mcv) ON method, account_id FROM billing.payments;

CREATE VIEW billing.open_invoices AS
    SELECT i.id, i.currency, i.issued, i.due, billing.rounded(i.amount, i.currency) AS amount, a.holder
    FROM billing.invoices AS i JOIN billing.accounts AS a ON a.id = i.account_id WHERE NOT i.paid;
CREATE VIEW public.account_names WITH (security_barrier) AS SELECT id, holder FROM billing.accounts WHERE closed IS NULL;
CREATE MATERIALIZED VIEW billing.account_balances AS
    SELECT account_id, sum(amount) AS balance, count(*) AS postings FROM billing.ledger GROUP BY account_id;
CREATE UNIQUE INDEX account_balances_key ON billing.account_balances (account_id);

CREATE FUNCTION billing.check_booking() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM billing.ledger WHERE booking = NEW.booking) <> 0 THEN
        RAISE EXCEPTION 'booking % does not add up', NEW.booking;
    END IF;
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER booking_adds_up AFTER INSERT OR UPDATE ON billing.ledger DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing.check_booking();
CREATE FUNCTION billing.log_rows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO public.change_log (what, rows) SELECT TG_TABLE_NAME || ' ' || TG_OP, count(*) FROM added;
    RETURN NULL;
END;
$$;
CREATE TRIGGER log_rows AFTER INSERT ON billing.payments REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing.log_rows();
CREATE RULE no_update AS ON UPDATE TO archive.invoices_2019 DO INSTEAD NOTHING;
CREATE FUNCTION billing.balance_of(account integer) RETURNS numeric LANGUAGE sql STABLE
    AS $$SELECT coalesce(sum(amount), 0) FROM billing.ledger WHERE account_id = account$$;
CREATE PROCEDURE billing.close_account(account integer) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE billing.accounts SET closed = opened WHERE id = account;
END;
$$;
