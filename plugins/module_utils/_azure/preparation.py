# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The target made ready for a load, and brought back to what it was: a pure decision over its parameters.

What was is kept as tags of the target, entered before anything is changed, so that a crash leaves nothing unknown. Lists
such as C(azure.extensions) are added to and stay so, since the databases that arrive need what was added.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from .._core.errors import InvalidRequest, PreconditionFailed

WAS = "azpg-was-"
WAS_SKU = f"{WAS}sku"
PREPARED = "azpg-prepared-by"
# Parameters that are lists, to which only is added.
LISTS = ("azure.extensions", "shared_preload_libraries")
LONGEST_VALUE = 256
OVERRIDE = "user-override"

# What Microsoft recommends for the time of a load, as far as it does not depend on the server. Units are the parameter's.
RECOMMENDED = {
    "autovacuum": "off",
    "checkpoint_timeout": "3600",
    "idle_in_transaction_session_timeout": "0",
    "max_wal_size": "65536",
    "maintenance_work_mem": "2097151",
    "tcp_keepalives_count": "60",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "10",
    "wal_compression": "on",
}
RECOMMENDED_ONLINE = {"wal_sender_timeout": "0"}


@dataclass(frozen=True)
class Change:
    """One parameter that is changed: from what to what, whether that needs a restart, and where its old value came from."""

    name: str
    old: str
    new: str
    static: bool
    source: str

    @property
    def line(self) -> str:
        """The change in words."""
        return f"parameter {self.name}: {self.old or 'empty'} -> {self.new}"


def words_of_list(value: str) -> list:
    """Return the words of a parameter that is a list."""
    return [word.strip() for word in value.split(",") if word.strip()]


def merged_list(value: str, more: list) -> str:
    """Return a list with words added that it lacks; what is there stays, in its order."""
    held = words_of_list(value)
    known = {word.lower() for word in held}
    return ",".join([*held, *(word for word in dict.fromkeys(more) if word.lower() not in known)])


