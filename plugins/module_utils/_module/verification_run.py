# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification in a process of its own, which outlives the task that started it.

What it has to do comes as one JSON document on standard input, passwords included. It leaves the report, how far it is
while it runs, and how it has ended. This file runs from an archive, without Ansible.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import traceback

from .._core.errors import MigrationError
from .._core.files import make_private_directory, read_json, write_json
from .._core.layout import Layout
from .._core.redaction import redact
from .._core.request import Request
from .._postgres.fence_standing import measured
from .._transfer.process import ANOTHER_RUNS, Lock, record_self
from .._verify.ledger import Ledger
from .._verify.report import read_report, write_report
from .._verify.run import verify
from .._verify.session import end_orphans
from .._verify.signature import sign

# What the report of an earlier run is needed for; see M(run.verify).
BASE = "base_report"


def compare(request: Request, layout: Layout, options: dict, keys: dict, *, fenced: bool, watch=None) -> dict:
    """Compare both ends and return the report, signed if there is a key.

    :param options: of M(run.verify), with BASE as the path of the report that a recheck rests on
    :param keys: C({hmac_key, ssh_key}), see M(signature.sign)
    :param fenced: whether a fence stands that has to hold until everything is read
    :param watch: takes the state of things about once a second
    """
    options = dict(options)
    path = options.pop(BASE)
    measuring = (lambda: measured(request, layout)) if fenced else None
    report = verify(request, **options, base=read_report(path) if path else None, fence=measuring, watch=watch)
    if any(keys.values()):
        report["signature"] = sign(report, **keys)
    return report


def run(given: dict) -> int:
    """Do what the job I(given) says, see M(verifier.start); return the exit status."""
    request = Request.from_dict(given["request"], given["secrets"])
    layout = Layout.create(request.name, given["state_directory"], given["archive_directory"])
    lock = Lock(layout.verification)
    if not lock.acquire():
        return ANOTHER_RUNS
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    faulthandler.register(signal.SIGUSR1)  # all threads' stacks go to the log, for whoever looks into a hang
    secrets = [*request.secret_values, given["keys"]["hmac_key"]]
    run_id = given["run_id"]
    state: dict = {}

    def watch(now: dict) -> None:
        state.update(now, run_id=run_id)
        write_json(layout.verification_progress_file, state)

    before = read_json(layout.verification.process_file) or {}
    record_self(layout.verification, run_id=run_id, asked=given["asked"])
    ended: dict = {"run_id": run_id, "report": None, "error": None}
    ledger = Ledger(layout.verification_ledger_file)
    try:
        if before.get("run_id"):
            end_orphans(request, before["run_id"][:8])
        options = {**given["options"], "run_id": run_id, "ledger": ledger}
        report = compare(request, layout, options, given["keys"], fenced=given["fenced"], watch=watch)
        make_private_directory(given["report_directory"])
        ended["report"] = write_report(report, given["report_directory"])
    except Exception as error:
        ended["error"] = problem_of(error, secrets)
        sys.stderr.write(redact(traceback.format_exc(), secrets))
        watch({**state, "state": "failed", "error": ended["error"]["msg"], "seconds_left": None})
    ledger.close(done=ended["error"] is None)
    write_json(layout.verification_result_file, ended)
    return 1 if ended["error"] else 0


def problem_of(error: Exception, secrets: list) -> dict:
    """Return C({code, msg, hint, details}) of an error, without secrets."""
    if isinstance(error, MigrationError):
        found = error.as_dict()
        return {**found, "msg": redact(found["msg"], secrets)}
    words = " ".join(str(error).split())
    hint = "This is a defect of the collection; please report it with the verification's log."
    return {
        "code": "unexpected",
        "msg": redact(f"{type(error).__name__}: {words}", secrets),
        "hint": hint,
        "details": {},
    }


def main(arguments: list | None = None) -> int:
    """Entry of the installed program: C(run --directory DIRECTORY), the directory being for people who look at processes."""
    parser = argparse.ArgumentParser(prog="azpg-migrate-verifier", description="Verification of azpg.migrate.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="compare source and target").add_argument("--directory", required=True)
    parser.parse_args(arguments)
    os.umask(0o077)
    return run(json.load(sys.stdin))
