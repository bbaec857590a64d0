# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application asks its databases: the same questions must get the same answers before and after a migration.

Every query orders its rows completely, by values that do not depend on the server's version, and shows no object
identifiers. The queries run as the cluster's superuser, some of them in the role of a user of the application, always
in a read-only transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Query:
    """One stored query: its name, the database it asks, the statement, and the role it is asked as (None: as is)."""

    name: str
    database: str
    sql: str
    role: str | None = None
    #: False asks under the session settings that the database gives, True under fixed ones.
    fixed_settings: bool = True


@dataclass(frozen=True)
class Difference:
    """A query whose answers differ: what each side said, or the error that it raised."""

    name: str
    source: object
    target: object

    def __str__(self) -> str:
        return f"{self.name}: source says {_shorten(self.source)}, target says {_shorten(self.target)}"


#: How values are printed must not depend on the defaults of a server, a database or a role.
FIXED_SETTINGS = """
    SET LOCAL search_path = pg_catalog; SET LOCAL timezone = 'UTC'; SET LOCAL DateStyle = ISO;
    SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = hex;
    SET LOCAL lc_monetary = 'C'"""

#: Schemas that belong to the application: a condition on the name of the namespace "n".
OWN = "n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
#: Objects that an extension brought along are not the application's.
NOT_OF_EXTENSION = (
    "NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = '{catalogue}'::regclass AND d.objid = {oid}"
    " AND d.deptype = 'e')"
)

