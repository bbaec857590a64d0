# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking into one end of a table that differs: buckets, rows by their hashes, and what single rows are made of.

Two probes answer the same four questions, one by queries in the server, one by reading a stream here; both ends of a
table get the same kind. A row's I(identity) is the 64-bit hash of its key, or of the whole row without a key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from .._postgres.fingerprint import EXPRESSION, TEXT, column_hash, guarded, key_hash, operand, row_hash
from .._postgres.quoting import qualified
from .client_hash import BinaryRows, copy_query, operands, row_digest, short_digest, stream
from .tables import Table

BITS = 8

# Values are cut to so many characters; one more is fetched to see whether there are more.
LONGEST_VALUE = 200


def mask(depth: int) -> int:
    """Return the bits of an identity that choose its bucket at I(depth), the first being 1."""
    return (1 << BITS * depth) - 1


@dataclass
class Row:
    """What is known of the rows of one identity on one end: how many, where one lies, its key, its columns' hashes."""

    count: int
    place: tuple  # (relation as SQL, ctid)
    key: list = field(default_factory=list)
    hashes: list | None = None


class ServerProbe:
    """Questions answered by the server; I(session) is inside a transaction, which errors leave usable."""

    def __init__(self, session, table: Table, side: str, key: list | None):
        """I(key) is what M(keys.key_forms) returned."""
        self.session, self.table = session, table
        columns = table.columns[side]
        self.known = {column.name: column for column in columns}
        self.row = row_hash(table.forms, columns, table.prehash)
        self.key = [name for name, _form in key or []]
        self.identity = key_hash(key, columns) if key else self.row
        whole = table.facts["kind"] == "p"
        self.relation = f"{'' if whole else 'ONLY '}{qualified(table.schema, table.name)}"
        self.conditions = conditions(getattr(table, side)["condition"])

    def _ask(self, what: str, join: str = "", more=(), end: str = "") -> list:
        where = " AND ".join([*self.conditions, *more])
        sql = f"SELECT {what} FROM {self.relation} t {join} {'WHERE ' + where if where else ''} {end}"
        return guarded(self.session, sql, self.table.full_name)

    def _within(self, depth: int, paths) -> list:
        return [f"({self.identity} & {mask(depth)}) = {array(paths)}"] if depth else []

    def buckets(self, depth: int, paths=()) -> dict:
        """Return C({path: (count, sum)}) of the buckets at I(depth), those below I(paths) of the depth before."""
        # Eight booleans instead of one number: the planner then expects 256 groups, hashes them and goes parallel.
        bits = [f"({self.identity} & {1 << BITS * (depth - 1) + bit}) = 0" for bit in range(BITS)]
        above = [f"{self.identity} & {mask(depth - 1)}"] if depth > 1 else []
        groups = ", ".join([*bits, *above])
        what = f"pg_catalog.min({self.identity} & {mask(depth)}), pg_catalog.count(*), pg_catalog.sum({self.row})::text"
        found = self._ask(what, more=self._within(depth - 1, paths), end=f"GROUP BY {groups}")
        return {path: (count, total) for path, count, total in found}

    def rows(self, depth: int, paths, limit: int) -> list:
        """Return C([(identity, row hash, copies)]) of the rows in the buckets I(paths), at most I(limit)."""
        within = self._within(depth, paths)
        if self.key:
            return self._ask(f"{self.identity}, {self.row}, 1", more=within, end=f"LIMIT {limit}")
        return self._ask(
            f"{self.row}, {self.row}, pg_catalog.count(*)", more=within, end=f"GROUP BY 1, 2 LIMIT {limit}"
        )

    def _of(self, what: str, identities, deep=()) -> list:
        flags = f"ARRAY[{', '.join('true' if one in deep else 'false' for one in identities)}]"
        wanted = f"ROWS FROM (pg_catalog.unnest({array(identities, False)}), pg_catalog.unnest({flags}))"
        join = f"JOIN {wanted} w(azpg_identity, azpg_deep) "
        join += f"ON w.azpg_identity = {self.identity}"
        return self._ask(f"w.azpg_identity, {what}", join, end="GROUP BY w.azpg_identity")

    def details(self, identities, deep=()) -> dict:
        """Return C({identity: Row}); only those in I(deep) come with the hashes of their columns."""
        if not identities:
            return {}
        keys = [f'pg_catalog.min({self._text(name)} COLLATE "C")' for name in self.key]
        hashes = ", ".join(column_hash(form, self.known[name]) for name, form in self.table.forms)
        place = "pg_catalog.min(t.tableoid::pg_catalog.regclass::text || ' at ' || t.ctid::text)"
        deeply = f"pg_catalog.min(CASE WHEN w.azpg_deep THEN ARRAY[{hashes}] END)"
        found = self._of(", ".join(["pg_catalog.count(*)", place, deeply, *keys]), identities, set(deep))
        return {row[0]: Row(row[1], tuple(row[2].rpartition(" at ")[::2]), list(row[4:]), row[3]) for row in found}

    def values(self, identities, columns) -> dict:
        """Return C({identity: [text or None]}) of I(columns), cut; used only when values may be shown."""
        if not identities:
            return {}
        what = [
            f'pg_catalog.min(pg_catalog."left"({self._text(name)}, {LONGEST_VALUE + 1}) COLLATE "C")'
            for name in columns
        ]
        return {row[0]: list(row[1:]) for row in self._of(", ".join(what), identities)}

    def _text(self, name: str) -> str:
        return shown(self.known[name])


