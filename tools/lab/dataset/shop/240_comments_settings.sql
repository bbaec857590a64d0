-- Comments on many kinds of objects; settings of the database.
COMMENT ON DATABASE shop IS 'The shop''s "main" database — übersicht';
COMMENT ON SCHEMA app IS 'The application';
COMMENT ON TABLE app.customers IS E'Customers.\nSecond line with a \\ backslash';
COMMENT ON COLUMN app.customers.name IS 'Given and family name';
COMMENT ON COLUMN "Odd Schema"."Mixed Case Table"."a ""quoted"" column" IS 'It''s quoted';
COMMENT ON CONSTRAINT credit_limit ON app.customers IS 'Agreed with finance';
COMMENT ON INDEX app.customers_tags_idx IS 'For the search page';
COMMENT ON VIEW app.order_overview IS 'One line per order';
COMMENT ON MATERIALIZED VIEW app.sales_by_month IS 'Refreshed at night';
COMMENT ON SEQUENCE app.ticket_number IS 'In steps of seven';
COMMENT ON TYPE app.order_status IS 'Life of an order';
COMMENT ON DOMAIN app.positive_amount IS 'Money that nobody owes';
COMMENT ON CONSTRAINT not_negative ON DOMAIN app.positive_amount IS 'Zero is fine';
COMMENT ON FUNCTION app.customer_total(bigint) IS 'Sum of all orders';
COMMENT ON PROCEDURE app.refresh_sales() IS 'Called by the scheduler';
COMMENT ON AGGREGATE app.median(numeric) IS 'The value in the middle';
COMMENT ON OPERATOR app.=~~= (text, text) IS 'Equal but for case';
COMMENT ON TRIGGER audit ON app.customers IS 'Who changed what';
COMMENT ON RULE protect_settings ON public.settings IS 'Limits stay';
COMMENT ON POLICY own_notes ON crm.notes IS 'Everybody has notes of their own';
COMMENT ON STATISTICS app.orders_region_status IS 'The planner was wrong by far';
COMMENT ON TEXT SEARCH CONFIGURATION app.plain IS 'No stemming';
COMMENT ON CAST (app.region AS text) IS 'One letter';
-- No COMMENT ON EXTENSION: as in every database, the installation script's comment stands.

ALTER DATABASE shop SET timezone TO 'Europe/Copenhagen';
ALTER DATABASE shop SET search_path TO app, public, extensions;
ALTER DATABASE shop SET application_name TO 'it''s "the" shop';
GRANT TEMPORARY ON DATABASE shop TO app_write;
REVOKE CONNECT, TEMPORARY ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO app_read, app_write;
GRANT CREATE ON DATABASE shop TO bob;
