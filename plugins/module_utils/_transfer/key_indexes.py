# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of a primary or unique key is built beside its table's other indexes; the key then takes it over.

ALTER TABLE ADD CONSTRAINT wants the table for itself for as long as it builds the index, so the other indexes of a large
table would wait for it, or it for them, with processors to spare. CREATE UNIQUE INDEX lets them be built at the same
time, and ADD CONSTRAINT USING INDEX takes no time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from .._postgres.connection import rows
from .._postgres.quoting import qualified, quote_identifier
from .contents import Selection
from .effort import CLASS_CONSTRAINT, LEAST
from .plan import Content, Order, Unit
from .statements import split_statements

LEAST_BYTES = 16 << 20  # of a table; below, nobody waits long for its key
INDEX = ":index"

KEYS = """
SELECT k.oid, n.nspname AS schema, c.relname AS relation, k.conname AS name, k.contype::text AS kind,
       pg_catalog.pg_get_indexdef(k.conindid) AS definition, k.condeferrable AS deferrable, k.condeferred AS deferred
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_index x ON x.indexrelid = k.conindid
 WHERE k.contype IN ('p', 'u') AND c.relkind = 'r' AND c.oid = ANY (%(tables)s::oid[]) AND {plain} AND x.indisvalid
   AND EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indexrelid <> k.conindid)
   -- Old servers let a key take over an index that sorts otherwise than its columns; today's do not.
   AND NOT EXISTS (
     SELECT 1 FROM ROWS FROM (pg_catalog.unnest(x.indkey::int2[]), pg_catalog.unnest(x.indcollation::oid[]),
                              pg_catalog.unnest(x.indoption::int2[])) u(number, sorting, flags)
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.number
      WHERE u.sorting <> a.attcollation OR u.flags <> 0)
"""
# A key over periods has an index that no statement of its own can build.
PLAIN = "NOT k.conperiod"


class KeyIndex(NamedTuple):
    """A key and its index: the statement that builds the index, and the one that makes it the key's."""

    build: str
    take_over: str


def read_key_indexes(session, tables: list) -> dict:
    """Return C({number of the constraint: KeyIndex}) of the keys of large tables that have other indexes too.

    :param tables: see M(catalogue.read_tables)
    """
    large = [oid for table in tables if table.bytes >= LEAST_BYTES for oid in (table.oid, *table.leaves)]
    found: dict = {}
    if not large:
        return found
    plain = PLAIN if session.server_version >= 180000 else "true"
    for row in rows(session, KEYS.format(plain=plain), {"tables": large}):
        name = quote_identifier(row["name"])
        words = ["PRIMARY KEY" if row["kind"] == "p" else "UNIQUE", f"USING INDEX {name}"]
        words += ["DEFERRABLE"] * row["deferrable"] + ["INITIALLY DEFERRED"] * row["deferred"]
        relation = qualified(row["schema"], row["relation"])
        found[row["oid"]] = KeyIndex(
            f"{row['definition']};", f"ALTER TABLE ONLY {relation} ADD CONSTRAINT {name} {' '.join(words)};"
        )
    return found


class Text(Content):
    """A statement that is known already."""

    def __init__(self, text: str):
        self.text = text

    def order(self, unit: Unit) -> Order:
        return Order({**unit.task, "text": self.text}, (unit.name,), (unit.part_of or unit.name,))


class TakeOver(Content):
    """The entry of a key with its first statement replaced; what follows it is about the key that then exists.

    :param content: gives the entry's own order
    """

    def __init__(self, content: Content, statement: str):
        self.content, self.statement = content, statement

    def order(self, unit: Unit) -> Order:
        order = self.content.order(unit)
        others = split_statements(order.task["text"])[1:]
        text = "\n".join([self.statement, *(f"{words};" for words in others)])
        return order._replace(task={**order.task, "text": text})


def build_first(unit: Unit, key: KeyIndex, done: dict) -> list:
    """Return the units that do a key's I(unit): one that builds the index, unless it is there, and one that takes it over.

    :param done: the markers
    """
    name = unit.name + INDEX
    last = replace(unit, weight=LEAST, content=TakeOver(unit.content, key.take_over))
    if name in done:
        return [last]
    last.waits_for = unit.waits_for | {name}
    first = replace(
        unit, name=name, label=f"index of {unit.label}", locks=frozenset(), shares=unit.locks, part_of=unit.name,
        content=Text(key.build),
    )  # fmt: skip
    return [first, last]


def spread(units: list, keys: Selection, found: dict, done: dict) -> list:
    """Return I(units), which do the entries I(keys) in their order, with the keys in I(found) built in two steps.

    :param found: see M(read_key_indexes)
    :param done: the markers
    """
    contents, result = keys.contents, []
    for unit, place in zip(units, keys.places):
        key = found.get(contents.oids[place]) if contents.catalogues[place] == CLASS_CONSTRAINT else None
        result += build_first(unit, key, done) if key else [unit]
    return result
