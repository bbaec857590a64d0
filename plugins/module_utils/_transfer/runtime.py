# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime server of the host provider: the host that executes the task, made ready and taken back."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import statistics
import sys
import time

from .._core.errors import DependencyMissing, PreconditionFailed
from .._core.files import make_private_directory, read_json, write_json
from .._core.layout import Layout
from .._core.request import Request
from .._postgres.connection import connect, value
from .._postgres.driver import driver_version, require_driver
from .._postgres.programs import choose_programs
from . import installation
from .capacity import capacity, is_here

MINIMUM_PYTHON = (3, 9)
PROBES = 5


def existing_parent(path: str) -> str:
    """Return the nearest directory at or above I(path) that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def file_system(path: str) -> str:
    """Return the type of the file system that holds I(path), for example C(ext4); C(unknown) where it cannot be told."""
    best, kind = "", "unknown"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as stream:
            for line in stream:
                fields = line.split()
                mount = fields[4].encode().decode("unicode_escape")
                inside = path == mount or path.startswith(mount.rstrip("/") + "/")
                if inside and len(mount) >= len(best):
                    best, kind = mount, fields[fields.index("-") + 1]
    except OSError:
        pass
    return kind


def probe(endpoint, side: str) -> dict:
    """Return C({server_version, round_trip_milliseconds, on_this_host}) of a server as seen from here.

    :raises ConnectionFailed: when it cannot be reached
    """
    session = connect(endpoint, side)
    try:
        times = []
        for _probe in range(PROBES):
            begun = time.perf_counter()
            value(session, "SELECT 1")
            times.append((time.perf_counter() - begun) * 1000)
        return {
            "server_version": session.server_version,
            "round_trip_milliseconds": round(statistics.median(times), 2),
            "on_this_host": is_here(session),
        }
    finally:
        session.close()


def inspect(request: Request, layout: Layout, bin_directory: str | None) -> dict:
    """Return what this host offers as a runtime server.

    :raises DependencyMissing: Python, psycopg2 or client programs are missing or too old
    :raises ConnectionFailed: source or target cannot be reached from here
    """
    if sys.version_info[:2] < MINIMUM_PYTHON:
        wanted = ".".join(map(str, MINIMUM_PYTHON))
        raise DependencyMissing(
            f"{sys.executable} is Python {platform.python_version()}, expected {wanted} or newer.",
            "Point ansible_python_interpreter at a newer one on the runtime host.",
        )
    require_driver()
    source, target = probe(request.source, "source"), probe(request.target, "target")
    programs = choose_programs(source["server_version"] // 10000, target["server_version"] // 10000, bin_directory)
    place = existing_parent(layout.state_directory)
    return {
        "host": platform.node(),
        "python": sys.executable,
        "python_version": platform.python_version(),
        "psycopg2_version": driver_version(),
        "bin_directory": programs.directory,
        "client_version": programs.version,
        **capacity(request),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "state_directory": layout.directory,
        "state_free_bytes": shutil.disk_usage(place).free,
        "state_file_system": file_system(place),
        "source": source,
        "target": target,
    }


def require_apart(facts: dict) -> None:
    """Refuse a host that is the source or the target itself.

    :raises PreconditionFailed: naming which
    """
    here = [side for side in ("source", "target") if facts[side]["on_this_host"]]
    if here:
        raise PreconditionFailed(
            f"The runtime host {facts['host']} is the {' and the '.join(here)} of the migration, or reaches it through a "
            "tunnel that ends here.",
            "Choose another host, which takes neither processors nor disk from a server. If this one is meant, set "
            "'colocated: true'.",
            {"sides": here},
        )


def require_room(layout: Layout, most: int) -> None:
    """Refuse one migration more than a host shall serve.

    :raises PreconditionFailed: naming those that live there
    """
    others = other_migrations(layout)
    if len(others) >= most and not os.path.isdir(layout.directory):
        raise PreconditionFailed(
            f"The runtime host serves {len(others)} migrations already, and 'max_migrations' is {most}: "
            f"{', '.join(others[:20])}.",
            "Clean up those that are over, choose another host, or raise 'max_migrations'.",
            {"migrations": others},
        )


def present(
    request: Request,
    layout: Layout,
    bin_directory: str | None,
    check_mode: bool,
    colocated: bool = True,
    most: int | None = None,
) -> tuple:
    """Make this host ready; return C((facts, changes)) where changes is a list of what was, or would be, made.

    :param colocated: also on a host that is the source or the target
    :param most: how many migrations the host shall serve at the most; None for any number
    :raises PreconditionFailed: when the host is not to be taken
    """
    if most is not None:
        require_room(layout, most)
    facts = inspect(request, layout, bin_directory)
    if not colocated:
        require_apart(facts)
    changes = []
    if not os.path.isdir(layout.directory):
        changes.append(f"directory {layout.directory}")
        if not check_mode:
            for path in (layout.state_directory, layout.migrations_directory, layout.directory):
                make_private_directory(path)
    engine, installed = installation.install(layout, check_mode)
    if installed:
        changes.append(f"engine {engine}")
    stable = {word: facts[word] for word in ("python", "bin_directory", "client_version")}
    content = {**stable, "engine": engine}
    if read_json(layout.runtime_file) != content:
        changes.append(f"file {layout.runtime_file}")
        if not check_mode:
            write_json(layout.runtime_file, content)
    return {**facts, "engine": engine}, changes


def other_migrations(layout: Layout) -> list:
    """Return the names of the other migrations that live on this host."""
    try:
        names = sorted(os.listdir(layout.migrations_directory))
    except FileNotFoundError:
        return []
    return [name for name in names if name != layout.name]


def leftovers(layout: Layout) -> list:
    """Return the paths that M(absent) would remove now: the migration's directory, and what only it still needed."""
    paths = [layout.directory] if os.path.isdir(layout.directory) else []
    if not other_migrations(layout):
        paths += [path for path in (layout.engine_directory, layout.migrations_directory) if os.path.isdir(path)]
    return paths


def rest(layout: Layout) -> list:
    """Return what keeps the state directory from going with the last migration, in sentences: what none of them has made."""
    known = {"archive", "client-programs", os.path.basename(layout.archive_directory)}
    try:
        found = sorted(set(os.listdir(layout.state_directory)) - known)
    except OSError:
        return []
    if not found or other_migrations(layout) or os.path.isdir(layout.directory):
        return []
    return [f"directory {layout.state_directory}: it holds what no migration has made, {', '.join(found[:10])}"]


def absent(layout: Layout, check_mode: bool) -> list:
    """Remove the migration's directory, and the engine when no other migration lives here; return what went."""
    paths = leftovers(layout)
    if not check_mode:
        for path in paths:
            shutil.rmtree(path)
        with contextlib.suppress(OSError):
            os.rmdir(layout.state_directory)  # only when nothing else is in it
    return paths
