-- Row-level security, grants, default privileges.
ALTER TABLE crm.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_notes ON crm.notes FOR ALL TO app_read, app_write
    USING (owner_name = CURRENT_USER) WITH CHECK (owner_name = CURRENT_USER);
CREATE POLICY public_notes ON crm.notes FOR SELECT TO PUBLIC USING (is_public);
ALTER TABLE crm.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm.secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY own_secrets ON crm.secrets USING (owner_name = CURRENT_USER);
CREATE POLICY "no Odd numbers" ON crm.secrets AS RESTRICTIVE FOR SELECT TO alice USING (id % 2 = 0);
-- A policy on a table whose row-level security is off.
CREATE POLICY dormant ON app.staff USING (false);

GRANT USAGE ON SCHEMA app, crm, extensions, "Odd Schema" TO app_read, app_write;
GRANT CREATE ON SCHEMA crm TO bob WITH GRANT OPTION;
GRANT SELECT ON ALL TABLES IN SCHEMA app, crm, "Odd Schema" TO app_read;
REVOKE SELECT ON app.staff FROM app_read;
GRANT SELECT (id, name, warehouse_id), UPDATE (name) ON app.staff TO app_read;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.customers, app.orders, app.order_lines, crm.notes, crm.secrets TO app_write;
GRANT ALL ON TABLE "Odd Schema"."Mixed Case Table" TO bob WITH GRANT OPTION;
GRANT SELECT ON public.settings TO PUBLIC;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA app TO app_write;
GRANT SELECT ON SEQUENCE app.ticket_number TO alice;
REVOKE ALL ON FUNCTION app.staff_salary(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.staff_salary(integer) TO alice;
REVOKE ALL ON PROCEDURE app.refresh_sales() FROM PUBLIC;
REVOKE ALL ON TYPE app.money_amount FROM PUBLIC;
GRANT USAGE ON TYPE app.money_amount TO app_write;
REVOKE INSERT ON public.empty_table FROM app_owner;

ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO app_read;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT USAGE ON SEQUENCES TO app_write;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- An object of another owner in a schema of app_owner's; the new owner must be allowed to create there.
GRANT CREATE ON SCHEMA "Odd Schema" TO app_write;
ALTER TABLE "Odd Schema"."it's; DROP TABLE x --" OWNER TO app_write;
