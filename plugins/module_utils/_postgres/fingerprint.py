# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingerprints of tables: a row count and a sum of row hashes that are equal on every server from 11 to 18.

A row is hashed through the binary send images of its columns, not through text: the images do not depend on settings,
collations, the database's encoding (with client_encoding UTF8) or the major version. The outer hash makes the sum
sensitive to values that were swapped between rows. The sum does not depend on the order of the rows, adds up over
parts of a table, and, unlike an exclusive or, sees rows that are there twice. It detects errors, not forgery.
"""

from __future__ import annotations

from dataclasses import dataclass

from .._core.errors import MigrationError
from .connection import value
from .driver import psycopg2
from .quoting import qualified, quote_identifier

SEED = 4611686018427387905
KEY_SEED = 77

# How a column becomes bytes. The last one is what every type can do.
SEND, ARRAY_SEND, RECORD_SEND, TEXT = "send", "array_send", "record_send", "text"
# The text of an expression that somebody put in the column's place.
EXPRESSION = "expression"

# Object identifiers below this one are the same on every server (FirstGenbkiObjectId, src/include/access/transam.h).
FIRST_VARIABLE_OID = 10000

# Types whose send image is an object identifier, which no dump keeps; their name is what is kept. And refcursor, whose
# send function takes text only.
NAME_TYPES = frozenset(
    "regproc regprocedure regoper regoperator regclass regcollation regconfig regdictionary regnamespace regrole "
    "regtype regdatabase refcursor".split()
)

# Built-in types made of floating-point numbers that are no arrays, ranges or composites.
FLOATS = frozenset("float4 float8 point lseg path box polygon line circle".split())

# The functions are not documented, so each end has to show that it computes what the others do. Values measured on
# 11 to 18, x86-64; machines of the other byte order give other ones and must not be trusted.
CANARIES = (
    ("pg_catalog.hashtextextended('probe', 0)", -3024164691344751044),
    ("pg_catalog.hash_array_extended(ARRAY[pg_catalog.decode('0102', 'hex')], 0)", 8025542428437421091),
    ("pg_catalog.hashint8extended(42, 1)", 3812564155960986560),
)
LITERAL_ROW = (
    'SELECT 7::pg_catalog.int8 AS "id", \'Zoe\'::pg_catalog.text AS "the ""name""", NULL::pg_catalog.text AS "n", '
    'ARRAY[1.50, NULL]::pg_catalog.numeric[] AS "a"'
)
LITERAL_ROW_HASH = -6738261886462298724

COLUMNS = """
SELECT n.nspname, c.relname, a.attname, a.atttypid, {generated} AS generated,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_text
FROM pg_catalog.pg_attribute a
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE {condition} AND c.relkind IN ('r', 'p', 'm', 'f', 'v') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY n.nspname, c.relname, a.attnum
"""

# Every type that the given ones are made of: base types of domains, elements, range subtypes, fields.
TYPES = """
WITH RECURSIVE needed(oid) AS (
    SELECT pg_catalog.unnest(%(types)s::pg_catalog.oid[])
    UNION
    SELECT part.oid FROM needed n CROSS JOIN LATERAL (
        SELECT t.typbasetype AS oid FROM pg_catalog.pg_type t WHERE t.oid = n.oid AND t.typbasetype <> 0
        UNION ALL
        SELECT t.typelem FROM pg_catalog.pg_type t WHERE t.oid = n.oid AND t.typelem <> 0
        UNION ALL
        SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = n.oid {part}
        UNION ALL
        SELECT a.atttypid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid
        WHERE t.oid = n.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
    ) part
)
SELECT t.oid::pg_catalog.int8, n.nspname, t.typname, t.typtype::pg_catalog.text,
       t.typbasetype::pg_catalog.int8, t.typelem::pg_catalog.int8,
       (SELECT r.rngsubtype::pg_catalog.int8 FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid {whole}),
       CASE WHEN t.typtype = 'c' THEN ARRAY(
           SELECT a.atttypid::pg_catalog.int8 FROM pg_catalog.pg_attribute a
           WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END,
       pn.nspname, p.proname
FROM needed
JOIN pg_catalog.pg_type t ON t.oid = needed.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_proc p ON p.oid = t.typsend
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
"""


class ColumnsDiffer(MigrationError):
    """The two ends of a table do not have the same columns; C(details) is C({missing, unexpected, changed})."""

    code = "columns-differ"


