# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who looks after the runtime server of a provider: the one set of functions that runtime_server and cleanup know.

A keeper has these functions:

- C(present()) -> C((facts, changes, pending)): make it ready; C(pending) says what is still on its way, or nothing. Then
  C(findings) are those of the checks around it
- C(inspect()) -> C((state, facts)): what there is, without changing anything
- C(begun()): whether taking the runtime server away is the end of a migration, which the gate guards
- C(known()): whether there is anything of this migration here
- C(progress()): the migration's status, see the backends
- C(circumstances(progress)): what the gate has to know besides the report, see M(_verify.evidence.collect)
- C(planned()) -> C({remove, keep, refusals}): what cleanup takes away and what stays, the runtime server last
- C(clean(abandoned)) -> list: take away what is outside the runtime server; nothing of the target when I(abandoned)
- C(remaining()) -> list: what of the migration is there still after C(clean) or C(undo), each with the reason
- C(named(databases, roles)) -> list: what of the target is to be dropped, after making sure that the migration made it
- C(undo(databases, roles)) -> as C(clean), of a migration that is rolled back, together with what is named
- C(archive()) -> list: what is kept of it, as paths or sentences
- C(recorded(progress, archived)) -> C({migration, runtime_server}): its part of the final record
- C(recall()) -> the final record of this request, or None
- C(record(content)) -> the final record, written
- C(leftovers()) -> list, C(refusals(asked)) -> list: what C(absent) takes away, and what stands against it; I(asked) when
  somebody asks for this very server to go
- C(absent()) -> list: take the runtime server away, in check mode only say so
- C(rest(gone)) -> list: what is there still after C(absent), which said that I(gone) went, each with the reason
- C(pending), C(operation): what C(absent) has only begun for a caller that does not wait, and where to look for its end
"""

from __future__ import annotations

from .edge import Task


def keeper_of(task: Task):
    """Return the keeper of the request's provider."""
    if task.request.provider == "azure":
        from .keeper_azure import AzureKeeper

        return AzureKeeper(task)
    from .keeper_host import HostKeeper

    return HostKeeper(task)
