-- Keys, foreign keys, exclusion and check constraints, indexes of every kind, extended statistics.
ALTER TABLE app.customers ADD CONSTRAINT customers_referred_by_fkey
    FOREIGN KEY (referred_by) REFERENCES app.customers (id) ON DELETE SET NULL;
ALTER TABLE app.categories ADD CONSTRAINT categories_parent_fkey
    FOREIGN KEY (parent_id) REFERENCES app.categories (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE app.product_categories
    ADD FOREIGN KEY (product_id) REFERENCES app.products (id) ON DELETE CASCADE,
    ADD FOREIGN KEY (category_id) REFERENCES app.categories (id) ON DELETE RESTRICT;
ALTER TABLE app.warehouses ADD CONSTRAINT warehouses_manager_fkey
    FOREIGN KEY (manager_id) REFERENCES app.staff (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE app.staff ADD CONSTRAINT staff_warehouse_fkey
    FOREIGN KEY (warehouse_id) REFERENCES app.warehouses (id) DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE app.staff ADD CONSTRAINT staff_name_key UNIQUE (name) DEFERRABLE;
ALTER TABLE app.stock
    ADD FOREIGN KEY (warehouse_id) REFERENCES app.warehouses (id),
    ADD FOREIGN KEY (product_id) REFERENCES app.products (id);
ALTER TABLE app.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id) REFERENCES app.customers (id);
ALTER TABLE app.order_lines ADD CONSTRAINT order_lines_product_fkey FOREIGN KEY (product_id) REFERENCES app.products (id);
ALTER TABLE app.reservations ADD CONSTRAINT no_double_booking
    EXCLUDE USING gist (int4range(resource_id, resource_id, '[]') WITH &&, during WITH &&);
-- Rows that break it exist: it was added NOT VALID and must stay so.
ALTER TABLE public.no_key ADD CONSTRAINT a_is_small CHECK (a < 15) NOT VALID;
ALTER TABLE "Odd Schema"."it's; DROP TABLE x --" ADD CONSTRAINT "Number Is Positive" CHECK ("Number" > 0);
ALTER TABLE crm.employees ADD PRIMARY KEY (id);

CREATE INDEX customers_normal_name_idx ON app.customers (app.normal_name(name));
CREATE INDEX customers_search_idx ON app.customers USING gin (search);
CREATE INDEX customers_tags_idx ON app.customers USING gin (tags);
CREATE INDEX customers_preferences_idx ON app.customers USING gin (preferences jsonb_path_ops);
CREATE INDEX customers_attributes_idx ON app.customers USING gist (attributes extensions.gist_hstore_ops);
CREATE INDEX customers_city_idx ON app.customers (((address).city) COLLATE "C" DESC NULLS LAST)
    WHERE address IS NOT NULL;
CREATE INDEX customers_token_idx ON app.customers USING hash (token);
CREATE UNIQUE INDEX customers_rich_idx ON app.customers (id) INCLUDE (name, credit) WHERE credit > 900;
CREATE INDEX products_name_trigram_idx ON app.products USING gin (name public.gin_trgm_ops);
CREATE INDEX products_validity_idx ON app.products USING gist (validity);
CREATE INDEX products_active_idx ON app.products (price, id) WITH (fillfactor = 80) WHERE NOT retired;
CREATE INDEX orders_customer_idx ON app.orders (customer_id, ordered_at DESC);
CREATE INDEX orders_ordered_at_idx ON app.orders USING brin (ordered_at) WITH (pages_per_range = 32);
CREATE INDEX orders_open_idx ON app.orders (status) WHERE status IN ('new', 'paid');
CREATE INDEX order_lines_product_idx ON app.order_lines (product_id) INCLUDE (quantity);
-- Only on some partitions.
CREATE INDEX orders_2024_total_idx ON app.orders_2024 ((total * 2));
CREATE INDEX events_happened_at_idx ON app.events USING brin (happened_at);
CREATE INDEX events_details_idx ON app.events USING gin (details);
CREATE UNIQUE INDEX events_view_id_idx ON app.events_view (id);
CREATE INDEX documents_words_idx ON app.documents USING gin (words);
CREATE INDEX documents_body_idx ON app.documents USING gin (to_tsvector('english'::regconfig, body));
CREATE INDEX warehouses_position_idx ON app.warehouses USING spgist ("position");
CREATE UNIQUE INDEX "Mixed Case Index" ON "Odd Schema"."Mixed Case Table" ("a ""quoted"" column", "Id" DESC);
ALTER TABLE app.stock CLUSTER ON stock_pkey;
CREATE UNIQUE INDEX no_columns_needed_idx ON public.dropped_columns (kept_one);
ALTER TABLE public.dropped_columns ALTER COLUMN kept_one SET NOT NULL;
ALTER TABLE public.dropped_columns REPLICA IDENTITY USING INDEX no_columns_needed_idx;
ALTER TABLE public.no_key REPLICA IDENTITY FULL;

CREATE STATISTICS app.orders_region_status (dependencies, ndistinct, mcv) ON region, status FROM app.orders;
CREATE STATISTICS app.customers_name_length ON (length(name)), (lower(name)) FROM app.customers;
ALTER STATISTICS app.orders_region_status SET STATISTICS 300;
