# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a section of an archive, as pg_restore renders it in its verbose form.

Tens of thousands of tables have hundreds of thousands of entries. The text stays in its file; what the plan needs of
every entry is held in arrays, and an entry by itself is read when it is asked for.
"""

from __future__ import annotations

import mmap
import os
import re
import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

CLASS_RELATION = 1259  # pg_class
HEADER = re.compile(
    rb"^--\n-- TOC entry (?P<number>\d+) \(class (?P<catalogue>\d+) OID (?P<oid>\d+)\)\n"
    rb"(?:-- Dependencies:(?P<dependencies>[ \d]*)\n)?"
    rb"-- (?:Data for )?Name: (?P<name>[^\n]*); Type: (?P<type>[^\n;]*); Schema: (?P<schema>[^\n]*?);"
    rb" Owner: (?P<owner>[^\n]*?)(?:; Tablespace: [^\n]*)?\n(?:-- Data Pos: \d+\n)?--\n\n",
    re.MULTILINE,
)
CLOSING = re.compile(
    rb"(?:^-- Completed on [^\n]*\n+)?^--\n-- PostgreSQL database dump complete\n--\n+(?:^\\unrestrict [^\n]*\n+)?\Z",
    re.MULTILINE,
)
# After what describes the database itself the text reconnects, in psql's own words.
RECONNECTION = re.compile(r"^\\(?:unrestrict|connect) ", re.MULTILINE)
STRINGS = re.compile(rb"^SET standard_conforming_strings = (on|off);$", re.MULTILINE)
# Before an entry's heading, and so at the end of the entry before, comes what the session is to take for granted from
# there on. Entries are not run in one session one after the other, so each is told what holds for it.
DEFAULTS = re.compile(rb"^SET (default_[a-z_]+) = ([^\n]*);\n", re.MULTILINE)
DEFAULTS_AT_END = re.compile(r"(?:^SET default_[a-z_]+ = [^\n]*;\s*)+\Z", re.MULTILINE)
DEFAULTS_BYTES = 400
ACCESS_METHOD = b"default_table_access_method"
WITH_ACCESS_METHOD = ("TABLE", "MATERIALIZED VIEW")
HEAP = "heap"
RELATION_PRIVILEGES = ("TABLE ", "COLUMN ", "SEQUENCE ")  # how the names of entries about privileges of relations begin
LET_GO_BYTES = 1 << 22  # of the file, so that it is never in memory as a whole
LEAST_BYTES_OF_LAST = 4096


class Entry(NamedTuple):
    """One entry of the table of contents; I(oid) is that of the source's row in the catalogue I(catalogue)."""

    number: int
    catalogue: int
    oid: int
    dependencies: tuple
    name: str
    type: str
    schema: str
    owner: str
    text: str

    @property
    def unit(self) -> str:
        """The entry's name in journal and markers: stable over two dumps of an unchanged source, unlike the number."""
        return f"{self.type}:{self.schema}:{self.name}:{self.owner}:{self.oid}"

    @property
    def label(self) -> str:
        """The entry as people name it."""
        place = "" if self.schema in ("-", "") else f"{self.schema}."
        return f"{self.type.lower()} {place}{self.name}"


