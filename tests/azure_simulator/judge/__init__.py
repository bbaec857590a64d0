# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: Microsoft's descriptions of the API, held against every request and every answer."""

from tests.azure_simulator.judge.judge import Judge
from tests.azure_simulator.judge.violation import Violation

__all__ = ["Judge", "Violation"]
