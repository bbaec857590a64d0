# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule is, and what it may say of an object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

from .._core.findings import FAILED, SKIPPED, SUCCEEDED, Finding

FINE = "fine"
VIOLATED = "violated"
BLIND = "blind"

OFFLINE = ("offline",)
ONLINE = ("online",)
BOTH_MODES = ("offline", "online")
HOST = ("host",)
AZURE = ("azure",)
BOTH_PROVIDERS = ("azure", "host")

# The end of a remedy for what Azure's service refuses and the transfer engine of the host provider does not.
HOST_CAN = "Or migrate with 'provider: host', which can do this."

# Who has to act, as the report names them.
DATABASE, NETWORK, APPLICATION, RUNTIME, OPERATOR, CLOUD = (
    "database administrator",
    "network",
    "application",
    "runtime server",
    "whoever runs the migration",
    "Azure subscription",
)
BY_LEVEL = {"network": NETWORK, "runtime": RUNTIME, "azure": CLOUD}

# A finding names at most so many objects; the rest is a number.
NAMED = 20


@dataclass(frozen=True)
class Observation:
    """What a rule saw of one object, before selection, weights and acceptance make a finding of it.

    Empty I(expected) and I(remedy) take the rule's own; I(severity), I(side) and I(code) do so as well.
    """

    kind: str
    object: str = ""
    found: str = ""
    expected: str = ""
    remedy: str = ""
    severity: str = ""
    side: str = ""
    code: str = ""
    because: str = ""


@dataclass(frozen=True)
class Rule:
    """One thing that must be so before a migration starts.

    I(look) is called once with the context, or with I(each_database) once per database as C(look(context, database)).
    It yields observations; when it yields none, all was well and I(clean) is what the finding says was found. A rule
    whose I(needs) were violated is not looked at: its finding is C(skipped) because of them.
    """

    id: str
    title: str
    level: str
    side: str
    look: Callable[..., Iterable[Observation]]
    expected: str
    remedy: str
    documentation: str
    clean: str = ""
    severity: str = FAILED
    modes: tuple = BOTH_MODES
    providers: tuple = BOTH_PROVIDERS
    code: str = ""
    needs: tuple = ()
    each_database: bool = False
    # Who has to put a violation right; an empty text takes M(BY_LEVEL), else the database administrator.
    who: str = ""

    @property
    def responsible(self) -> str:
        """Who has to put a violation right."""
        return self.who or BY_LEVEL.get(self.level, DATABASE)

    def finding(self, observation: Observation, severity: str = "") -> Finding:
        """Turn an observation into a finding; a I(severity) given here wins over the rule's and the observation's."""
        violated = observation.kind == VIOLATED
        statuses = {
            FINE: SUCCEEDED,
            BLIND: SKIPPED,
            VIOLATED: severity or observation.severity or self.severity,
        }
        return Finding(
            rule=self.id,
            title=self.title,
            status=statuses[observation.kind],
            level=self.level,
            side=observation.side or self.side,
            object=observation.object,
            found=observation.found,
            expected=observation.expected or self.expected,
            remedy=observation.remedy or (self.remedy if violated else ""),
            code=(observation.code or self.code) if violated else "",
            because=observation.because,
        )


def fine(item: str, found: str, **more: str) -> Observation:
    """Say that I(item) is as it should be."""
    return Observation(FINE, item, found, **more)


def violated(item: str, found: str, **more: str) -> Observation:
    """Say that I(item) is not as it should be; I(more) may give expected, remedy, severity, side, code."""
    return Observation(VIOLATED, item, found, **more)


def blind(item: str, found: str, remedy: str = "", **more: str) -> Observation:
    """Say that I(item) could not be looked at, with the command that would allow it as I(remedy)."""
    return Observation(BLIND, item, found, remedy=remedy, **more)


def listed(names: Iterable[str], limit: int = NAMED) -> str:
    """Return names as a sentence part: at most I(limit) of them, then how many more there are."""
    names = list(names)
    text = ", ".join(names[:limit])
    return f"{text} and {len(names) - limit} more" if len(names) > limit else text