SHOP = [
    Query(
        "customers by country",
        "shop",
        """
        SELECT (address).country, count(*), sum(credit), min(created_at), max(birthday), count(DISTINCT lower(name))
        FROM app.customers GROUP BY 1 ORDER BY 1 NULLS LAST""",
    ),
    Query(
        "customers with odd names",
        "shop",
        """
        SELECT id, name, email, address, other_addresses, tags, preferences, attributes, token, last_seen_from,
            network, device
        FROM app.customers WHERE id % 11 = 0 ORDER BY id LIMIT 50""",
    ),
    Query(
        "customer found by normal name",
        "shop",
        """
        SELECT id, name FROM app.customers
        WHERE app.normal_name(name) IN (
            SELECT app.normal_name(name) FROM app.customers WHERE id IN (1001, 1012, 1013))
        ORDER BY id""",
    ),
    Query(
        "customer found by case-insensitive address",
        "shop",
        """
        SELECT id, email FROM app.customers WHERE email OPERATOR(extensions.=) 'USER.6@EXAMPLE.ORG'::extensions.citext
           OR email OPERATOR(extensions.=) 'user.7@example.com'::extensions.citext ORDER BY id""",
    ),
    Query(
        "full text search over names",
        "shop",
        """
        SELECT id, search FROM app.customers WHERE search @@ to_tsquery('simple', 'ångström | 太郎') ORDER BY id
        LIMIT 40""",
    ),
    Query(
        "tags and preferences",
        "shop",
        """
        SELECT tag COLLATE "C" AS tag, (preferences ->> 'theme') COLLATE "C" AS theme, count(*),
            sum((preferences #>> '{limits,1}')::numeric)
        FROM app.customers LEFT JOIN LATERAL unnest(tags) AS tag ON true
        WHERE preferences @> '{"newsletter": true}' GROUP BY 1, 2 ORDER BY 1 NULLS LAST, 2 NULLS LAST""",
    ),
    Query(
        "hstore attributes",
        "shop",
        """
        SELECT (attributes OPERATOR(extensions.->) 'size') COLLATE "C" AS size, count(*),
            bool_and(extensions.exist(attributes, '"q"'))
        FROM app.customers WHERE extensions.exist(attributes, 'size') GROUP BY 1 ORDER BY 1""",
    ),
    Query(
        "chain of recommendations",
        "shop",
        """
        WITH RECURSIVE chain AS (
            SELECT id, referred_by, 1 AS depth FROM app.customers WHERE referred_by IS NULL
            UNION ALL SELECT c.id, c.referred_by, chain.depth + 1 FROM app.customers AS c
            JOIN chain ON c.referred_by = chain.id)
        SELECT depth, count(*), min(id), max(id) FROM chain GROUP BY depth ORDER BY depth""",
    ),
    Query(
        "generated columns",
        "shop",
        """
        SELECT sum(margin), min(margin), max(margin), bool_and(margin = price::numeric - cost) FROM app.products""",
    ),
    Query(
        "products with ranges and arrays",
        "shop",
        """
        SELECT sku, name, price, weight, dimensions, validity, isempty(validity), upper_inf(validity),
            attributes #> '{nested}'
        FROM app.products WHERE id % 7 = 0 ORDER BY sku COLLATE "C" LIMIT 60""",
    ),
    Query(
        "photos in TOAST",
        "shop",
        """
        SELECT count(photo), sum(length(photo)), md5(string_agg(md5(photo), '' ORDER BY id)) FROM app.products""",
    ),
    Query(
        "trigram search",
        "shop",
        """
        SELECT sku, name FROM app.products WHERE name OPERATOR(public.%) 'Harbour Lantern Copper'
            OR name ILIKE '%granite%'
        ORDER BY sku COLLATE "C" LIMIT 40""",
    ),
    Query(
        "median price by aggregate of our own",
        "shop",
        """
        SELECT retired, app.median(price), percentile_cont(0.9) WITHIN GROUP (ORDER BY price::numeric)
        FROM app.products GROUP BY retired ORDER BY retired""",
    ),
    Query(
        "operator of our own",
        "shop",
        """
        SELECT count(*) FROM app.products WHERE sku::text OPERATOR(app.=~~=) lower(sku)""",
    ),
    Query(
        "category tree",
        "shop",
        """
        SELECT id, path, depth FROM app.category_path ORDER BY path COLLATE "C", id""",
    ),
    Query(
        "category codes",
        "shop",
        """
        SELECT id, codes, cardinality(codes::text[]) FROM app.categories ORDER BY id""",
    ),
    Query(
        "sales by month from materialised view",
        "shop",
        """
        SELECT month, region, orders, total FROM app.sales_by_month ORDER BY month, region""",
    ),
    Query("sales by year from view on view", "shop", "SELECT * FROM app.sales_by_year ORDER BY year"),
    Query(
        "prices with tax",
        "shop",
        """
        SELECT count(*), sum(price), app.with_tax(100), app.with_tax(100, 0.19) FROM app.prices_with_tax""",
    ),
    Query(
        "orders by partition",
        "shop",
        """
        SELECT tableoid::regclass::text COLLATE "C" AS partition, count(*), min(ordered_at), max(ordered_at),
            sum(total), sum(delivery)
        FROM app.orders GROUP BY 1 ORDER BY 1""",
    ),
    Query(
        "pruned to one year",
        "shop",
        """
        SELECT region, status, count(*), sum(total) FROM app.orders
        WHERE ordered_at >= '2025-01-01 00:00:00+00' AND ordered_at < '2026-01-01 00:00:00+00'
            AND region IN ('south', 'centre')
        GROUP BY region, status ORDER BY region, status""",
    ),
    Query(
        "awkward notes",
        "shop",
        """
        SELECT notes, count(*) OVER (), length(notes) FROM app.orders WHERE notes IS NOT NULL ORDER BY id
        LIMIT 60""",
    ),
    Query(
        "running total per customer",
        "shop",
        """
        SELECT * FROM (
            SELECT id, customer_id, total, sum(total) OVER w AS running,
                rank() OVER (PARTITION BY customer_id ORDER BY total DESC, id),
                   lag(ordered_at) OVER w AS previous
            FROM app.orders WHERE customer_id < 1040
            WINDOW w AS (PARTITION BY customer_id ORDER BY ordered_at, id)) AS windowed
        ORDER BY customer_id, id LIMIT 300""",
    ),
    Query(
        "order lines by product",
        "shop",
        """
        SELECT p.sku, sum(l.quantity), sum(l.line_total), sum(l.discount::numeric)
        FROM app.order_lines AS l JOIN app.products AS p ON p.id = l.product_id
        GROUP BY p.sku ORDER BY sum(l.line_total) DESC, p.sku COLLATE "C" LIMIT 50""",
    ),
    Query(
        "order overview",
        "shop",
        """
        SELECT * FROM app.order_overview WHERE id <= 60 ORDER BY id""",
    ),
    Query(
        "grouping sets",
        "shop",
        """
        SELECT region, status, grouping(region, status), count(*) FROM app.orders
        GROUP BY GROUPING SETS ((region, status), (region), ()) ORDER BY region NULLS LAST, status NULLS LAST, 3""",
    ),
    Query(
        "totals by function with standard body",
        "shop",
        """
        SELECT id, app.customer_total(id) FROM app.customers ORDER BY id LIMIT 20""",
    ),
    Query("best customers by set-returning function", "shop", "SELECT * FROM app.best_customers(12)"),
    Query(
        "events by kind and browser",
        "shop",
        """
        SELECT kind COLLATE "C", (details #>> '{agent,name}') COLLATE "C" AS browser, count(*),
            sum((details ->> 'ms')::integer), max(happened_at)
        FROM app.events GROUP BY 1, 2 ORDER BY 1, 2""",
    ),
    Query(
        "events by JSON path",
        "shop",
        """
        SELECT count(*), min(id), max(id) FROM app.events WHERE details @? '$.tags[*] ? (@ == "t3")'""",
    ),
    Query(
        "documents",
        "shop",
        """
        SELECT id, title, md5(body), length(original), md5(original), metadata::text, words
        FROM app.documents ORDER BY id LIMIT 100""",
    ),
    Query(
        "documents found by words",
        "shop",
        """
        SELECT count(*), md5(string_agg(title, ',' ORDER BY id)) FROM app.documents
        WHERE words @@ 'thunder & silver'::tsquery""",
    ),
    Query(
        "large objects",
        "shop",
        """
        SELECT id, file_name, size = length(lo_get(content)), digest = sha256(lo_get(content)), md5(lo_get(content)),
               obj_description(content, 'pg_largeobject')
        FROM app.attachments ORDER BY id""",
    ),
    Query(
        "large objects' owners and grants",
        "shop",
        """
        SELECT a.id, pg_get_userbyid(m.lomowner), coalesce(g.rolname, 'PUBLIC') AS grantee, p.privilege_type,
            p.is_grantable
        FROM app.attachments AS a JOIN pg_largeobject_metadata AS m ON m.oid = a.content
        CROSS JOIN LATERAL aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) AS p LEFT
        JOIN pg_roles AS g ON g.oid = p.grantee
        ORDER BY a.id, 3, 4""",
    ),
    Query(
        "reservations",
        "shop",
        """
        SELECT resource_id, count(*), min(lower(during)), max(upper(during)), count(reserved_for)
        FROM app.reservations
        GROUP BY resource_id ORDER BY resource_id""",
    ),
    Query(
        "warehouses and their managers",
        "shop",
        """
        SELECT w.id, w.name, w."position"::text, w.area::text, w.opening_hours, s.name, s.shift, s.badge::text,
            s.flags::text
        FROM app.warehouses AS w JOIN app.staff AS s ON s.id = w.manager_id ORDER BY w.id""",
    ),
    Query("stock", "shop", "SELECT warehouse_id, count(*), sum(quantity) FROM app.stock GROUP BY 1 ORDER BY 1"),
    Query(
        "inheritance with and without ONLY",
        "shop",
        """
        SELECT 'all' AS which, tableoid::regclass::text COLLATE "C" AS part, count(*), min(name COLLATE "C")
        FROM crm.people GROUP BY 2
        UNION ALL SELECT 'only', 'crm.people', count(*), min(name COLLATE "C") FROM ONLY crm.people
        UNION ALL SELECT 'employees', tableoid::regclass::text COLLATE "C", count(*), min(name COLLATE "C")
        FROM crm.employees GROUP BY 2
        ORDER BY 1, 2""",
    ),
    Query(
        "notes that alice may see", "shop", "SELECT id, owner_name, is_public, body FROM crm.notes ORDER BY id", "alice"
    ),
    Query("secrets that alice may see", "shop", "SELECT id, md5(secret) FROM crm.secrets ORDER BY id", "alice"),
    Query("secrets that bob may see", "shop", "SELECT id, md5(secret) FROM crm.secrets ORDER BY id", "bob"),
    Query(
        "secrets that their owner may see", "shop", "SELECT id, md5(secret) FROM crm.secrets ORDER BY id", "app_owner"
    ),
    Query(
        "salary by security definer", "shop", "SELECT app.staff_salary(3), (SELECT count(name) FROM app.staff)", "alice"
    ),
    Query(
        "what alice may do",
        "shop",
        """
        SELECT has_table_privilege('alice', 'app.staff', 'SELECT'), has_column_privilege('alice', 'app.staff',
            'name', 'SELECT'),
               has_column_privilege('alice', 'app.staff', 'salary', 'SELECT'), has_schema_privilege('bob', 'crm',
                   'CREATE'),
               has_function_privilege('bob', 'app.staff_salary(integer)', 'EXECUTE'),
               has_type_privilege('alice', 'app.money_amount', 'USAGE'), has_sequence_privilege('alice',
                   'app.ticket_number', 'SELECT'),
               has_database_privilege('alice', current_database(), 'CONNECT'), pg_has_role('bob', 'app_write',
                   'MEMBER WITH ADMIN OPTION')
        """,
    ),
    Query(
        "quoted names",
        "shop",
        '''
        SELECT * FROM "Odd Schema"."Mixed Case Table" AS m
        JOIN "Odd Schema"."View of ""Things""" AS v ON v."The Id" = m."Id"
        ORDER BY m."Id" ''',
    ),
    Query(
        "quoted function and table",
        "shop",
        '''
        SELECT f."out put", (SELECT sum("Ref") FROM "Odd Schema"."it's; DROP TABLE x --")
        FROM "Odd Schema"."Function ""Odd"""('x') AS f''',
    ),
    Query("special values", "shop", "SELECT to_jsonb(s) - 'j' FROM public.special_values AS s ORDER BY id"),
    Query("special values as text", "shop", "SELECT s::text FROM public.special_values AS s ORDER BY id"),
    Query(
        "duplicates without a key",
        "shop",
        """
        SELECT a, b, c, count(*) FROM public.no_key GROUP BY a, b, c ORDER BY a, b COLLATE "C" NULLS LAST""",
    ),
    Query(
        "rows without columns",
        "shop",
        """
        SELECT (SELECT count(*) FROM public.no_columns), (SELECT count(*) FROM public.empty_table)""",
    ),
    Query(
        "wide table",
        "shop",
        "SELECT md5(string_agg(w::text, E'\\n' ORDER BY id)), count(*) FROM public.wide_table AS w",
    ),
    Query("dropped columns", "shop", "SELECT * FROM public.dropped_columns ORDER BY kept_one"),
    Query("settings", "shop", 'SELECT key, value, changed_by FROM public.settings ORDER BY key COLLATE "C"'),
    Query(
        "unlogged session cache", "shop", "SELECT token, payload::text, expires FROM app.session_cache ORDER BY token"
    ),
    Query("audit trail", "shop", "SELECT count(*), min(id), max(id), min(happened_at) FROM app.audit_trail"),
    Query(
        "session settings of the database",
        "shop",
        """
        SELECT current_setting('timezone'), current_setting('search_path'),
            timestamptz '2026-07-01 12:00:00+00'::text,
               current_setting('default_transaction_isolation'),
                   'customers'::regclass::text""",
        fixed_settings=False,
    ),
]