class ClientProbe:
    """The same questions answered by reading the whole table over the network, once per question."""

    def __init__(self, session, table: Table, side: str, key: list | None, raw: bool):
        self.session, self.table, self.raw = session, table, raw
        self.names = [name for name, _form in table.forms]
        self.key = [name for name, _form in key or []]
        self.positions = [self.names.index(name) for name in self.key]
        self.items = operands(table, side)
        self.known = {column.name: column for column in table.columns[side]}
        whole = table.facts["kind"] == "p"
        self.relation = f"{'' if whole else 'ONLY '}{qualified(table.schema, table.name)}"
        where = " AND ".join(conditions(getattr(table, side)["condition"]))
        self.condition = f"WHERE {where}" if where else ""

    def _scan(self, take, extra=()) -> None:
        """Call C(take(identity, fields, extra fields)) for every row."""
        width = len(self.items)

        def consume(_image, fields) -> None:
            own = fields[:width]
            identity = short_digest([own[place] for place in self.positions] if self.positions else own)
            take(identity, own, fields[width:])

        sql = copy_query([*self.items, *extra], self.relation, self.condition)
        stream(self.session, sql, BinaryRows(consume, with_fields=True), self.raw)

    def buckets(self, depth: int, paths=()) -> dict:
        """See M(ServerProbe.buckets)."""
        below, within, found = mask(depth), set(paths), {}

        def take(identity, own, _extra) -> None:
            if depth == 1 or identity & mask(depth - 1) in within:
                entry = found.setdefault(identity & below, [0, 0])
                entry[0] += 1
                entry[1] += row_digest(image_of(own))

        self._scan(take)
        return {path: (count, str(total)) for path, (count, total) in found.items()}

    def rows(self, depth: int, paths, limit: int) -> list:
        """See M(ServerProbe.rows)."""
        within, found, copies = set(paths), [], {}

        def take(identity, own, _extra) -> None:
            if identity & mask(depth) not in within:
                return
            if self.key and len(found) < limit:
                found.append((identity, row_digest(image_of(own)), 1))
            elif not self.key and (identity in copies or len(copies) < limit):
                copies[identity] = copies.get(identity, 0) + 1

        self._scan(take)
        return found or [(identity, identity, count) for identity, count in copies.items()]

    def details(self, identities, deep=()) -> dict:
        """See M(ServerProbe.details)."""
        wanted, deep, found = set(identities), set(deep), {}

        def take(identity, own, extra) -> None:
            if identity not in wanted:
                return
            if identity in found:
                found[identity].count += 1
                return
            place, *key = [one.decode("utf-8", "replace") for one in extra]
            hashes = [short_digest([one]) for one in own] if identity in deep else None
            found[identity] = Row(1, tuple(place.rpartition(" at ")[::2]), key, hashes)

        place = "t.tableoid::pg_catalog.regclass::text || ' at ' || t.ctid::text"
        if wanted:
            self._scan(take, [place, *(shown(self.known[name]) for name in self.key)])
        return found

    def values(self, identities, columns) -> dict:
        """See M(ServerProbe.values)."""
        wanted, found = set(identities), {}

        def take(identity, _own, extra) -> None:
            if identity in wanted and identity not in found:
                found[identity] = [None if one is None else one.decode("utf-8", "replace") for one in extra]

        if wanted:
            texts = [f'pg_catalog."left"({shown(self.known[name])}, {LONGEST_VALUE + 1})' for name in columns]
            self._scan(take, texts)
        return found


def shown(column) -> str:
    """Return the SQL of what people are shown of a M(Column): its text, or that of the expression in its place."""
    return operand(EXPRESSION if column.expression else TEXT, replace(column, domain=False))


def conditions(condition: str | None) -> list:
    """Return a C(WHERE) clause of an extension's configuration table as a list of at most one expression."""
    words = (condition or "").strip()
    if words[:5].upper() == "WHERE":
        words = words[5:]
    return [f"({words.strip()})"] if words.strip() else []


def array(numbers, any_of: bool = True) -> str:
    """Return 64-bit integers as an array of SQL, within ANY() unless told otherwise."""
    sql = f"'{{{','.join(str(int(number)) for number in numbers)}}}'::pg_catalog.int8[]"
    return f"ANY ({sql})" if any_of else sql


def image_of(fields: list) -> bytes:
    """Return the row's image as binary COPY writes it, from its fields."""
    return b"".join(b"\xff\xff\xff\xff" if one is None else struct.pack("!i", len(one)) + one for one in fields)
