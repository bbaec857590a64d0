# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What lets the gate in front of deletion open."""

    DOCUMENTATION = r"""
options:
  evidence:
    description:
      - What RV(azpg.migrate.verification_info#module:evidence) returned within the last 15 minutes, for a host that
        reaches one of the servers not at all.
      - The gate judges report and servers by it and looks at neither itself. It is refused when it is older, was
        edited, or belongs to another request.
    type: dict
  accept_sample:
    description: >-
      Open the gate for a report of a sample too, if the verification was told to write into it that it may.
    type: bool
    default: false
  accept_warnings:
    description: Rules whose warnings are accepted; without any, all are, since a warning never concerns rows.
    type: list
    elements: str
    default: []
  accept_overrides:
    description: >-
      Open the gate for a report too in which SQL was compared in the place of columns, see
      O(azpg.migrate.verification#module:compare_as).
    type: bool
    default: false
  signing_key:
    description: >-
      Shared key with which the report must have been signed. As soon as this or O(allowed_signers) is given, a report
      that is not signed, or signed with another key, keeps the gate shut.
    type: str
  allowed_signers:
    description: >-
      Path on the executing host of a file of public SSH keys, in the format ALLOWED SIGNERS of C(ssh-keygen), one of
      which must have signed the report.
    type: path
  signer:
    description: Who among O(allowed_signers) must have signed the report; anyone of them if not set.
    type: str
  force:
    description:
      - The sha256 of the newest verification report, quoted by somebody who has read it and answers for what it says.
      - It overrules refusals about what the report says, about its age and about writes since. That it belongs to another
        migration, or that somebody still needs what is to go, is never overruled.
      - What was overruled is part of the final record.
    type: str
  signed_off_by:
    description: Who answers for the end of the migration, as the final record shall say it.
    type: str
  keep:
    description:
      - What is copied to the archive directory before it goes. V(reports) are those of checks and verifications,
        V(journal) is journal, log and timeline.
      - The final record stays in any case, since it tells later runs that the migration is over.
    type: list
    elements: str
    choices: [reports, journal]
    default: [reports, journal]
"""