BILLING = [
    Query(
        "accounts by currency",
        "billing",
        """
        SELECT currency, count(*), count(closed), min(iban COLLATE "C"), max(holder COLLATE "C"),
            min(public_id::text COLLATE "C")
        FROM billing.accounts GROUP BY 1 ORDER BY 1""",
    ),
    Query(
        "password check by pgcrypto",
        "billing",
        """
        SELECT id, password_hash = encode(public.digest(id::text, 'sha256'), 'base64') FROM billing.accounts
        WHERE id <= 20 ORDER BY id""",
    ),
    Query(
        "invoices by partition",
        "billing",
        """
        SELECT tableoid::regclass::text COLLATE "C", count(*), sum(amount), min(due), max(due), count(*)
            FILTER (WHERE paid)
        FROM billing.invoices GROUP BY 1 ORDER BY 1""",
    ),
    Query(
        "open invoices",
        "billing",
        """
        SELECT * FROM billing.open_invoices ORDER BY amount DESC, id LIMIT 50""",
    ),
    Query(
        "invoices in euro",
        "billing",
        """
        SELECT i.currency, i.issued, round(sum(i.amount * r.rate), 4) FROM billing.invoices AS i
        JOIN billing.exchange_rates AS r ON r.base = i.currency AND r.quote = 'EUR' AND r.day = i.issued
        GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 200""",
    ),
    Query(
        "invoice lines",
        "billing",
        """
        SELECT (line ->> 'text') COLLATE "C" AS text, count(*), sum((line ->> 'amount')::numeric)
        FROM billing.invoices, jsonb_array_elements(lines) AS line GROUP BY 1 ORDER BY 1""",
    ),
    Query(
        "payments by day of summer time",
        "billing",
        """
        SELECT (received AT TIME ZONE 'Europe/Copenhagen')::date, method, count(*), sum(amount)
        FROM billing.payments GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 100""",
    ),
    Query(
        "payments that alice may see",
        "billing",
        """
        SELECT method, count(*), sum(amount) FROM billing.payments GROUP BY 1 ORDER BY 1""",
        "alice",
    ),
    Query(
        "raw payments",
        "billing",
        """
        SELECT id, reference, raw FROM billing.payments WHERE raw IS NOT NULL ORDER BY id LIMIT 40""",
    ),
    Query(
        "ledger adds up",
        "billing",
        """
        SELECT sum(amount), count(DISTINCT booking), (SELECT count(*) FROM (
            SELECT booking FROM billing.ledger GROUP BY booking HAVING sum(amount) <> 0) AS wrong)
            FROM billing.ledger""",
    ),
    Query(
        "balances by function and materialised view",
        "billing",
        """
        SELECT account_id, balance, postings, billing.balance_of(account_id) FROM billing.account_balances
        ORDER BY account_id LIMIT 20""",
    ),
    Query("tax rules", "billing", "SELECT id, rate, valid FROM billing.tax_rules ORDER BY id"),
    Query(
        "scans",
        "billing",
        """
        SELECT count(*), sum(length(image)), md5(string_agg(coalesce(md5(image), '-'), '' ORDER BY id))
        FROM billing.scans""",
    ),
    Query(
        "scanned large objects",
        "billing",
        """
        SELECT id, md5(lo_get(large_object)), obj_description(large_object, 'pg_largeobject')
        FROM billing.scans WHERE large_object IS NOT NULL ORDER BY id""",
    ),
    Query(
        "arrays of composites",
        "billing",
        "SELECT account_id, postings, balance FROM public.balances ORDER BY account_id",
    ),
    Query(
        "archive and log",
        "billing",
        """
        SELECT (SELECT sum(amount) FROM archive.invoices_2019), (SELECT array_agg(what ORDER BY id)
        FROM public.change_log)""",
    ),
    Query(
        "rounding by currency",
        "billing",
        """
        SELECT c, billing.rounded(1234.5678, c) FROM unnest(enum_range(NULL::billing.currency)) AS c ORDER BY c""",
    ),
    Query(
        "session settings of the other database",
        "billing",
        """
        SELECT current_setting('timezone') <> '', current_setting('search_path'),
            current_setting('default_transaction_isolation'),
               'ledger'::regclass::text""",
        fixed_settings=False,
    ),
]


