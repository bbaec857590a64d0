# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of verifications on disk: written once, never edited, read back with their digest."""

from __future__ import annotations

import os

from .._core.canonical import digest
from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json, write_private
from .formats import FORMAT
from .page import render
from .signature import content

REPORT = "verification.json"
AGAIN = "Verify again; the report is written anew."


class ReportRefused(PreconditionFailed):
    """A file is no report that could be believed; C(details.cause) is missing, unreadable, format or digest."""


def write_report(report: dict, directory: str) -> str:
    """Write the report into I(directory) (mode 0700, files 0600) and return the path of C(verification.json).

    Beside it lie a copy with the beginning of the digest in its name, which later reports do not replace, and
    C(verification.html) for people.
    """
    make_private_directory(directory)
    path = os.path.join(directory, REPORT)
    write_json(os.path.join(directory, f"verification-{report['sha256'][:12]}.json"), report)
    write_private(os.path.join(directory, "verification.html"), render(report))
    write_json(path, report)
    return path


def read_report(path: str) -> dict:
    """Return the report in the file I(path).

    :raises ReportRefused: when there is none, it is not JSON, has an unknown format, or not the digest it names
    """
    try:
        report = read_json(path)
    except (OSError, ValueError) as error:
        text = f"The verification report {path} cannot be read: it is cut off or no JSON ({error})."
        raise ReportRefused(text, AGAIN, {"cause": "unreadable"}) from error
    if report is None:
        text = f"There is no verification report {path}."
        raise ReportRefused(text, "Run the module verification first.", {"cause": "missing"})
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        found = report.get("format") if isinstance(report, dict) else type(report).__name__
        raise ReportRefused(
            f"The verification report {path} has the format {found!r}, expected {FORMAT!r}.", AGAIN, {"cause": "format"}
        )
    computed = digest(content(report))
    if report.get("sha256") != computed:
        raise ReportRefused(
            f"The verification report {path} was edited: it names the digest {report.get('sha256')}, its content has "
            f"{computed}.",
            AGAIN,
            {"cause": "digest"},
        )
    return report
