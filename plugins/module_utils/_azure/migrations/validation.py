# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service's own validation found, in the shape of premigration_check's findings."""

from __future__ import annotations

import re

from ..._core.findings import FAILED, SUCCEEDED, WARNING, Finding
from .error_codes import explain
from .record import Record
from .words import pick, squeezed

STATES = {"succeeded": SUCCEEDED, "warning": WARNING, "failed": FAILED}
# What the names of the service's checks stand for; others may come.
TITLES = {
    "authenticationandconnectivityvalidation": "The service reaches both servers and may log in",
    "sourceversionvalidation": "The service supports the source's version",
    "serverparametersvalidation": "Server parameters fit",
    "schemavalidation": "The service can carry every object",
    "extensionsvalidation": "Extensions are supported and allowed on the target",
    "collationsvalidation": "Collations exist on the target",
}


def rule_of(kind: str) -> str:
    """Return the id of a check of the service, for example C(service-server-parameters)."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(kind)).lower()
    plain = [word for word in re.findall(r"[a-z0-9]+", words) if word != "validation"]
    return "-".join(["service", *(plain or ["validation"])])


def findings_of(record: Record) -> list:
    """Return a finding for each message of each check of a record's validation; one for a check without messages."""
    found = []
    for item in pick(record.validation, "serverLevelValidationDetails") or ():
        found += of_item(item, "server", "")
    for database in pick(record.validation, "dbLevelValidationDetails") or ():
        for item in pick(database, "summary") or ():
            found += of_item(item, "database", pick(database, "databaseName") or "")
    grave = any(finding.status == FAILED for finding in found)
    # A validation can fail before any check has been made, and then its reason stands elsewhere.
    if record.word in ("failed", "validationfailed") and record.option == "validate" and not grave:
        found.append(finding_of("validation", "The service's validation ends well", FAILED, record.error, "server", ""))
    return found


def of_item(item: dict, level: str, database: str) -> list:
    """Return the findings of one check."""
    kind = pick(item, "type") or ""
    rule, title = rule_of(kind), TITLES.get(squeezed(kind), f"The service's check {kind} passes")
    state = STATES.get(squeezed(pick(item, "state")), WARNING)
    messages = [
        (STATES.get(squeezed(pick(message, "state")), state), str(pick(message, "message") or ""))
        for message in pick(item, "messages") or ()
    ]
    return [finding_of(rule, title, *message, level, database) for message in messages or [(state, "")]]


def finding_of(rule: str, title: str, state: str, text: str, level: str, database: str) -> Finding:
    """Return one finding with the codes and remedies that its text stands for."""
    text = " ".join(text.split())
    known = explain(text)
    return Finding(
        rule=rule if rule.startswith("service") else f"service-{rule}",
        title=title,
        status=state,
        level=level,
        # The service looks from where the data goes through; objects are those of the source.
        side="runtime" if level == "server" else "source",
        object=database,
        found=text or {SUCCEEDED: "nothing to object to"}.get(state, "the service gives no reason"),
        expected="no objection of the service",
        remedy=" ".join(dict.fromkeys(explanation.remedy for explanation in known)),
        code=next((explanation.code for explanation in known if explanation.code), ""),
    )
