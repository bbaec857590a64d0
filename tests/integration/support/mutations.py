# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single faults, each done to the target alone, and what the report has to say of it."""

from __future__ import annotations

# What is done to the target, how it is undone, and a word that the report has to say about it. DATA faults are found
# as tables, SCHEMA faults as errors, SOFT faults as warnings.
DATA, SCHEMA, SOFT = "data", "schema", "soft"
OFF = "SET session_replication_role = replica; "

# What the report has to say of the rows: the kind of difference, the columns, and SQL that gives the keys (asked before
# the fault), None for tables without a key.
NAMED = {
    "row lost": ("missing", [], None),
    "row twice": ("unexpected", [], None),
    "float's last bit": (
        "changed",
        ["dimensions"],
        "SELECT min(id) FROM app.products WHERE dimensions[1] BETWEEN 0.001 AND 200",
    ),
    "null to empty text": ("changed", ["b"], None),
    "trailing space": ("changed", ["b"], None),
    "numeric scale": (
        "changed",
        ["n"],
        "SELECT max(id) FROM public.special_values WHERE n IS NOT NULL AND n NOT IN ('NaN', 'Infinity', '-Infinity') "
        "AND scale(n) < 3",
    ),
    "json text": ("changed", ["j"], "SELECT 2"),
    "name of a relation": ("changed", ["reg"], "SELECT 1"),
    "microsecond": ("changed", ["created_at"], "SELECT min(id) FROM app.customers"),
    "values swapped between rows": ("changed", ["credit"], "SELECT unnest(ARRAY[min(id), max(id)]) FROM app.customers"),
    "row of a partition": (
        "missing",
        [],
        "SELECT order_id || ' ' || line_number FROM app.order_lines_1 WHERE ctid = (SELECT min(ctid) FROM app.order_lines_1)",
    ),
    "row of an inherited table": ("missing", [], None),
}

