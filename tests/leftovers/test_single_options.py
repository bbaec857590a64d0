# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every end that a migration can have is asked for with each single option that says anything else; see test_never_the_ends."""

from __future__ import annotations

import pytest
import test_never_the_ends as ends

world = ends.world


@pytest.mark.parametrize("options", ends.singles(), ids=str)
def test_no_single_option_touches_what_is_not_the_migrations(world, options):
    ends.prove(world, **options)