class RowTooLarge(MigrationError):
    """A row's image passes the server's limit of 1 GB: repeat the table on both ends with C(prehash=True)."""

    code = "row-too-large"


@dataclass(frozen=True)
class Column:
    """One column of one end.

    I(type_schema) and I(type_name) name the base type (domains are flattened); I(send) is the quoted, qualified send
    function or None; I(form) is the best form that this end can offer; I(type_text) is the type as people write it;
    I(domain) says that the value has to be cast to the base type; I(generated) that it is computed on load; I(floats)
    that there are floating-point numbers in it. I(expression) is the SQL that is compared in its place, if any.
    """

    name: str
    type_schema: str
    type_name: str
    send: str | None
    form: str
    type_text: str
    domain: bool
    generated: bool
    floats: bool = False
    expression: str = ""


@dataclass(frozen=True)
class _Type:
    oid: int
    schema: str
    name: str
    kind: str
    base: int
    element: int
    subtype: int | None
    fields: list | None
    send_schema: str | None
    send_name: str | None


def types_query(version: int) -> str:
    """Return the query for types; a multirange (14 and newer) has its range's subtype."""
    part, whole = ("OR r.rngmultitypid = n.oid", "OR r.rngmultitypid = t.oid") if version >= 140000 else ("", "")
    return TYPES.format(part=part, whole=whole)


def check_canaries(connection) -> bool:
    """Return whether this server computes the hashes, and this file the expressions, that all others do."""
    tests = [(f"SELECT {expression}", expected) for expression, expected in CANARIES]
    columns = [
        Column("id", "pg_catalog", "int8", '"pg_catalog"."int8send"', SEND, "bigint", False, False),
        Column('the "name"', "pg_catalog", "text", '"pg_catalog"."textsend"', SEND, "text", False, False),
        Column("n", "pg_catalog", "text", '"pg_catalog"."textsend"', TEXT, "text", False, False),
        Column("a", "pg_catalog", "_numeric", '"pg_catalog"."array_send"', ARRAY_SEND, "numeric[]", False, False),
    ]
    expression = row_hash([(column.name, column.form) for column in columns], columns)
    tests.append((f"SELECT {expression} FROM ({LITERAL_ROW}) t", LITERAL_ROW_HASH))
    return all(value(connection, sql) == expected for sql, expected in tests)


def _natural_form(oid: int, types: dict, utf8: bool) -> str:
    """Return the form for type I(oid): images that hold object identifiers of user types are no good.

    :param utf8: whether the server's encoding is UTF8
    """
    item = types[oid]
    if item.kind == "d":
        return _natural_form(item.base, types, utf8)
    if item.send_name is None or (item.schema == "pg_catalog" and item.name in NAME_TYPES):
        return TEXT
    if not utf8 and item.kind == "b" and oid >= FIRST_VARIABLE_OID:
        return TEXT  # the images of some extension types hold lengths in the server's encoding, as hstore's does
    if item.send_name == "array_send" and item.element:
        plain = item.element < FIRST_VARIABLE_OID and _natural_form(item.element, types, utf8) == SEND
        return ARRAY_SEND if plain else TEXT
    if item.kind == "c":
        plain = all(
            field < FIRST_VARIABLE_OID and _natural_form(field, types, utf8) in (SEND, ARRAY_SEND)
            for field in item.fields
        )
        return RECORD_SEND if plain else TEXT
    if item.subtype:
        return SEND if _natural_form(item.subtype, types, utf8) in (SEND, ARRAY_SEND) else TEXT
    return SEND


def _holds_floats(oid: int, types: dict) -> bool:
    """Return whether values of type I(oid) print through floating-point numbers, whose text changed with 12."""
    item = types[oid]
    if item.schema == "pg_catalog" and item.name in FLOATS:
        return True
    parts = [item.base or None, item.element or None, item.subtype, *(item.fields or [])]
    return any(_holds_floats(part, types) for part in parts if part)


def with_expressions(columns: list, expressions: dict) -> list:
    """Return I(columns), those in C({name: SQL}) read as the text of that SQL; one that this end lacks is added."""
    known = {column.name: column for column in columns}
    for name, sql in expressions.items():
        own = known.get(name)
        known[name] = Column(
            name,
            "",
            "",
            None,
            EXPRESSION,
            own.type_text if own else "",
            False,
            bool(own and own.generated),
            False,
            sql,
        )
    return list(known.values())