FAULTS = {
    "row lost": (DATA, OFF + "DELETE FROM public.no_key WHERE ctid = (SELECT min(ctid) FROM public.no_key)", "no_key"),
    "row twice": (DATA, OFF + "INSERT INTO public.no_key SELECT * FROM public.no_key LIMIT 1", "no_key"),
    "float's last bit": (
        DATA,
        OFF + "UPDATE app.products SET dimensions[1] = dimensions[1] + 1e-13 WHERE id = (SELECT min(id) FROM "
        "app.products WHERE dimensions[1] BETWEEN 0.001 AND 200)",
        "app.products",
    ),
    "null to empty text": (DATA, "UPDATE public.no_key SET b = '' WHERE a = 4 AND b IS NULL", "no_key"),
    "trailing space": (DATA, "UPDATE public.no_key SET b = b || ' ' WHERE a = 1", "no_key"),
    "numeric scale": (
        DATA,
        "UPDATE public.special_values SET n = n + 0.000 WHERE id = (SELECT max(id) FROM public.special_values "
        "WHERE n IS NOT NULL AND n NOT IN ('NaN', 'Infinity', '-Infinity') AND scale(n) < 3)",
        "special_values",
    ),
    "json text": (DATA, "UPDATE public.special_values SET j = '[1, 1.0,  1.00]' WHERE id = 2", "special_values"),
    "name of a relation": (DATA, "UPDATE public.special_values SET reg = 'app.staff' WHERE id = 1", "special_values"),
    "microsecond": (
        DATA,
        OFF + "UPDATE app.customers SET created_at = created_at + interval '1 microsecond' "
        "WHERE id = (SELECT min(id) FROM app.customers)",
        "app.customers",
    ),
    "values swapped between rows": (
        DATA,
        OFF + "UPDATE app.customers c SET credit = o.credit FROM app.customers o, (SELECT min(id) AS a, max(id) AS b "
        "FROM app.customers) x WHERE (c.id, o.id) IN ((x.a, x.b), (x.b, x.a))",
        "app.customers",
    ),
    "row of a partition": (
        DATA,
        OFF + "DELETE FROM app.order_lines WHERE ctid = (SELECT min(ctid) FROM app.order_lines_1) "
        "AND tableoid = 'app.order_lines_1'::regclass",
        "app.order_lines_1",
    ),
    "row of an inherited table": (
        DATA,
        OFF + "DELETE FROM ONLY crm.people WHERE ctid = (SELECT min(ctid) FROM ONLY crm.people)",
        "crm.people",
    ),
    "byte of a large object": (
        DATA,
        "SELECT lo_put((SELECT min(oid) FROM pg_largeobject_metadata), 0, '\\x00ff00ff')",
        "large objects",
    ),
    "large object lost": (DATA, "SELECT lo_unlink((SELECT max(oid) FROM pg_largeobject_metadata))", "large objects"),
    "sequence behind": (DATA, "SELECT setval('app.ticket_number', 5000, false)", "app.ticket_number"),
    "descending sequence behind": (DATA, "SELECT setval('app.countdown', 1000, false)", "app.countdown"),
    "extra table": (SCHEMA, "CREATE TABLE app.more (id integer)", "app.more"),
    "table lost": (SCHEMA, "DROP TABLE public.empty_table CASCADE", "public.empty_table"),
    "column lost": (SCHEMA, "ALTER TABLE public.empty_table ADD COLUMN more integer", "public.empty_table.more"),
    "column type": (SCHEMA, "ALTER TABLE crm.notes ALTER COLUMN body TYPE varchar(9000)", "crm.notes.body"),
    "not null lost": (SCHEMA, "ALTER TABLE app.customers ALTER COLUMN name DROP NOT NULL", "app.customers.name"),
    "default changed": (
        SCHEMA,
        "ALTER TABLE app.products ALTER COLUMN retired SET DEFAULT true",
        "app.products.retired",
    ),
    "identity lost": (SCHEMA, "ALTER TABLE app.categories ALTER COLUMN id DROP IDENTITY", "app.categories.id"),
    "index lost": (SCHEMA, "DROP INDEX app.customers_tags_idx", "app.customers_tags_idx"),
    "index predicate": (
        SCHEMA,
        "DROP INDEX app.products_active_idx; CREATE INDEX products_active_idx ON app.products (price, id) "
        "WITH (fillfactor = 80) WHERE retired",
        "app.products_active_idx",
    ),
    "index invalid": (
        SCHEMA,
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.customers_tags_idx'::regclass",
        "app.customers_tags_idx",
    ),
    "check changed": (
        SCHEMA,
        "ALTER TABLE app.customers DROP CONSTRAINT credit_limit; ALTER TABLE app.customers ADD CONSTRAINT credit_limit "
        "CHECK (credit BETWEEN -1000 AND 1000001)",
        "credit_limit",
    ),
    "unique lost": (SCHEMA, "ALTER TABLE app.customers DROP CONSTRAINT customers_email_key", "customers_email_key"),
    "domain check lost": (
        SCHEMA,
        "ALTER DOMAIN app.short_codes DROP CONSTRAINT short_codes_check",
        "short_codes_check",
    ),
    "enum order": (SCHEMA, "ALTER TYPE app.region ADD VALUE 'middle' BEFORE 'south'", "app.region"),
    "trigger lost": (SCHEMA, "DROP TRIGGER audit ON app.customers", "app.customers.audit"),
    "trigger off": (SCHEMA, "ALTER TABLE app.customers DISABLE TRIGGER audit", "app.customers.audit"),
    "trigger of a partition on": (
        SCHEMA,
        "ALTER TABLE app.orders_2023 ENABLE TRIGGER on_every_partition",
        "app.orders_2023.on_every_partition",
    ),
    "foreign key not enforced": (
        SCHEMA,
        "ALTER TABLE app.product_categories DISABLE TRIGGER ALL",
        "product_categories",
    ),
    "rule lost": (SCHEMA, "DROP RULE protect_settings ON public.settings", "protect_settings"),
    "policy lost": (SCHEMA, "DROP POLICY own_notes ON crm.notes", "own_notes"),
    "policy changed": (SCHEMA, "ALTER POLICY public_notes ON crm.notes USING (NOT is_public)", "public_notes"),
    "row security off": (SCHEMA, "ALTER TABLE crm.notes DISABLE ROW LEVEL SECURITY", "crm.notes"),
    "function body": (
        SCHEMA,
        "CREATE OR REPLACE FUNCTION app.normal_name(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'x' $$",
        "app.normal_name(text)",
    ),
    "function volatility": (
        SCHEMA,
        "ALTER FUNCTION app.customer_total(bigint) VOLATILE SECURITY DEFINER",
        "customer_total",
    ),
    "procedure lost": (SCHEMA, "DROP PROCEDURE app.refresh_sales()", "app.refresh_sales()"),
    "view changed": (
        SCHEMA,
        "CREATE OR REPLACE VIEW app.customer_directory WITH (security_barrier = true) AS "
        "SELECT * FROM (SELECT * FROM app.customer_directory LIMIT 0) x",
        "app.customer_directory",
    ),
    "view's barrier": (
        SCHEMA,
        "ALTER VIEW app.customer_directory RESET (security_barrier)",
        "app.customer_directory",
    ),
    "materialised view empty": (
        SCHEMA,
        "REFRESH MATERIALIZED VIEW app.sales_by_year WITH NO DATA",
        "app.sales_by_year",
    ),
    "partition bound": (
        SCHEMA,
        "ALTER TABLE app.events DETACH PARTITION app.events_null; "
        "ALTER TABLE app.events ATTACH PARTITION app.events_null FOR VALUES IN ('else')",
        "app.events_null",
    ),
    "sequence's increment": (SCHEMA, "ALTER SEQUENCE app.round_robin NO CYCLE", "app.round_robin"),
    "owned sequence": (SCHEMA, "ALTER SEQUENCE app.products_id_seq OWNED BY NONE", "app.products_id_seq"),
    "cast lost": (SCHEMA, "DROP CAST (app.region AS text)", "app.region"),
    "comment lost": (SOFT, "COMMENT ON TABLE app.customers IS NULL", "app.customers"),
    "grant lost": (SOFT, "REVOKE SELECT ON app.customers FROM app_read", "app.customers"),
    "column grant lost": (SOFT, "REVOKE UPDATE (name) ON app.staff FROM app_read", "app.staff.name"),
    "grant too much": (SOFT, "GRANT SELECT ON crm.secrets TO PUBLIC", "crm.secrets"),
    "function's grant": (SOFT, "GRANT EXECUTE ON FUNCTION app.staff_salary(integer) TO PUBLIC", "app.staff_salary"),
    "owner": (SOFT, "ALTER TABLE public.empty_table OWNER TO app_write", "public.empty_table"),
    "default privileges": (
        SOFT,
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM app_read",
        "app_owner",
    ),
    "statistics object lost": (SOFT, "DROP STATISTICS app.orders_region_status", "app.orders_region_status"),
    "storage": (SOFT, "ALTER TABLE app.products ALTER COLUMN photo SET STORAGE EXTENDED", "app.products.photo"),
    "fillfactor": (SOFT, "ALTER TABLE app.products RESET (fillfactor)", "app.products"),
    "large object's owner": (
        SOFT,
        "DO $$ BEGIN EXECUTE format('ALTER LARGE OBJECT %s OWNER TO app_write', "
        "(SELECT min(oid) FROM pg_largeobject_metadata)); END $$",
        "large object",
    ),
    "database setting": (SOFT, "ALTER ROLE alice IN DATABASE shop RESET work_mem", "role alice"),
    "role's attribute": (SOFT, "ALTER ROLE alice CONNECTION LIMIT 21", "alice"),
    "membership lost": (SOFT, "REVOKE app_read FROM alice", "alice in app_read"),
}

