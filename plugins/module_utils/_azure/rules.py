# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure's rules for the checks: what the control plane says, in the words of the checks.

A rule that may not look says C(skipped) with the role that would let it look. What is a mere consequence of something
else names that as its reason.
"""

from __future__ import annotations

from dataclasses import replace

from .._checks.rule import Rule, blind, fine
from . import rules_dns, rules_login, rules_network, rules_parameters, rules_runtime, rules_target, rules_traffic
from .errors import AzureError, Forbidden
from .scene import Scene

PROVIDERS = ("azure",)
# What others need comes first.
ALL = (
    *rules_login.RULES[:1],
    *rules_target.RULES,
    *rules_login.RULES[1:],
    *rules_parameters.RULES,
    *rules_runtime.RULES,
    *rules_network.RULES,
    *rules_traffic.RULES,
    *rules_dns.RULES,
)


def azure_rules(scene: Scene) -> tuple:
    """Return the rules, which look at I(scene); see M(_checks.run.run_checks)."""
    return tuple(replace(rule, look=looking(rule, scene), providers=PROVIDERS) for rule in ALL)


def looking(rule: Rule, scene: Scene):
    """Return the look of a rule as the checks call it; whatever Azure refuses is a thing that was not seen."""

    def look(context):
        try:
            observations = list(rule.look(scene, context))
            yield from observations or [fine(subject_of(scene, rule.side), rule.clean)]
        except Forbidden as error:
            yield blind(subject_of(scene, rule.side), error.msg, remedy=role_remedy(error, scene))
        except AzureError as error:
            if rule.id == rules_login.LOGIN:
                raise
            yield blind(subject_of(scene, rule.side), error.msg, remedy=error.hint)

    return look


def subject_of(scene: Scene, side: str) -> str:
    """Return what a finding of a rule is about that names nothing itself."""
    if side == "source":
        return scene.request.source.address
    return scene.runtime_id.name if side == "runtime" else scene.request.target_server_id.name


def role_remedy(error: Forbidden, scene: Scene) -> str:
    """Return the command that gives the identity the right to look."""
    action = error.details.get("action")
    scope = error.details.get("scope") or f"/subscriptions/{scene.request.target_server_id.subscription_id}"
    right = f"It lacks {action}. " if action else ""
    return f"{right}az role assignment create --role Reader --scope {scope} --assignee <the identity>"
