# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fifty migrations over five runtime hosts: side by side, in slices as AWX makes them, again, and one page of all."""

from __future__ import annotations

import json
import re
import time

from support.fleet import Fleet
from support.servers import ask, contents

NUMBER, HOSTS, FORKS, SLICES = 50, 5, 10, 3
NAMES = [f"m{number:02d}" for number in range(1, NUMBER + 1)]


def sliced(names: list, count: int) -> list:
    """Return the slices that AWX's job slicing makes: every count-th host."""
    return [names[number::count] for number in range(count)]


def test_fifty_migrations_over_five_hosts(lab, clean, tmp_path):
    began = time.monotonic()
    for number, name in enumerate(NAMES):
        clean.new_database(name, "seed_bulk" if number % 10 == 0 else "seed_small")
    fleet = Fleet(lab, tmp_path, NAMES, HOSTS)
    fleet.write()
    print(f"{NUMBER} databases on the source after {time.monotonic() - began:.0f} s")

    began = time.monotonic()
    for names in sliced(NAMES, SLICES):
        fleet.play("azpg.migrate.provision", "--limit", ",".join(names), forks=FORKS).good()
    began_site = time.monotonic()
    print(f"provisioned in {SLICES} slices in {began_site - began:.0f} s")

    moved = fleet.play("azpg.migrate.site", forks=FORKS).good()
    seconds = time.monotonic() - began_site
    print(f"site over {NUMBER} migrations with {FORKS} forks: {seconds:.0f} s, {seconds / NUMBER:.1f} s each")
    for name in NAMES[:: NUMBER // 10]:
        assert contents(lab.source, name) == contents(lab.target, name)
    # Lines of many hosts come mixed; each says whose it is, and none is longer than AWX shows.
    lines = re.findall(r"^\[m\d\d\] .*$", moved.output, re.MULTILINE)
    assert len({line[:5] for line in lines}) > NUMBER // 2
    assert max(len(line.encode()) for line in moved.output.splitlines() if line.startswith("[")) < 1024
    for number in range(1, HOSTS + 1):
        place = tmp_path / f"runtime{number}"
        assert len(list((place / "archive").glob("*/final-record.json"))) == NUMBER // HOSTS
        # Nothing of any of them is left on its runtime host but the evidence.
        assert not list(place.glob("state/migrations/*"))
    assert ask(lab.target, "SELECT count(*) FROM pg_database WHERE datname ~ '^m[0-9][0-9]$'") == [(NUMBER,)]

    began = time.monotonic()
    assert fleet.play("azpg.migrate.site", forks=FORKS).good().changed == 0
    print(f"the same again, changed=0: {time.monotonic() - began:.0f} s")

    began = time.monotonic()
    looked = fleet.play("azpg.migrate.fleet", forks=FORKS).good()
    print(f"the page of all: {time.monotonic() - began:.0f} s")
    assert looked.changed == 0
    assert f"{NUMBER} migrations: {NUMBER} decommissioned; {NUMBER} proven equal" in looked.output
    page = fleet.page.read_text(encoding="utf-8")
    assert len(re.findall(r'<tr class="all proven over">', page)) == NUMBER
    assert "All moved and proven equal" in page
    assert lab.passwords["source"] not in page + looked.output + moved.output
    assert len(page) < 200_000
    print(f"page of {len(page) / 1000:.0f} kB; {json.dumps({'forks': FORKS, 'hosts': HOSTS, 'migrations': NUMBER})}")