def read_columns(connection, schema: str, table: str) -> list:
    """Return the M(Column)s of a table in the order of the table; virtual generated columns are left out.

    An unknown table gives an empty list, as does one without columns.
    """
    condition = "n.nspname = %(schema)s AND c.relname = %(table)s"
    return _columns(connection, condition, {"schema": schema, "table": table}).get((schema, table), [])


def read_all_columns(connection) -> dict:
    """Return C({(schema, table): [Column]}) for every user table of the database, in two queries."""
    return _columns(connection, "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'", None)


def _columns(connection, condition: str, parameters: dict | None) -> dict:
    version = connection.server_version
    utf8 = connection.get_parameter_status("server_encoding") == "UTF8"
    generated = "a.attgenerated::pg_catalog.text" if version >= 120000 else "''::pg_catalog.text"
    with connection.cursor() as cursor:
        cursor.execute(COLUMNS.format(generated=generated, condition=condition), parameters)
        found = [row for row in cursor.fetchall() if row[4] != "v"]
        cursor.execute(types_query(version), {"types": sorted({row[3] for row in found})})
        types = {row[0]: _Type(*row) for row in cursor.fetchall()}
    columns = {}
    for schema, table, name, oid, is_generated, type_text in found:
        base = types[oid]
        while base.kind == "d":
            base = types[base.base]
        column = Column(
            name=name,
            type_schema=base.schema,
            type_name=base.name,
            send=qualified(base.send_schema, base.send_name) if base.send_name else None,
            form=_natural_form(oid, types, utf8),
            type_text=type_text,
            domain=types[oid].kind == "d",
            generated=bool(is_generated),
            floats=_holds_floats(oid, types),
        )
        columns.setdefault((schema, table), []).append(column)
    return columns


def choose_forms(source_columns: list, target_columns: list) -> list:
    """Return C([(column name, form)]) in the source's order, a form that both ends can produce alike.

    :raises ColumnsDiffer: when names or base types are not the same on both ends
    """
    source = {column.name: column for column in source_columns}
    target = {column.name: column for column in target_columns}
    missing = [name for name in source if name not in target]
    unexpected = [name for name in target if name not in source]
    changed = [
        name
        for name, column in source.items()
        if name in target
        and (column.type_schema, column.type_name) != (target[name].type_schema, target[name].type_name)
    ]
    if missing or unexpected or changed:
        said = [
            f"{word} {', '.join(names)}"
            for word, names in (
                ("missing on the target:", missing),
                ("only on the target:", unexpected),
                ("of another type:", changed),
            )
            if names
        ]
        raise ColumnsDiffer(
            f"The columns differ ({'; '.join(said)}).",
            "Make the table's definition on the target that of the source, then copy it again.",
            {"missing": missing, "unexpected": unexpected, "changed": changed},
        )
    return [(name, column.form if column.form == target[name].form else TEXT) for name, column in source.items()]


def operand(form: str, column: Column) -> str:
    """Return the SQL of I(column) of alias C(t), cast to the type whose send image I(form) takes."""
    if form == EXPRESSION:
        return f"({column.expression})::pg_catalog.text"
    sql = f"t.{quote_identifier(column.name)}"
    if column.domain:
        # The send functions of enums and other polymorphic ones do not take a domain.
        sql = f"{sql}::{qualified(column.type_schema, column.type_name)}"
    return f"{sql}::pg_catalog.text" if form == TEXT else sql


def _image(form: str, column: Column) -> str:
    """Return the SQL that turns I(column) of alias C(t) into bytes."""
    if form in (TEXT, EXPRESSION):
        return f"pg_catalog.textsend({operand(form, column)})"
    function = {ARRAY_SEND: "pg_catalog.array_send", RECORD_SEND: "pg_catalog.record_send"}.get(form, column.send)
    return f"{function}({operand(form, column)})"


def column_hash(form: str, column: Column) -> str:
    """Return the SQL expression that hashes one column of alias C(t) by itself; NULL has a hash of its own."""
    return f"pg_catalog.hash_array_extended(ARRAY[{_image(form, column)}], 1)"


def key_hash(forms: list, columns: list) -> str:
    """Return the SQL expression that hashes the key columns I(forms) of alias C(t), independently of the row's hash."""
    known = {column.name: column for column in columns}
    images = ", ".join(_image(form, known[name]) for name, form in forms)
    return f"pg_catalog.hash_array_extended(ARRAY[{images}], {KEY_SEED})"


