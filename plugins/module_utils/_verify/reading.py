# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading the tables of one database in the way that mode and method ask for, always alike on both ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .._postgres.fingerprint import row_hash
from .client_hash import client_fingerprint, same_encoding, table_query
from .formats import AUTO, CLIENT, COUNTS, SAMPLE, SERVER
from .ledger import DatabaseLedger
from .news import News, root_of
from .phases import AGAIN, ROWS, Phases
from .pieces import Cutter, whole
from .pool import read_everything
from .sample import choose, sample_fingerprint
from .tables import server_fingerprint

# The server cannot say a text in UTF-8, or not at all; or an image is too large whatever is done.
BEYOND_THE_SERVER = ("22021", "22P05", "54000")


def _silent(_table) -> None:
    return None


@dataclass
class Reading:
    """Fills in the results of the tables I(work) out of I(tables); see M(contents.compare_contents) for the others."""

    name: str
    tables: dict
    work: list
    keys: dict
    snapshots: dict
    options: object
    ledger: DatabaseLedger | None
    phases: Phases

    def run(self) -> None:
        """Read everything."""
        options, told = self.options, self._teller()
        if options.mode == COUNTS or (options.mode != SAMPLE and options.method == SERVER):
            cut = Cutter(self.keys)
            self._read(self.work, self._in_server(), told, cut=cut)
            self._hash_columns_first(self._in_server(), cut)
        elif options.method == CLIENT:
            self._read(self.work, self._in_client(False), told)
        else:
            read = self._in_sample()
            self._read(self.work, read, told)
            self._hash_columns_first(read, whole)
        if options.mode == COUNTS or options.asked_method not in (AUTO, CLIENT):
            return
        ends = {table.full_name: table.results.values() for table in self.work}
        beyond = [
            table for table in self.work if any(end.get("code") in BEYOND_THE_SERVER for end in ends[table.full_name])
        ]
        if beyond:
            raw = same_encoding(self.snapshots["source"].leader, self.snapshots["target"].leader)
            self._read(self._with_siblings(beyond), self._in_client(raw), _silent, phase=AGAIN)

    def _teller(self) -> Callable:
        """Return what is called with every table of which both ends are in."""
        progress, news, done = self.options.progress, News(self.name, self.tables, self.options), []
        progress.tables(0, len(self.work))

        def told(table) -> None:
            done.append(table)
            news.of(table)
            progress.tables(len(done), len(self.work))
            count = table.results["source"].get("count", "?")
            progress.say(f"{self.name}: {len(done)}/{len(self.work)} {table.full_name}, {count} rows")

        return told

    def _read(self, tables: list, read: Callable, done: Callable, cut: Callable = whole, phase: str = ROWS) -> None:
        spans = read_everything(self.snapshots, tables, read, done, cut=cut, pace=self.options.pace)
        for side, (began, ended) in spans.items():
            self.phases.add(phase, began, ended, side)

    # -- the ways in which a piece is read ----------------------------------------------------------------------------

    def _remembered(self, read: Callable, told: Callable) -> Callable:
        return self.ledger.reader(read, told) if self.ledger else read

    def _in_server(self) -> Callable:
        counts_only = self.options.mode == COUNTS
        return self._remembered(
            lambda side, session, piece: server_fingerprint(session, piece, side, counts_only),
            lambda side, table: str(not counts_only and row_hash(table.forms, table.columns[side], table.prehash)),
        )

    def _in_client(self, raw: bool) -> Callable:
        return self._remembered(
            lambda side, session, piece: [client_fingerprint(session, piece.table, side, raw)],
            lambda side, table: f"{CLIENT} {raw} {table_query(table, side)}",
        )

    def _in_sample(self) -> Callable:
        bits = self.options.sample_bits
        chosen = choose(self.tables, self.keys, self.snapshots["source"].leader, bits)

        def read(side, session, piece) -> list:
            key = (piece.table.schema, piece.table.name)
            return [sample_fingerprint(session, piece.table, side, chosen.get(key), bits)]

        return read

    # -- once more ----------------------------------------------------------------------------------------------------

    def _hash_columns_first(self, read: Callable, cut: Callable) -> None:
        """Read tables with rows beyond 1 GB once more, each column hashed by itself first, and their siblings: sums add
        up only if they are computed alike."""
        large = [table for table in self.work if any(end.get("too_large") for end in table.results.values())]
        tables = self._with_siblings(large)
        for table in tables:
            table.prehash = True
        if tables:
            self._read(tables, read, _silent, cut, AGAIN)

    def _with_siblings(self, beyond: list) -> list:
        """Return I(beyond) and all leaves of the same partitioned tables: a row may lie in another leaf on the target."""
        chosen = {(table.schema, table.name): table for table in beyond}
        roots = {root_of(table) for table in beyond} - {(None, None)}
        for key, table in self.tables.items():
            if table.results and table.source and root_of(table) in roots:
                chosen[key] = table
        return list(chosen.values())