def _grants(kind: str, catalogue: str, alias: str, name: str, acl: str, owner: str, schema: str) -> str:
    """Return a query that lists every grant on one kind of object, default ones included."""
    # MAINTAIN came with version 17 and is part of what an owner or ALL has from then on.
    return f"""
        SELECT {name} AS object, pg_get_userbyid({alias}.{owner}) AS owner, coalesce(g.rolname, 'PUBLIC') AS grantee,
               p.privilege_type, p.is_grantable
        FROM {catalogue} AS {alias} JOIN pg_namespace AS n ON n.oid = {alias}.{schema}
        CROSS JOIN LATERAL aclexplode(coalesce({alias}.{acl}, acldefault({kind}, {alias}.{owner}))) AS p
        LEFT JOIN pg_roles AS g ON g.oid = p.grantee
        WHERE {OWN} AND p.privilege_type <> 'MAINTAIN'
          AND {NOT_OF_EXTENSION.format(catalogue=catalogue, oid=alias + ".oid")}
        ORDER BY 1, 2, 3, 4"""


def _name(alias: str, column: str) -> str:
    """Return an expression for an object's quoted, qualified name."""
    return f"(quote_ident(n.nspname) || '.' || quote_ident({alias}.{column})) COLLATE \"C\""


#: Asked of both databases: what the catalogue says of the application's objects.
CATALOGUE = {
    "objects by kind": f"""
        SELECT n.nspname COLLATE "C", c.relkind::text, c.relpersistence::text, c.relispartition, c.relrowsecurity,
               c.relforcerowsecurity, c.relispopulated, count(*), md5(string_agg(c.relname, ','
               ORDER BY c.relname COLLATE "C"))
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {OWN}
        GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7""",
    # From version 17 on, partitions share the identity of their parent; before, they had none.
    "columns": f"""
        SELECT {_name("c", "relname")}, a.attname COLLATE "C", format_type(a.atttypid, a.atttypmod), a.attnotnull,
               CASE WHEN NOT c.relispartition THEN a.attidentity::text END, a.attgenerated::text,
                   a.attstorage::text, a.atthasdef, l.collname, a.attislocal, a.attinhcount,
               row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum)
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
        WHERE {OWN} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'c')
        ORDER BY 1, a.attnum""",
    "constraints": f"""
        SELECT coalesce({_name("c", "relname")}, {_name("t", "typname")}), k.conname COLLATE "C", k.contype::text,
            k.convalidated,
               k.condeferrable, k.condeferred, k.contype = 'c' AND k.connoinherit
        FROM pg_constraint AS k JOIN pg_namespace AS n ON n.oid = k.connamespace LEFT
        JOIN pg_class AS c ON c.oid = k.conrelid
        LEFT JOIN pg_type AS t ON t.oid = k.contypid WHERE {OWN} AND k.contype NOT IN ('n', 't') ORDER BY 1, 2""",
    "indexes": f"""
        SELECT {_name("c", "relname")}, i.indisunique, i.indisprimary, i.indisexclusion, i.indisvalid,
            i.indisclustered,
               i.indisreplident, i.indnatts, i.indnkeyatts, i.indpred IS NOT NULL, i.indexprs IS NOT NULL, m.amname,
               c.reloptions
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_am AS m ON m.oid = c.relam WHERE {OWN} ORDER BY 1""",
    # Triggers that partitions got from their parent count as internal up to version 14 only.
    "triggers": f"""
        SELECT {_name("c", "relname")}, g.tgname COLLATE "C", g.tgenabled::text, g.tgtype, g.tgdeferrable,
            g.tginitdeferred
        FROM pg_trigger AS g JOIN pg_class AS c ON c.oid = g.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {OWN} AND (NOT g.tgisinternal OR g.tgparentid <> 0 AND g.tgconstraint = 0) ORDER BY 1, 2""",
    "rules and policies": f"""
        SELECT {_name("c", "relname")}, r.rulename COLLATE "C", r.ev_type::text, r.ev_enabled::text,
            r.is_instead::text, ''
        FROM pg_rewrite AS r JOIN pg_class AS c ON c.oid = r.ev_class
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {OWN}
        AND {NOT_OF_EXTENSION.format(catalogue="pg_class", oid="c.oid")}
        UNION ALL
        SELECT {_name("c", "relname")}, y.polname COLLATE "C", y.polcmd::text, y.polpermissive::text,
            pg_get_expr(y.polqual, y.polrelid),
               (SELECT string_agg(coalesce(o.rolname, 'PUBLIC'), ',' ORDER BY o.rolname)
                FROM unnest(y.polroles) AS p(id) LEFT JOIN pg_roles AS o ON o.oid = p.id)
        FROM pg_policy AS y JOIN pg_class AS c ON c.oid = y.polrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {OWN}
        ORDER BY 1, 2""",
    "routines": f"""
        SELECT {_name("f", "proname")}, pg_get_function_identity_arguments(f.oid) COLLATE "C", f.prokind::text,
            f.provolatile::text,
               f.prosecdef, f.proisstrict, f.proparallel::text, f.proconfig, f.procost, f.prorows, md5(f.prosrc)
        FROM pg_proc AS f JOIN pg_namespace AS n ON n.oid = f.pronamespace
        WHERE {OWN} AND {NOT_OF_EXTENSION.format(catalogue="pg_proc", oid="f.oid")} ORDER BY 1, 2""",
    "enum labels": f"""
        SELECT {_name("t", "typname")}, array_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid JOIN pg_namespace AS n ON n.oid = t.typnamespace
        WHERE {OWN} GROUP BY 1 ORDER BY 1""",
    "extensions": """
        SELECT e.extname COLLATE "C", n.nspname COLLATE "C" FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace
        ORDER BY 1""",
    "sequences": f"""
        SELECT {_name("c", "relname")}, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin,
            s.seqmax, s.seqcache,
               s.seqcycle, pg_sequence_last_value(s.seqrelid)
        FROM pg_sequence AS s JOIN pg_class AS c ON c.oid = s.seqrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE {OWN} ORDER BY 1""",
    "comments": f"""
        SELECT d.classoid::regclass::text COLLATE "C", d.objsubid, d.description COLLATE "C", count(*)
        FROM pg_description AS d
        WHERE d.classoid NOT IN ('pg_extension'::regclass, 'pg_namespace'::regclass)
          AND d.objoid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend AS x WHERE x.classid = d.classoid
              AND x.objid = d.objoid
                                                AND x.deptype IN ('e', 'i')
                                                    AND x.refclassid = 'pg_extension'::regclass)
        GROUP BY 1, 2, 3
        UNION ALL SELECT 'pg_database', 0, description COLLATE "C", count(*) FROM pg_shdescription
        WHERE classoid = 'pg_database'::regclass AND objoid = (SELECT oid FROM pg_database
        WHERE datname = current_database())
        GROUP BY 3
        UNION ALL SELECT 'pg_namespace', 0, obj_description(n.oid, 'pg_namespace') COLLATE "C", count(*)
        FROM pg_namespace AS n
        WHERE {OWN} AND n.nspname <> 'public' AND obj_description(n.oid, 'pg_namespace') IS NOT NULL GROUP BY 3
        ORDER BY 1, 2, 3""",
    "grants on relations": _grants(
        "CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r'::\"char\" END",
        "pg_class",
        "c",
        _name("c", "relname"),
        "relacl",
        "relowner",
        "relnamespace",
    ).replace("WHERE ", "WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND ", 1),
    "grants on routines": _grants(
        "'f'",
        "pg_proc",
        "f",
        f"{_name('f', 'proname')} || '(' || pg_get_function_identity_arguments(f.oid) || ')'",
        "proacl",
        "proowner",
        "pronamespace",
    ),
    # Types that the server makes along with others (arrays, multiranges) are left out: up to version 16 a change of
    # a range's owner does not reach its multirange.
    "grants on types": _grants(
        "'T'", "pg_type", "t", _name("t", "typname"), "typacl", "typowner", "typnamespace"
    ).replace(
        "WHERE ", "WHERE t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type AS e WHERE e.typarray = t.oid) AND ", 1
    ),
    "grants on columns": f"""
        SELECT {_name("c", "relname")}, a.attname COLLATE "C", coalesce(g.rolname, 'PUBLIC'), p.privilege_type,
            p.is_grantable
        FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL aclexplode(a.attacl) AS p LEFT JOIN pg_roles AS g ON g.oid = p.grantee WHERE {OWN}
        ORDER BY 1, 2, 3, 4""",
    # The schema public is left out: its owner and grants are the version's, not the application's.
    "grants on schemas and database": f"""
        SELECT 'schema ' || n.nspname COLLATE "C", pg_get_userbyid(n.nspowner), coalesce(g.rolname, 'PUBLIC'),
            p.privilege_type,
               p.is_grantable
        FROM pg_namespace AS n CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS p
        LEFT JOIN pg_roles AS g ON g.oid = p.grantee WHERE {OWN} AND n.nspname <> 'public'
        UNION ALL
        SELECT 'database', pg_get_userbyid(b.datdba), coalesce(g.rolname, 'PUBLIC'), p.privilege_type, p.is_grantable
        FROM pg_database AS b CROSS JOIN LATERAL aclexplode(coalesce(b.datacl, acldefault('d', b.datdba))) AS p
        LEFT JOIN pg_roles AS g ON g.oid = p.grantee WHERE b.datname = current_database()
        ORDER BY 1, 2, 3, 4""",
    "default privileges": """
        SELECT pg_get_userbyid(f.defaclrole), coalesce(n.nspname, ''), f.defaclobjtype::text, coalesce(g.rolname,
            'PUBLIC'),
               p.privilege_type
        FROM pg_default_acl AS f LEFT JOIN pg_namespace AS n ON n.oid = f.defaclnamespace
        CROSS JOIN LATERAL aclexplode(f.defaclacl) AS p LEFT JOIN pg_roles AS g ON g.oid = p.grantee
        WHERE p.privilege_type <> 'MAINTAIN' ORDER BY 1, 2, 3, 4, 5""",
    "settings of database and roles": """
        SELECT coalesce(r.rolname, ''), s.setdatabase <> 0, (SELECT array_agg(c ORDER BY c COLLATE "C")
        FROM unnest(s.setconfig) AS c)
        FROM pg_db_role_setting AS s LEFT JOIN pg_roles AS r ON r.oid = s.setrole
        WHERE s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          AND coalesce(r.rolname, '') IN ('', 'alice', 'bob', 'app_owner', 'billing_owner', 'app_read',
              'app_write') ORDER BY 1, 2""",
    # Version 16 turned inheritance into an option of each membership; what counts is who is a member of what.
    "roles and memberships": """
        SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolconnlimit, r.rolvaliduntil,
               (SELECT array_agg(DISTINCT g.rolname || CASE WHEN m.admin_option THEN ' with admin option' ELSE '' END)
                FROM pg_auth_members AS m JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid),
               shobj_description(r.oid, 'pg_authid')
        FROM pg_roles AS r WHERE r.rolname IN ('alice', 'bob', 'app_owner', 'billing_owner', 'app_read',
            'app_write') ORDER BY 1""",
    "extended statistics": f"""
        SELECT {_name("s", "stxname")}, pg_get_userbyid(s.stxowner), s.stxkind::text[], s.stxexprs IS NOT NULL
        FROM pg_statistic_ext AS s JOIN pg_namespace AS n ON n.oid = s.stxnamespace WHERE {OWN} ORDER BY 1""",
    "storage options": f"""
        SELECT {_name("c", "relname")}, c.relreplident::text, c.reloptions FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {OWN} AND c.relkind IN ('r', 'p', 'm', 'v')
        ORDER BY 1""",
}