def row_hash(forms: list, columns: list, prehash: bool = False) -> str | None:
    """Return the SQL expression that hashes one row of alias C(t), or None for a table without columns.

    :param forms: what M(choose_forms) returned; its order counts, that of I(columns) does not
    :param columns: the columns of the end on which the expression will run
    :param prehash: hash each column by itself first, for rows whose image would pass 1 GB; both ends must agree
    """
    if not forms:
        return None
    known = {column.name: column for column in columns}
    images = [_image(form, known[name]) for name, form in forms]
    if prehash:
        images = [f"pg_catalog.int8send(pg_catalog.hash_array_extended(ARRAY[{image}], {SEED}))" for image in images]
    array = f"ARRAY[{', '.join(images)}]"
    return f"pg_catalog.hashint8extended(pg_catalog.hash_array_extended({array}, {SEED}), 1)"


def fingerprint_query(schema: str, table: str, expression: str | None, only: bool = True, condition: str = "") -> str:
    """Return the SELECT of a table's count and sum, see M(table_fingerprint)."""
    total = f"coalesce(pg_catalog.sum({expression}), 0)::pg_catalog.text" if expression else "'0'::pg_catalog.text"
    return f"SELECT pg_catalog.count(*), {total} FROM {'ONLY ' if only else ''}{qualified(schema, table)} t {condition}"


def table_fingerprint(
    connection, schema: str, table: str, expression: str | None, only: bool = True, condition: str = ""
) -> tuple:
    """Return C((count, sum)) of a table: an integer, and the sum of I(expression) as a decimal string.

    It reads in the caller's transaction and snapshot; inside a transaction an error leaves it usable.

    :param expression: of M(row_hash); None counts only and gives the sum C(0), as does an empty table
    :param only: leave out child tables and partitions
    :param condition: a C(WHERE) clause, for parts of a table and configuration tables of extensions
    :raises RowTooLarge: when a row passes the limit of 1 GB
    :raises psycopg2.Error: for everything else, such as a missing right
    """
    sql = fingerprint_query(schema, table, expression, only, condition)
    return guarded(connection, sql, f"{schema}.{table}")[0]


def table_fingerprints(connection, tables: list) -> list:
    """Return C([(count, sum)]) of several tables without their children, asked in one call.

    :param tables: C([(schema, table, expression, condition)])
    :raises RowTooLarge: when a row of one of them passes the limit of 1 GB
    :raises psycopg2.Error: for everything else; which of the tables it is about may not be clear
    """
    if len(tables) == 1:
        ((schema, table, expression, condition),) = tables
        return [table_fingerprint(connection, schema, table, expression, condition=condition)]
    queries = [
        fingerprint_query(schema, table, expression, True, condition).replace("SELECT ", f"SELECT {number}, ", 1)
        for number, (schema, table, expression, condition) in enumerate(tables)
    ]
    found = guarded(connection, " UNION ALL ".join(queries), "one of several tables")
    return [tuple(row[1:]) for row in sorted(found)]


def guarded(connection, sql: str, name: str, named: bool = False) -> list:
    """Run I(sql), which reads the table I(name), and return its rows; inside a transaction an error leaves it usable.

    :param named: return rows as dictionaries keyed by column name
    :raises RowTooLarge: when a row passes the limit of 1 GB
    :raises psycopg2.Error: for everything else
    """
    idle = connection.get_transaction_status() == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    inside = not (connection.autocommit and idle)
    with connection.cursor() as cursor:
        try:
            cursor.execute(f"SAVEPOINT azpg_fingerprint; {sql}" if inside else sql)
            found = cursor.fetchall()
            if named:
                found = [dict(zip([column.name for column in cursor.description], row)) for row in found]
        except psycopg2.Error as error:
            if inside and not connection.closed:
                cursor.execute("ROLLBACK TO SAVEPOINT azpg_fingerprint")
            # 54000 program_limit_exceeded; XX000 "invalid memory alloc request size" of palloc.
            if error.pgcode == "54000" or "invalid memory alloc request size" in str(error):
                raise RowTooLarge(
                    f"A row of {name} passes 1 GB.", "Repeat the table on both ends with prehash."
                ) from error
            raise
        if inside:
            # Going back gives up the locks too; those of thousands of tables would not fit the server's lock table.
            cursor.execute("ROLLBACK TO SAVEPOINT azpg_fingerprint; RELEASE SAVEPOINT azpg_fingerprint")
    return found
