# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several migrations to one target, whose databases belong to the same role: what one needs another does not take away."""

from __future__ import annotations

from support.servers import USER, ask

MEMBER = f"SELECT pg_has_role('{USER}', 'app_owner', 'USAGE') AND NOT rolsuper FROM pg_roles WHERE rolname = '{USER}'"


def member(lab) -> bool:
    """Tell whether the migration's user has the rights of the owner on the target."""
    return ask(lab.target, MEMBER) == [(True,)]


def test_the_last_migration_takes_the_membership_back(migration):
    first, second, third = (migration(f"shares-{word}") for word in ("first", "second", "third"))
    lab = first.lab
    for one in (first, second, third):
        one.migrate()
        assert one.module("verification").good()["verification"]["verdict"] == "MATCH"
    assert member(lab)
    # The one that came first has lent it, and ends first.
    ended = first.module("cleanup").good()
    assert member(lab)
    (kept,) = [line for line in ended["kept"] if "membership" in line]
    assert kept.startswith("target: membership of the migration user in app_owner, which migration shares-")
    assert not [line for line in ended["removed"] if "membership" in line]
    assert not [line for line in ended["final_record"]["removed"] if "membership" in line]
    # The next one never lent it, and hands on what it was handed.
    assert [line for line in second.module("cleanup").good()["kept"] if "which migration shares-third needs" in line]
    assert member(lab)
    assert "target: membership of the migration user in app_owner" in third.module("cleanup").good()["removed"]
    assert not member(lab)


def test_what_somebody_else_has_granted_stays(migration):
    one = migration("shares-granted")
    lab = one.lab
    ask(lab.target, "CREATE ROLE app_owner")
    ask(lab.target, f"GRANT app_owner TO {USER}")
    one.migrate()
    one.module("verification").good()
    assert not [line for line in one.module("cleanup").good()["removed"] if "membership" in line]
    assert member(lab)