QUERIES: list[Query] = [
    *SHOP,
    *BILLING,
    *(
        Query(f"{database}: {name}", database, statement)
        for database in ("shop", "billing")
        for name, statement in CATALOGUE.items()
    ),
]


def answers(connection: Callable[[str], dict]) -> dict[str, list[tuple]]:
    """Ask every stored query; return its rows by the query's name.

    ``connection`` takes a database's name and returns connection parameters in libpq's words. A query that fails
    gives a single row with the error's SQLSTATE and message, so that one missing table does not hide the rest.
    Raises psycopg2.OperationalError when a database cannot be reached.
    """
    import psycopg2  # Not needed to obtain binaries or to start clusters.

    found: dict[str, list[tuple]] = {}
    for database in dict.fromkeys(query.database for query in QUERIES):
        session = psycopg2.connect(**connection(database))
        try:
            _use_text_for_everything(session)
            for query in QUERIES:
                if query.database == database:
                    found[query.name] = _ask(session, query)
        finally:
            session.close()
    return found


def compare(source: Callable[[str], dict], target: Callable[[str], dict]) -> list[Difference]:
    """Ask both sides (each a function from a database's name to connection parameters); return what differs."""
    return compare_answers(answers(source), answers(target))


def compare_answers(source: dict[str, list[tuple]], target: dict[str, list[tuple]]) -> list[Difference]:
    """Compare what ``answers`` returned for both sides. A query that failed on the source is a difference, too."""
    differences = []
    for name in {**source, **target}:
        one, other = source.get(name), target.get(name)
        if one == other and one is not None and not _failed(one):
            continue
        if one is None or other is None or _failed(one) or _failed(other) or len(one) != len(other):
            differences.append(Difference(name, one, other))
        else:
            position = next(number for number in range(len(one)) if one[number] != other[number])
            differences.append(Difference(f"{name}, row {position + 1}", one[position], other[position]))
    return differences


def _ask(session, query: Query) -> list[tuple]:
    """Run one query in a transaction of its own, which is always undone."""
    import psycopg2

    try:
        with session.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            if query.fixed_settings:
                cursor.execute(FIXED_SETTINGS)
            if query.role:
                cursor.execute(f"SET LOCAL ROLE {query.role}")
            cursor.execute(query.sql)
            return cursor.fetchall()
    except psycopg2.Error as error:
        return [("failed", error.pgcode, str(error).strip())]
    finally:
        session.rollback()


def _failed(rows: list[tuple]) -> bool:
    """Tell whether this is the answer of a query that failed."""
    return len(rows) == 1 and len(rows[0]) == 3 and rows[0][0] == "failed"


def _use_text_for_everything(session) -> None:
    """Get every value as the server prints it: Python has no infinite dates and no year 4713 BC."""
    from psycopg2 import extensions

    everything = extensions.new_type(tuple(extensions.string_types), "TEXT_AS_PRINTED", lambda value, _cursor: value)
    extensions.register_type(everything, session)


def _shorten(value: object) -> str:
    """Return a value's text, cut to what fits into a message."""
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."
