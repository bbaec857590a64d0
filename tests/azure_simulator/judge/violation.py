# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that a description does not allow.

    `side` is `request` or `answer`; `where` is a path into the body such as `/properties/sslMode`, or `path`, `query`,
    `status`; `document` says which description was asked.
    """

    number: int
    side: str
    document: str
    operation: str
    where: str
    message: str
    line: str = ""

    def __str__(self) -> str:
        return f"exchange {self.number}, {self.side} of {self.operation} ({self.document}), {self.where}: {self.message} [{self.line}]"
