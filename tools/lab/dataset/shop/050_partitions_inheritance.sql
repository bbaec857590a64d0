-- Partitions by range (with partitions of their own and a default one), list and hash; old-style inheritance.
CREATE TABLE app.orders (
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    region app.region DEFAULT 'north' NOT NULL,
    status app.order_status DEFAULT 'new' NOT NULL,
    total numeric(12,2) DEFAULT 0 NOT NULL,
    notes text,
    delivery interval,
    PRIMARY KEY (id, ordered_at, region)
) PARTITION BY RANGE (ordered_at);
CREATE TABLE app.orders_2023 PARTITION OF app.orders
    FOR VALUES FROM ('2023-01-01 00:00:00+00') TO ('2024-01-01 00:00:00+00');
CREATE TABLE app.orders_2024 PARTITION OF app.orders
    FOR VALUES FROM ('2024-01-01 00:00:00+00') TO ('2025-01-01 00:00:00+00');
CREATE TABLE app.orders_2025 PARTITION OF app.orders
    FOR VALUES FROM ('2025-01-01 00:00:00+00') TO ('2026-01-01 00:00:00+00')
    PARTITION BY LIST (region);
CREATE TABLE app.orders_2025_north PARTITION OF app.orders_2025 FOR VALUES IN ('north');
CREATE TABLE app.orders_2025_south_west PARTITION OF app.orders_2025 FOR VALUES IN ('south', 'west');
CREATE TABLE app.orders_2025_rest PARTITION OF app.orders_2025 DEFAULT;
CREATE TABLE app.orders_default PARTITION OF app.orders DEFAULT;
-- One that came later by ATTACH and has its columns in another order, after a dropped column.
CREATE TABLE app.orders_2022 (
    notes text,
    obsolete integer,
    total numeric(12,2) DEFAULT 0 NOT NULL,
    status app.order_status DEFAULT 'new' NOT NULL,
    region app.region DEFAULT 'south' NOT NULL,
    ordered_at timestamp with time zone NOT NULL,
    customer_id bigint NOT NULL,
    id bigint NOT NULL,
    delivery interval
);
ALTER TABLE app.orders_2022 DROP COLUMN obsolete;
ALTER TABLE app.orders ATTACH PARTITION app.orders_2022
    FOR VALUES FROM ('2022-01-01 00:00:00+00') TO ('2023-01-01 00:00:00+00');

CREATE TABLE app.order_lines (
    order_id bigint NOT NULL,
    line_number smallint NOT NULL,
    product_id integer NOT NULL,
    quantity integer NOT NULL,
    unit_price numeric(12,2) NOT NULL,
    discount real,
    line_total numeric GENERATED ALWAYS AS (quantity * unit_price) STORED,
    PRIMARY KEY (order_id, line_number),
    CHECK (quantity > 0)
) PARTITION BY HASH (order_id);
CREATE TABLE app.order_lines_0 PARTITION OF app.order_lines FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE app.order_lines_1 PARTITION OF app.order_lines FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE app.order_lines_2 PARTITION OF app.order_lines FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE app.order_lines_3 PARTITION OF app.order_lines FOR VALUES WITH (MODULUS 4, REMAINDER 3);

CREATE TABLE app.events (
    id bigint NOT NULL,
    kind text NOT NULL,
    happened_at timestamp with time zone NOT NULL,
    customer_id bigint,
    details jsonb
) PARTITION BY LIST (kind);
CREATE TABLE app.events_view PARTITION OF app.events FOR VALUES IN ('view');
CREATE TABLE app.events_cart PARTITION OF app.events FOR VALUES IN ('cart', 'checkout');
CREATE TABLE app.events_other PARTITION OF app.events DEFAULT;
-- A partition that never gets a row.
CREATE TABLE app.events_null PARTITION OF app.events FOR VALUES IN ('reserved');

CREATE TABLE crm.people (
    id integer NOT NULL,
    name text NOT NULL,
    email extensions.citext,
    born date,
    CONSTRAINT name_given CHECK (name <> '')
);
CREATE TABLE crm.employees (
    department text,
    salary money,
    CONSTRAINT department_given CHECK (department IS NOT NULL) NO INHERIT
) INHERITS (crm.people);
CREATE TABLE crm.contractors (
    company text,
    rate numeric
) INHERITS (crm.people);
CREATE TABLE crm.interns (
    school text
) INHERITS (crm.employees);
ALTER TABLE crm.contractors ALTER COLUMN name SET DEFAULT 'somebody';