# Blind spots of other methods: sums without a mix, exclusive or, texts, normalised values, counts with sums and extremes.
OF_WIDE, OF_SPECIAL = "public.wide_table", "special_values"
SECRETS = "UPDATE crm.secrets s SET secret = o.secret FROM crm.secrets o WHERE o.id = s.id % 90 + 1"


def special(column: str, number: int, value: str) -> tuple:
    """Return the fault of one value in the table of special values, and what the report has to say of it."""
    sql = f'UPDATE public.special_values SET "{column}" = {value} WHERE id = {number}'
    return (DATA, sql, OF_SPECIAL), ("changed", [column], f"SELECT {number}")


VALUES = {
    "huge number's last digit": special("n", 6, "n + 1"),
    "number's last of twenty digits": special("scaled", 3, "scaled + 0.00001"),
    "null to zero": special("scaled", 5, "0"),
    "float rounded to 15 digits": special("f8", 5, "0.3"),
    "minus zero": special("f8", 3, "'0'"),
    "real's last bit": special("f4", 5, "0.10000001"),
    "not a number": special("f4", 1, "0"),
    "infinite date": special("d", 1, "'9999-12-31'"),
    "microsecond without time zone": special("ts", 4, "ts - interval '1 microsecond'"),
    "equal interval in other units": special("i", 3, "i + interval '1 mon' - interval '30 days'"),
    "end of the day": special("tm", 1, "'00:00:00'"),
    "jsonb scale": special("jb", 2, "'[1, 1, 1.00]'"),
    "json null to null": special("j", 3, "NULL"),
    "byte": special("by", 2, r"'\x00ff01'"),
    "network mask": special("ip", 3, "'192.168.1.5/25'"),
    "array's lower bound": special("ia", 2, "'{1,2,3}'"),
    "null in an array to the word": special("ta", 2, "array_replace(ta, NULL, 'NULL')"),
    "markup": special("x", 2, "xmlparse(CONTENT '<a></a><b/>')"),
    "range's bound": special("r", 3, "'[1,11)'"),
    "universal identifier": special("u", 2, "'ffffffff-ffff-ffff-ffff-fffffffffffe'"),
    "path": special("path", 3, "'$.\"k  y\".type()'"),
    "byte as character": special("internal_char", 1, "'a'"),
    "truth": special("b", 2, "true"),
    "combining character": special("t", 3, "E'\\u0301\\U0001F600'"),
}
FAULTS.update({name: fault for name, (fault, _named) in VALUES.items()})
NAMED.update({name: named for name, (_fault, named) in VALUES.items()})

