# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One browser for all pages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from browser import Browser


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's program; without one nothing here can be tested, and that is a failure."""
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found or not Path(found).exists():
        pytest.exit(
            f"make test-page needs Chromium, and {named or 'none on the PATH'} was found: install the package chromium, or "
            "name a program: CHROMIUM=/path/to/chromium make test-page",
            returncode=1,
        )
    return found


@pytest.fixture(scope="session")
def browser(chromium, tmp_path_factory):
    with Browser(chromium, tmp_path_factory.mktemp("browser") / "profile") as running:
        yield running
