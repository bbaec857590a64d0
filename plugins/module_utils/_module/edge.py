# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where library code meets Ansible: parameters become types, exceptions become results."""

from __future__ import annotations

import traceback
from typing import Callable

from ansible.module_utils.basic import AnsibleModule

from .._azure.migrations.properties_file import merged_with, read_properties_file
from .._core.errors import InvalidRequest, MigrationError
from .._core.final_record import read_final_record
from .._core.layout import Layout
from .._core.redaction import redact
from .._core.request import Request
from .arguments import SERVICE
from .variables import in_playbooks


class Task:
    """One execution of a module: its typed request, its layout and whether it may change anything."""

    def __init__(self, module: AnsibleModule):
        self.module = module
        self.check_mode = module.check_mode
        # Secrets that came from elsewhere than options; Ansible hides them in results from then on.
        self.secrets: list = []
        self.parameters = given = self.with_properties_file(module)
        self.request = Request.create(
            given["name"],
            _set_words(given["source"] or {}),
            _set_words(given["target"] or {}),
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

    def with_properties_file(self, module: AnsibleModule) -> dict:
        """Return the module's parameters, together with what a properties file of the Azure CLI says.

        :raises InvalidRequest: when it cannot be used, or contradicts an option
        """
        path = module.params.get("properties_file")
        if not path:
            return module.params
        if module.params["provider"] != "azure":
            raise InvalidRequest(
                "'properties_file' is a file of the Azure CLI, and the provider is 'host'.",
                "Remove it, or set 'provider: azure'.",
            )
        found = read_properties_file(path)
        self.secrets = found.secrets
        module.no_log_values.update(found.secrets)
        for warning in found.warnings:
            module.warn(warning)
        defaults = {word: option.get("default") for word, option in SERVICE.items()}
        return merged_with(module.params, found, defaults)

    def final_record(self, here: bool = False) -> dict | None:
        """Return the final record of this request, when the migration is over and cleaned up already.

        :param here: look in the archive directory only
        """
        record = read_final_record(self.layout, self.request)
        # Where there is a login to Azure, the service's records are asked as well: controllers come and go.
        if here or record or self.request.provider != "azure" or "auth_source" not in self.parameters:
            return record
        from .keepers import keeper_of

        return keeper_of(self).recall()


def _set_words(words: dict) -> dict:
    return {word: value for word, value in words.items() if value is not None}


def execute(specification: dict, action: Callable[[Task], dict], **restrictions) -> None:
    """Run a module: build it, let I(action) return its result, and turn every failure into one clear message.

    :param specification: the argument specification
    :param action: gets the task, returns the module's result with C(changed)
    """
    module = AnsibleModule(specification, supports_check_mode=True, **restrictions)
    name = module._name.rpartition(".")[2]
    secrets = [(module.params.get(side) or {}).get("password") for side in ("source", "target")]
    secrets += [module.params.get(option) for option in ("signing_key", "secret", "oidc_token")]
    try:
        task = Task(module)
        secrets += task.secrets
        result = action(task)
    except MigrationError as error:
        problem = error.as_dict()
        said = in_playbooks(redact(str(error), secrets), name)
        module.fail_json(msg=said, code=problem["code"], hint=problem["hint"], details=problem["details"])
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
        module.fail_json(msg=in_playbooks(failure, name), **result)
    module.exit_json(**result)


def difference(before: list, after: list, header: str) -> dict:
    """Return Ansible's diff of two lists of lines."""
    return {
        "before": "".join(line + "\n" for line in before),
        "after": "".join(line + "\n" for line in after),
        "before_header": header,
        "after_header": header,
    }