FAULTS.update(
    {
        "integer plus one": (DATA, "UPDATE public.wide_table SET column_06 = column_06 + 1 WHERE id = 7", OF_WIDE),
        "case of a letter": (DATA, "UPDATE public.wide_table SET column_07 = upper(column_07) WHERE id = 9", OF_WIDE),
        "column rotated over all rows": (DATA, SECRETS, "crm.secrets"),
        "row replaced by a copy of another": (
            DATA,
            "UPDATE public.no_key SET a = 6 WHERE ctid = (SELECT min(ctid) FROM public.no_key WHERE a = 5)",
            "no_key",
        ),
        "pair of copies replaced by another pair": (
            DATA,
            "UPDATE public.no_key SET a = 6 WHERE ctid = ANY (ARRAY(SELECT ctid FROM public.no_key WHERE a = 5 LIMIT 2))",
            "no_key",
        ),
        "all rows lost": (DATA, "TRUNCATE crm.secrets", "crm.secrets"),
        "schema too much": (SOFT, "CREATE SCHEMA surplus", "surplus"),
        "collation of a column": (
            SCHEMA,
            'ALTER TABLE app.documents ALTER COLUMN title TYPE text COLLATE "POSIX"',
            "app.documents.title",
        ),
        "collation of an index": (
            SCHEMA,
            "DROP INDEX app.customers_city_idx; CREATE INDEX customers_city_idx ON app.customers "
            '(((address).city) COLLATE "POSIX" DESC NULLS LAST)',
            "app.customers_city_idx",
        ),
        "trigger's condition": (
            SCHEMA,
            'DROP TRIGGER "Refuse when ""odd""" ON "Odd Schema"."Mixed Case Table"; CREATE TRIGGER "Refuse when ""odd""" '
            'BEFORE UPDATE ON "Odd Schema"."Mixed Case Table" FOR EACH ROW WHEN (OLD."Id" = 14) EXECUTE FUNCTION app.refuse()',
            "Refuse when",
        ),
        "trigger on replicas only": (SCHEMA, "ALTER TABLE app.customers ENABLE REPLICA TRIGGER audit", "audit"),
        "trigger always": (SCHEMA, "ALTER TABLE app.customers ENABLE ALWAYS TRIGGER audit", "audit"),
        "policy's roles": (SCHEMA, "ALTER POLICY own_notes ON crm.notes TO app_read", "own_notes"),
        "policy's check": (SCHEMA, "ALTER POLICY own_notes ON crm.notes WITH CHECK (true)", "own_notes"),
        "row security not forced": (SCHEMA, "ALTER TABLE crm.secrets NO FORCE ROW LEVEL SECURITY", "crm.secrets"),
        "default lost": (SCHEMA, "ALTER TABLE app.products ALTER COLUMN retired DROP DEFAULT", "app.products.retired"),
        "partition detached": (SCHEMA, "ALTER TABLE app.orders DETACH PARTITION app.orders_2023", "app.orders_2023"),
        "inheritance lost": (SCHEMA, "ALTER TABLE crm.interns NO INHERIT crm.employees", "crm.interns"),
        "enum label": (SCHEMA, "ALTER TYPE app.region RENAME VALUE 'north' TO 'North'", "app.region"),
        "foreign key of a partition not enforced": (
            SCHEMA,
            "ALTER TABLE app.order_lines_1 DISABLE TRIGGER ALL",
            "app.order_lines_1",
        ),
        "sequence not logged": (SCHEMA, "ALTER SEQUENCE app.round_robin SET UNLOGGED", "app.round_robin"),
        "option of what lies outside the table": (
            SOFT,
            "ALTER TABLE crm.notes SET (toast.autovacuum_enabled = off)",
            "crm.notes",
        ),
        "comment of a large object": (
            SOFT,
            "DO $$ BEGIN EXECUTE format('COMMENT ON LARGE OBJECT %s IS ''x''', "
            "(SELECT min(oid) FROM pg_largeobject_metadata)); END $$",
            "large object",
        ),
        "sequence lost": (SCHEMA, "DROP SEQUENCE app.round_robin CASCADE", "app.round_robin"),
        "constraint not validated": (
            SCHEMA,
            "ALTER TABLE app.customers DROP CONSTRAINT credit_limit; ALTER TABLE app.customers ADD CONSTRAINT credit_limit "
            "CHECK (credit BETWEEN -1000 AND 1000000) NOT VALID",
            "credit_limit",
        ),
        "table not logged": (SCHEMA, "ALTER TABLE crm.notes SET UNLOGGED", "crm.notes"),
        "replica identity": (SCHEMA, "ALTER TABLE app.customers REPLICA IDENTITY FULL", "app.customers"),
        "schema's owner": (SOFT, "ALTER SCHEMA crm OWNER TO app_write", "crm"),
        "schema's grant": (SOFT, "REVOKE USAGE ON SCHEMA crm FROM app_read", "crm"),
        "sequence's grant": (SOFT, "REVOKE SELECT ON SEQUENCE app.ticket_number FROM alice", "app.ticket_number"),
        "sequence's owner": (SOFT, "ALTER SEQUENCE app.round_robin OWNER TO app_write", "app.round_robin"),
        "function's owner": (SOFT, "ALTER FUNCTION app.staff_salary(integer) OWNER TO app_write", "app.staff_salary"),
        "type's grant": (SOFT, "GRANT USAGE ON TYPE app.money_amount TO PUBLIC", "app.money_amount"),
        "comment too much": (SOFT, "COMMENT ON COLUMN app.customers.email IS 'another'", "app.customers.email"),
    }
)
NAMED.update(
    {
        "integer plus one": ("changed", ["column_06"], "SELECT 7"),
        "case of a letter": ("changed", ["column_07"], "SELECT 9"),
        "column rotated over all rows": ("changed", ["secret"], "SELECT id FROM crm.secrets"),
        "row replaced by a copy of another": ("changed", ["a"], None),
        "pair of copies replaced by another pair": ("changed", ["a"], None),
        "all rows lost": ("missing", [], "SELECT id FROM crm.secrets"),
    }
)