def recommended(mode: str, databases: int, cores: int, memory_mib: int, disk_gib: int) -> dict:
    """Return the parameters that suit a load, for a target of this size.

    The log may fill an eighth of the disk, and an index that is built an eighth of memory.
    """
    found = dict(RECOMMENDED)
    found["maintenance_work_mem"] = str(min(2097151, memory_mib * 1024 // 8))
    found["max_wal_size"] = str(min(65536, max(2048, disk_gib * 1024 // 8)))
    found["max_parallel_workers"] = str(max(8, cores))
    found["max_parallel_maintenance_workers"] = str(max(2, min(cores, 8)))
    if mode == "online":
        found.update(RECOMMENDED_ONLINE)
        found["max_replication_slots"] = str(max(10, databases + 1))
    return found


def wanted_parameters(options: dict, held: dict, suggestion: dict) -> dict:
    """Return what the user asks for: named parameters before recommended ones, lists added to.

    :param options: the option C(azure_target)
    :param held: C({name: properties}) of the target's parameters
    :param suggestion: what M(recommended) returned; used when the user asks for it
    """
    wanted = {}
    if options.get("recommended_parameters"):
        for name, value in suggestion.items():
            if name in held and not_lowering(name, value, held[name]):
                wanted[name] = value
    wanted.update({str(name).lower(): text_of(value) for name, value in (options.get("parameters") or {}).items()})
    for name, option in zip(LISTS, ("extensions", "libraries")):
        if options.get(option):
            check_offered(option, options[option], words_of_list(str(held.get(name, {}).get("allowedValues") or "")))
            before = wanted.get(name, str(held.get(name, {}).get("value") or ""))
            wanted[name] = merged_list(before, options[option])
    return wanted


def not_lowering(name: str, value: str, words: dict) -> bool:
    """Tell whether a recommended value may be set: what is to hold enough is never made smaller."""
    if not (name.startswith(("max_", "maintenance_")) and value.isdigit()):
        return True
    present = str(words.get("value") or "")
    return not present.isdigit() or int(value) > int(present)


def text_of(value) -> str:
    """Return a value as Azure wants it: a text, with C(on) and C(off) for truth."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def check_offered(option: str, asked: list, offered: list) -> None:
    """Make sure that the target offers what is to be added to a list; where Azure does not say, it decides later.

    :raises InvalidRequest: naming what it lacks
    """
    known = [word.lower() for word in offered]
    lacking = [word for word in asked if word.lower() not in known]
    if offered and lacking:
        near = [word for name in lacking for word in difflib.get_close_matches(name.lower(), known, 1)]
        raise InvalidRequest(
            f"'azure_target.{option}' names {', '.join(lacking)}, which the target does not offer.",
            f"The closest {'is' if len(near) == 1 else 'are'} {', '.join(near)}."
            if near
            else f"It offers {', '.join(offered)}.",
        )


def plan_changes(wanted: dict, held: dict) -> list:
    """Return the changes that bring the parameters to what is wanted.

    :raises InvalidRequest: for a parameter that there is not, that cannot be set, or a value that is not allowed
    """
    changes = []
    for name, value in sorted(wanted.items()):
        words = held.get(name)
        if words is None:
            near = difflib.get_close_matches(name, held, 1)
            raise InvalidRequest(
                f"'azure_target' names the parameter {name}, which the target does not have.",
                f"The closest is {near[0]}."
                if near
                else "'az postgres flexible-server parameter list' prints what it has.",
            )
        old = str(words.get("value") if words.get("value") is not None else "")
        if same_value(old, value):
            continue
        if words.get("isReadOnly") is True:
            raise InvalidRequest(f"'azure_target' sets {name}, which Azure does not let anybody set.", "Leave it out.")
        if not is_allowed(value, words):
            raise InvalidRequest(
                f"'azure_target' sets {name} to {value!r}; allowed is {words.get('allowedValues')}.", "Correct it."
            )
        changes.append(
            Change(name, old, value, words.get("isDynamicConfig") is False, str(words.get("source") or OVERRIDE))
        )
    return changes


def same_value(old: str, new: str) -> bool:
    """Tell whether two values of a parameter are the same."""
    if old.strip().lower() == new.strip().lower():
        return True
    try:
        return float(old) == float(new)
    except ValueError:
        return False


def is_allowed(value: str, words: dict) -> bool:
    """Tell whether a value is within what Azure says is allowed; what it does not say, it decides later."""
    allowed = str(words.get("allowedValues") or "")
    kind = str(words.get("dataType") or "").lower()
    if kind in ("boolean", "enumeration"):
        return not allowed or value.lower() in [word.strip().lower() for word in allowed.split(",")]
    if kind in ("integer", "numeric"):
        low, dash, high = allowed.rpartition("-")
        try:
            return not dash or float(low) <= float(value) <= float(high)
        except ValueError:
            return False
    return True


def require_restart_allowed(changes: list, allowed: bool) -> None:
    """Refuse changes that need a restart unless the user allows one.

    :raises PreconditionFailed: naming them
    """
    static = [change.name for change in changes if change.static]
    if static and not allowed:
        raise PreconditionFailed(
            f"The target has to be restarted for {', '.join(static)}.",
            "Set 'azure_target.restart: true', or leave these parameters out.",
        )


def record_of(changes: list, tags: dict, sku: tuple | None = None) -> dict:
    """Return the tags that keep what was; what is kept already stays, since it is older.

    :param sku: C((name, tier)) of the target before it is scaled
    :raises PreconditionFailed: for a value that no tag has room for
    """
    record = {}
    for change in changes:
        name = f"{WAS}{change.name}"
        if change.name in LISTS or name in tags:
            continue
        text = f"{change.source}:{change.old}"
        if len(text) > LONGEST_VALUE:
            raise PreconditionFailed(
                f"The value of {change.name} is too long to be kept as a tag of the target.",
                "Leave this parameter out.",
            )
        record[name] = text
    if sku and WAS_SKU not in tags:
        record[WAS_SKU] = "/".join(sku)
    return record


def recorded(tags: dict) -> dict:
    """Return C({parameter: (source, value)}) of what was, from the target's tags."""
    found = {}
    for name, text in tags.items():
        if name.startswith(WAS) and name != WAS_SKU:
            source, _colon, value = text.partition(":")
            found[name[len(WAS) :]] = (source, value)
    return found


def recorded_sku(tags: dict) -> tuple | None:
    """Return C((name, tier)) of the size that the target had."""
    name, slash, tier = tags.get(WAS_SKU, "").partition("/")
    return (name, tier) if slash else None


def plan_restoration(tags: dict, held: dict) -> list:
    """Return the changes that bring the parameters back to what they were."""
    changes = []
    for name, (source, value) in sorted(recorded(tags).items()):
        words = held.get(name) or {}
        present = str(words.get("value") if words.get("value") is not None else "")
        if not same_value(present, value):
            changes.append(Change(name, present, value, words.get("isDynamicConfig") is False, source or OVERRIDE))
    return changes
