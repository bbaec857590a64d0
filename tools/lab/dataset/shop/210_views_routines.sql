-- Views, materialised views, routines that read tables.
CREATE VIEW app.active_products AS
    SELECT id, sku, name, price, retired FROM app.products WHERE NOT retired
    WITH CASCADED CHECK OPTION;
CREATE VIEW app.customer_directory WITH (security_barrier = true) AS
    SELECT id, name, email, (address).city AS city FROM app.customers WHERE NOT ('vip' = ANY (tags));
CREATE VIEW app.order_overview AS
    SELECT o.id, o.ordered_at, c.name AS customer, count(l.line_number) AS lines, coalesce(sum(l.line_total), 0) AS lines_total
    FROM app.orders AS o
    JOIN app.customers AS c ON c.id = o.customer_id
    LEFT JOIN app.order_lines AS l ON l.order_id = o.id
    GROUP BY o.id, o.ordered_at, c.name;
CREATE RECURSIVE VIEW app.category_path (id, path, depth) AS
    SELECT id, name, 1 FROM app.categories WHERE parent_id IS NULL
    UNION ALL
    SELECT c.id, p.path || ' > ' || c.name, p.depth + 1 FROM app.categories AS c JOIN category_path AS p ON c.parent_id = p.id;
CREATE VIEW "Odd Schema"."View of ""Things""" AS
    SELECT "Id" AS "The Id", "a ""quoted"" column" AS "with ""quotes""" FROM "Odd Schema"."Mixed Case Table";
ALTER VIEW app.active_products ALTER COLUMN retired SET DEFAULT false;

CREATE MATERIALIZED VIEW app.sales_by_month AS
    SELECT date_trunc('month', ordered_at AT TIME ZONE 'UTC') AS month, region, count(*) AS orders, sum(total) AS total
    FROM app.orders GROUP BY 1, 2;
CREATE UNIQUE INDEX sales_by_month_key ON app.sales_by_month (month, region);
CREATE MATERIALIZED VIEW app.sales_by_year AS
    SELECT date_trunc('year', month) AS year, sum(orders) AS orders, sum(total) AS total FROM app.sales_by_month GROUP BY 1;
CREATE INDEX sales_by_year_total_idx ON app.sales_by_year (total);
CREATE MATERIALIZED VIEW app.never_filled AS SELECT id, name FROM app.products WITH NO DATA;
-- Its query finds nothing without the search_path that its function carries.
CREATE MATERIALIZED VIEW app.prices_with_tax AS SELECT id, app.with_tax(price) AS price FROM app.products;

CREATE FUNCTION app.customer_total(customer bigint) RETURNS numeric
    LANGUAGE sql STABLE
    BEGIN ATOMIC
        SELECT coalesce(sum(o.total), 0) FROM app.orders AS o WHERE o.customer_id = customer;
    END;
CREATE FUNCTION app.best_customers(how_many integer DEFAULT 5, OUT name text, OUT total numeric) RETURNS SETOF record
    LANGUAGE plpgsql STABLE ROWS 5 COST 500
    AS $function$
BEGIN
    RETURN QUERY
        SELECT c.name, sum(o.total) AS sum_total
        FROM app.customers AS c JOIN app.orders AS o ON o.customer_id = c.id
        GROUP BY c.id, c.name ORDER BY sum_total DESC, c.id LIMIT how_many;
END;
$function$;
CREATE FUNCTION app.staff_salary(worker integer) RETURNS numeric
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'app', 'pg_temp'
    AS 'SELECT salary FROM staff WHERE id = worker';
CREATE FUNCTION app.describe(VARIADIC parts text[]) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$SELECT array_to_string(parts, E'\n', '<null>')$$;
CREATE FUNCTION app.describe(product app.products) RETURNS text LANGUAGE sql STABLE
    AS $$SELECT product.sku || ': ' || product.name$$;
CREATE FUNCTION "Odd Schema"."Function ""Odd"""("in put" text) RETURNS TABLE ("out put" text)
    LANGUAGE sql IMMUTABLE AS $odd$SELECT '$$' || "in put" || '$q$'$odd$;
CREATE PROCEDURE app.rename_customer(IN customer bigint, IN new_name text, INOUT changed integer DEFAULT 0)
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE app.customers SET name = new_name WHERE id = customer;
    GET DIAGNOSTICS changed = ROW_COUNT;
END;
$$;
CREATE PROCEDURE app.refresh_sales() LANGUAGE plpgsql SECURITY INVOKER
    AS $$
BEGIN
    REFRESH MATERIALIZED VIEW app.sales_by_month;
    REFRESH MATERIALIZED VIEW app.sales_by_year;
END;
$$;
CREATE CAST (app.region AS text) WITH FUNCTION app.region_to_text(app.region);
