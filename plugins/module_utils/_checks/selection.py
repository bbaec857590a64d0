# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules, how grave, what has been accepted: what the user says about the checks themselves."""

from __future__ import annotations

import datetime
import difflib
import fnmatch
from dataclasses import dataclass, field, replace

from .._core.errors import InvalidRequest
from .._core.findings import FAILED, SKIPPED, WARNING, Finding


def matches(rule_id: str, patterns) -> bool:
    """Tell whether one of the shell patterns fits the id."""
    return any(fnmatch.fnmatchcase(rule_id, pattern) for pattern in patterns)


def require_known(option: str, patterns, ids) -> None:
    """Make sure that every pattern fits at least one known id.

    :raises InvalidRequest: naming the option, the pattern and the closest known id
    """
    for pattern in patterns:
        if not isinstance(pattern, str) or not any(fnmatch.fnmatchcase(known, pattern) for known in ids):
            closest = difflib.get_close_matches(str(pattern), ids, n=1, cutoff=0.0)
            raise InvalidRequest(
                f"'{option}' names the rule {pattern!r}, which does not exist.",
                f"The closest is {closest[0]!r}." if closest else "",
            )


@dataclass(frozen=True)
class Acceptance:
    """A finding that somebody has accepted: rule and object patterns, the reason, the last day it holds."""

    rule: str
    object: str
    reason: str
    until: str

    @classmethod
    def from_dict(cls, values: dict) -> Acceptance:
        """Build an acceptance from C({rule, reason, until, object}); C(object) defaults to every object.

        :raises InvalidRequest: when rule, reason or the date is missing or wrong
        """
        unknown = sorted(set(values) - {"rule", "object", "reason", "until"})
        if unknown:
            raise InvalidRequest(
                f"'accept' has the unknown key {', '.join(unknown)}.", "Known are rule, object, reason, until."
            )
        for key in ("rule", "reason", "until"):
            if not values.get(key):
                raise InvalidRequest(
                    f"An entry of 'accept' has no '{key}'.", "Give rule, reason and until (YYYY-MM-DD)."
                )
        until = str(values["until"])
        try:
            datetime.date.fromisoformat(until)
        except ValueError:
            raise InvalidRequest(
                f"'accept' for rule {values['rule']!r} holds until {until!r}, which is no date.", "Write YYYY-MM-DD."
            ) from None
        return cls(str(values["rule"]), str(values.get("object") or "*"), str(values["reason"]), until)

    def fits(self, finding: Finding) -> bool:
        """Tell whether rule and object of the finding are meant."""
        return fnmatch.fnmatchcase(finding.rule, self.rule) and fnmatch.fnmatchcase(finding.object, self.object)


@dataclass(frozen=True)
class Selection:
    """What to run and how to weigh it."""

    only: tuple = ()
    exclude: tuple = ()
    severities: tuple = ()
    accepted: tuple = ()
    # The levels to report, and the level of each rule; no level means all of them.
    levels: tuple = ()
    level_of: dict = field(default_factory=dict)

    @classmethod
    def create(cls, ids, only=(), exclude=(), severities=None, accept=(), levels=(), level_of=None) -> Selection:
        """Build a selection and check it against the known I(ids).

        :param levels: levels of the rules to report; I(level_of) is C({id: level})

        :raises InvalidRequest: for an unknown id, a severity other than failed and warning, or a wrong acceptance
        """
        ids = sorted(ids)
        severities = dict(severities or {})
        accepted = tuple(Acceptance.from_dict(dict(entry)) for entry in accept or ())
        require_known("only", only or (), ids)
        require_known("exclude", exclude or (), ids)
        require_known("severities", severities, ids)
        require_known("accept", [entry.rule for entry in accepted], ids)
        for pattern, severity in severities.items():
            if severity not in (FAILED, WARNING):
                raise InvalidRequest(
                    f"'severities' gives the rule {pattern!r} the severity {severity!r}.", "Use 'failed' or 'warning'."
                )
        level_of = dict(level_of or {})
        known = sorted(set(level_of.values()))
        unknown = [level for level in levels or () if level not in known]
        if unknown:
            raise InvalidRequest(f"'levels' names {unknown[0]!r}, which is no level.", f"Known are {', '.join(known)}.")
        return cls(
            tuple(only or ()), tuple(exclude or ()), tuple(severities.items()), accepted, tuple(levels or ()), level_of
        )

    def wants(self, rule_id: str) -> bool:
        """Tell whether findings of the rule are to be reported."""
        chosen = not self.only or matches(rule_id, self.only)
        return chosen and self.fits_level(rule_id) and not self.excludes(rule_id)

    def fits_level(self, rule_id: str) -> bool:
        """Tell whether the rule's level is among those to report."""
        return not self.levels or self.level_of.get(rule_id) in self.levels

    def excludes(self, rule_id: str) -> bool:
        """Tell whether the rule is not to be run at all."""
        return matches(rule_id, self.exclude)

    def severity(self, rule_id: str) -> str:
        """Return the severity that the user gives the rule, or an empty text; the last pattern that fits wins."""
        fitting = [severity for pattern, severity in self.severities if fnmatch.fnmatchcase(rule_id, pattern)]
        return fitting[-1] if fitting else ""

    def accept(self, finding: Finding, today: datetime.date | None = None) -> Finding:
        """Return the finding, as C(skipped) because of C(accepted) when somebody has accepted it and it still holds.

        An acceptance that has expired is named in the finding, which keeps its status.
        """
        if finding.status not in (FAILED, WARNING):
            return finding
        today = today or datetime.date.today()
        expired = None
        for entry in self.accepted:
            if not entry.fits(finding):
                continue
            if today <= datetime.date.fromisoformat(entry.until):
                found = f"{finding.found} (accepted until {entry.until}: {entry.reason})"
                return replace(finding, status=SKIPPED, because="accepted", found=found)
            expired = entry
        if expired:
            return replace(finding, found=f"{finding.found} (the acceptance expired on {expired.until})")
        return finding
