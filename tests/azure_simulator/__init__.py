# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Resource Manager on loopback, for rehearsals and tests; README.md says what there is."""

from tests.azure_simulator.simulator import Simulator

__all__ = ["Simulator"]
