# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's version, where code that runs outside Ansible can read it; a test holds it against galaxy.yml."""

from __future__ import annotations

VERSION = "0.1.0"