class Contents:
    """Entries in the order in which they must be created; a sequence of M(Entry), whose places are numbered from 0.

    I(numbers), I(catalogues) and I(oids) hold one number for each place.

    :param stream: a file with pg_restore's text, which is closed with the object
    """

    def __init__(self, stream):
        self.stream = stream
        self.numbers, self.catalogues, self.oids = array("I"), array("I"), array("I")
        self.kinds: list = []
        self._kind = array("H")
        self._needs, self._needs_end = array("I"), array("Q")
        self._start = array("Q")
        self._methods, self._method = [HEAP], array("H")
        self.standard_conforming_strings = "on"
        if os.fstat(stream.fileno()).st_size:
            self._read(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        else:
            self._start.append(0)

    def _read(self, image) -> None:
        """Find the headings in the text."""
        places: dict = {}
        let_go = begin = method = 0
        for header in HEADER.finditer(image):
            if not self._start:
                strings = STRINGS.search(image, 0, header.start())
                self.standard_conforming_strings = strings[1].decode("ascii") if strings else "on"
            kind = header["type"]
            if kind not in places:
                places[kind] = len(self.kinds)
                self.kinds.append(sys.intern(kind.decode("utf-8")))
            before = image[max(begin, header.start() - DEFAULTS_BYTES) : header.start()]
            if ACCESS_METHOD in before:
                method = self._method_of(before, method)
            begin = header.end()
            self._method.append(method)
            self._kind.append(places[kind])
            self._start.append(header.start())
            self.numbers.append(int(header["number"]))
            self.catalogues.append(int(header["catalogue"]))
            self.oids.append(int(header["oid"]))
            self._needs.extend(map(int, (header["dependencies"] or b"").split()))
            self._needs_end.append(len(self._needs))
            if header.start() - let_go > LET_GO_BYTES:
                let_go = header.start()
                if hasattr(mmap, "MADV_DONTNEED"):
                    image.madvise(mmap.MADV_DONTNEED, 0, let_go - let_go % mmap.PAGESIZE)
        tail = self._start[-1] if self._start else 0
        closing = CLOSING.search(image, max(tail, len(image) - LEAST_BYTES_OF_LAST))
        self._start.append(closing.start() if closing else len(image))
        if not len(self):
            strings = STRINGS.search(image)
            self.standard_conforming_strings = strings[1].decode("ascii") if strings else "on"

    def _method_of(self, before: bytes, method: int) -> int:
        """Return which table access method holds after the text I(before), where I(method) held before it."""
        for setting in DEFAULTS.finditer(before):
            if setting[1] == ACCESS_METHOD:
                name = setting[2].decode("utf-8")
                if name not in self._methods:
                    self._methods.append(name)
                method = self._methods.index(name)
        return method

    def close(self) -> None:
        """Close the file; the numbers stay."""
        self.stream.close()

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Entry]:
        return (self[place] for place in range(len(self)))

    def __getitem__(self, place: int) -> Entry:
        start, end = self._start[place], self._start[place + 1]
        image = os.pread(self.stream.fileno(), end - start, start)
        header = HEADER.match(image)
        kind = self.kinds[self._kind[place]]
        text = image[header.end() :].decode("utf-8")
        if kind.startswith("DATABASE"):
            text = RECONNECTION.split(text, maxsplit=1)[0]
        if "\nSET default_" in text[-DEFAULTS_BYTES:]:
            text = DEFAULTS_AT_END.sub("", text)
        method = self._methods[self._method[place]]
        if method != HEAP and kind in WITH_ACCESS_METHOD:
            setting = f"SET LOCAL {ACCESS_METHOD.decode()} = "
            text = f"{setting}{method};\n{text}{setting}{HEAP};\n"
        return Entry(
            number=self.numbers[place],
            catalogue=self.catalogues[place],
            oid=self.oids[place],
            dependencies=tuple(self.needs(place)),
            name=header["name"].decode("utf-8"),
            type=kind,
            schema=sys.intern(header["schema"].decode("utf-8")),
            owner=sys.intern(header["owner"].decode("utf-8")),
            text=text,
        )

    def kind(self, place: int) -> str:
        """Return the type of an entry."""
        return self.kinds[self._kind[place]]

    def needs(self, place: int) -> array:
        """Return the numbers of the entries that one depends on."""
        return self._needs[self._needs_end[place - 1] if place else 0 : self._needs_end[place]]

    def of_kinds(self, *kinds: str) -> Selection:
        """Return the entries of these types."""
        wanted = {number for number, kind in enumerate(self.kinds) if kind in kinds}
        return Selection(self, array("I", (place for place, kind in enumerate(self._kind) if kind in wanted)))

    def relations(self) -> Numbered:
        """Return the numbers of relations in the source's catalogue, by the numbers of their entries."""
        found = Numbered(self.numbers)
        for number, catalogue, oid in zip(self.numbers, self.catalogues, self.oids):
            if catalogue == CLASS_RELATION:
                found[number] = oid
        return found


class Selection:
    """Some entries of a section, in its order; goes through them as often as it is asked to."""

    def __init__(self, contents: Contents, places):
        self.contents = contents
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    def __iter__(self) -> Iterator[Entry]:
        return (self.contents[place] for place in self.places)


class Numbered:
    """A number for each entry's number; 0 where nothing was entered, and for numbers that no entry has."""

    def __init__(self, numbers):
        self._values = array("I", bytes(4 * (max(numbers, default=0) + 1)))

    @classmethod
    def flags(cls, numbers) -> Numbered:
        """Return 1 for each of the numbers."""
        found = cls(numbers)
        for number in numbers:
            found[number] = 1
        return found

    def __getitem__(self, number: int) -> int:
        return self._values[number] if number < len(self._values) else 0

    def __setitem__(self, number: int, value: int) -> None:
        self._values[number] = value
