# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where library code meets Ansible: parameters become types, exceptions become results."""

from __future__ import annotations

import traceback
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

from .._core.errors import MigrationError
from .._core.final_record import read_final_record
from .._core.layout import Layout
from .._core.redaction import redact
from .._core.request import Request


class Task:
    """One execution of a module: its typed request, its layout and whether it may change anything."""

    def __init__(self, module: AnsibleModule):
        self.module = module
        self.parameters = module.params
        self.check_mode = module.check_mode
        given = module.params
        self.request = Request.create(
            given["name"],
            _set_words(given["source"]),
            _set_words(given["target"]),
            given["databases"],
            given["provider"],
            given["mode"],
            given["role_map"],
            given["source_type"],
            given["source_server_id"],
            given["target_server_id"],
            given["runtime_server_id"],
        )
        self.layout = Layout.create(given["name"], given["state_directory"], given["archive_directory"])

    def final_record(self) -> dict | None:
        """Return the final record of this request, when the migration is over and cleaned up already."""
        return read_final_record(self.layout, self.request)


def _set_words(words: dict) -> dict:
    return {word: value for word, value in words.items() if value is not None}


def execute(specification: dict, action: Callable[[Task], dict], **restrictions) -> None:
    """Run a module: build it, let I(action) return its result, and turn every failure into one clear message.

    :param specification: the argument specification
    :param action: gets the task, returns the module's result with C(changed)
    """
    module = AnsibleModule(specification, supports_check_mode=True, **restrictions)
    secrets = [(module.params.get(side) or {}).get("password") for side in ("source", "target")]
    secrets += [module.params.get(option) for option in ("signing_key", "secret", "oidc_token")]
    try:
        result = action(Task(module))
    except MigrationError as error:
        problem = error.as_dict()
        module.fail_json(
            msg=redact(str(error), secrets), code=problem["code"], hint=problem["hint"], details=problem["details"]
        )
    except Exception as error:
        words = " ".join(str(error).split())
        module.fail_json(
            msg=redact(f"{type(error).__name__}: {words}", secrets),
            code="unexpected",
            hint="This is a defect of the collection; please report it with the traceback.",
            details={},
            exception=redact(traceback.format_exc(), secrets),
        )
    failure = result.pop("failure", None)
    if failure:
        module.fail_json(msg=failure, **result)
    module.exit_json(**result)


def difference(before: list, after: list, header: str) -> dict:
    """Return Ansible's diff of two lists of lines."""
    return {
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
        "before_header": header,
        "after_header": header,
    }
