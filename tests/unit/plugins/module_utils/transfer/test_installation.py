# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as a file: whole, the same every time, and without anything of Ansible."""

from __future__ import annotations

import io
import os
import re
import stat
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout
from ansible_collections.azpg.migrate.plugins.module_utils._core.version import VERSION
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import installation, runtime


@pytest.fixture
def layout(tmp_path):
    return Layout.create("shop", str(tmp_path))


def test_equal_sources_give_the_same_path(layout):
    sources = installation.engine_sources()
    assert installation.engine_path(layout, sources) == installation.engine_path(layout, dict(sources))
    changed = {**sources, "__main__.py": sources["__main__.py"] + "\n"}
    assert installation.engine_path(layout, changed) != installation.engine_path(layout, sources)


def test_every_source_lies_beside_its_byte_code():
    with zipfile.ZipFile(io.BytesIO(installation.build(installation.engine_sources()))) as archive:
        names = set(archive.namelist())
    sources = {name for name in names if name.endswith(".py")}
    assert {name + "c" for name in sources} == names - sources


def test_engine_holds_its_own_rooms_only():
    with zipfile.ZipFile(io.BytesIO(installation.build(installation.engine_sources()))) as archive:
        names = archive.namelist()
    found = (re.search(r"module_utils/(_\w+)/", name) for name in names)
    rooms = {match[1] for match in found if match}
    assert rooms == set(installation.ROOMS)
    assert "__main__.py" in names


def test_installed_engine_runs_alone(layout):
    path, changed = installation.install(layout)
    assert changed
    assert VERSION in os.path.basename(path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    # -I: no PYTHONPATH, no user site; psycopg2 comes with the interpreter.
    process = subprocess.run([sys.executable, "-I", path, "--help"], check=True, capture_output=True, text=True)
    assert "run or resume a migration" in process.stdout
    assert installation.install(layout) == (path, False)


def test_check_mode_installs_nothing(layout):
    path, changed = installation.install(layout, check_mode=True)
    assert changed
    assert not os.path.exists(path)


def test_runtime_server_goes_without_what_others_need(layout, tmp_path):
    other = Layout.create("other", str(tmp_path))
    for one in (layout, other):
        os.makedirs(one.directory)
    installation.install(layout)
    assert runtime.absent(layout, check_mode=True) == [layout.directory]
    assert os.path.isdir(layout.directory)
    assert runtime.absent(layout, check_mode=False) == [layout.directory]
    assert os.path.isdir(layout.engine_directory)
    gone = runtime.absent(other, check_mode=False)
    assert gone == [other.directory, layout.engine_directory, layout.migrations_directory]
    assert not tmp_path.exists(), "nothing was left in it"


def test_archive_outlives_the_runtime_server(layout, tmp_path):
    os.makedirs(layout.directory)
    os.makedirs(layout.archive)
    runtime.absent(layout, check_mode=False)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_file_system_of_a_path():
    assert runtime.file_system("/proc") == "proc"
    assert runtime.existing_parent("/proc/self/no/such/place") == "/proc/self"
