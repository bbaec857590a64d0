# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller dies after each request by which something is made or changed in Azure, before it has seen the answer.

What it leaves is known to whoever comes next, from another controller too, and nothing of it stays.
"""

from __future__ import annotations

import functools
import itertools

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._azure.client import Azure

PARAMETERS = {"checkpoint_timeout": 3600, "autovacuum": False}


class Died(BaseException):
    """The controller is gone."""


def landscape(stage) -> tuple:
    """Return what there is in Azure, with tags and parameters of the target."""
    stage.azure.settle()
    target = stage.azure.resource(stage.target)
    settings = [
        stage.session().get(f"{stage.target}/configurations/{name}")["properties"]["value"] for name in PARAMETERS
    ]
    return sorted(stage.azure.cloud.resources), target.get("tags") or {}, target["sku"], settings


def dying(monkeypatch, number: int) -> list:
    """Let the n-th request that changes something be the last thing that is done; return the requests, which grow."""
    sent: list = []
    request = Azure.request

    def send(self, method, path, *words, **more):
        answer = request(self, method, path, *words, **more)
        if method in ("PUT", "PATCH", "DELETE"):
            sent.append(f"{method} {path}")
            if len(sent) == number:
                raise Died
        return answer

    monkeypatch.setattr(Azure, "request", send)
    return sent


def test_what_a_controller_that_died_at_a_creation_has_made_is_known_and_goes(stage, tmp_path, monkeypatch):
    own = {
        "delegated_subnet_id": None,
        "virtual_network_id": stage.runtime_network,
        "subnet_address_prefix": "10.10.9.0/28",
    }
    before, died = landscape(stage), []
    for number in itertools.count(1):
        stage.name, stage.directory = f"shop-{number}", tmp_path / f"controller-{number}"
        words = {"server": own, "azure_target": {"parameters": PARAMETERS}}
        with monkeypatch.context() as patch:
            sent = dying(patch, number)
            try:
                stage.present(**words)
            except Died:
                died.append(sent[-1])
            else:
                break
        assert landscape(stage) != before, f"nothing has come of {sent[-1]}"
        # Another controller knows nothing of it but the request.
        stage.directory = tmp_path / f"another-{number}"
        told = stage.clean(check_mode=True, outcome="abandoned", confirm=stage.name, azure_server=stage.server(**own))
        done = stage.clean(outcome="abandoned", confirm=stage.name, azure_server=stage.server(**own))
        assert (done["state"], done["remaining"]) == ("decommissioned", []), sent[-1]
        assert done["removed"] == told["removed"] != [], sent[-1]
        assert landscape(stage) == before, f"something is left of {sent[-1]}"
    kinds = " ".join(died).lower()
    for kind in (
        "privatednszones/",
        "virtualnetworklinks/",
        "subnets/",
        "flexibleservers/azpg",
        "configurations/",
        "tags/default",
    ):
        assert kind in kinds, died
    assert len(died) >= 8


@pytest.mark.parametrize("door", ["absent", "clean"])
def test_a_removal_that_died_is_completed_by_the_next(stage, tmp_path, monkeypatch, door):
    """Whatever has gone already, the rest is found without it."""
    own = {
        "delegated_subnet_id": None,
        "virtual_network_id": stage.runtime_network,
        "subnet_address_prefix": "10.10.9.0/28",
    }
    before, died = landscape(stage), 0
    for number in itertools.count(1):
        stage.name, stage.directory = f"gone-{number}", tmp_path / f"controller-{number}"
        words = {"server": own, "azure_target": {"parameters": PARAMETERS}}
        stage.present(**words)
        given = {"outcome": "abandoned", "confirm": stage.name, "azure_server": stage.server(**own)}
        remove = (
            functools.partial(stage.absent, server=own) if door == "absent" else functools.partial(stage.clean, **given)
        )
        with monkeypatch.context() as patch:
            sent = dying(patch, number)
            try:
                remove()
            except Died:
                died += 1
        if len(sent) < number:
            break
        if door == "absent":
            stage.directory = tmp_path / f"another-{number}"
        assert remove()["state"] in ("absent", "decommissioned"), sent[-1]
        assert landscape(stage) == before, f"something is left after {sent[-1]}"
    assert landscape(stage) == before
    assert died >= 6
