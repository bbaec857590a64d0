# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pg_dump is taken, and what is said when none fits."""

from __future__ import annotations

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core.errors import DependencyMissing
from ansible_collections.azpg.migrate.plugins.module_utils._postgres import programs
from ansible_collections.azpg.migrate.plugins.module_utils._postgres.programs import choose_programs, find_programs


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs fake programs of a version; nothing else is found."""
    monkeypatch.setattr(programs, "KNOWN_DIRECTORIES", (f"{tmp_path}/*/bin",))
    monkeypatch.setenv("PATH", "")

    def make(version: str, names=programs.NEEDED, words: str = "pg_dump (PostgreSQL) {}", mode: int = 0o755) -> str:
        directory = tmp_path / version / "bin"
        directory.mkdir(parents=True)
        for name in names:
            path = directory / name
            path.write_text(f"#!/bin/sh\necho '{words.format(version)}'\n", encoding="utf-8")
            path.chmod(mode)
        return str(directory)

    return make


def test_newest_first_by_number_not_by_text(install):
    for version in ("9.6.24", "16.3", "10.1"):
        install(version)
    assert [item.version for item in find_programs()] == ["16.3", "10.1", "9.6.24"]
    assert [item.major for item in find_programs()] == [16, 10, 9]


def test_targets_own_major_is_preferred(install):
    for version in ("14.9", "17.2", "18.0"):
        install(version)
    assert choose_programs(14, 17).version == "17.2"


def test_else_the_oldest_that_fits_both(install):
    for version in ("14.9", "16.1", "18.0"):
        install(version)
    assert choose_programs(14, 15).version == "16.1"


def test_source_counts_too(install):
    install("15.4")
    with pytest.raises(DependencyMissing, match="expected are client programs 16 or newer"):
        choose_programs(16, 15)


def test_too_old_names_what_was_found_and_where(install):
    directory = install("14.9")
    with pytest.raises(DependencyMissing) as caught:
        choose_programs(14, 17)
    assert f"14.9 in {directory}" in caught.value.msg
    assert "postgresql-client-17" in caught.value.hint
    assert "bin_directory" in caught.value.hint
    assert caught.value.details == {"found": ["14.9"], "expected_major": 17}


def test_none_at_all(install):
    with pytest.raises(DependencyMissing, match="No pg_dump and pg_restore in PATH") as caught:
        choose_programs(14, 17)
    assert caught.value.details["expected_major"] == 17


def test_named_directory_is_the_only_one_looked_at(install):
    old = install("14.9")
    install("17.2")
    with pytest.raises(DependencyMissing, match="14.9"):
        choose_programs(14, 17, old)


def test_path_is_searched(install, monkeypatch):
    directory = install("17.2")
    monkeypatch.setattr(programs, "KNOWN_DIRECTORIES", ())
    monkeypatch.setenv("PATH", f"/nowhere:{directory}:{directory}")
    assert [item.directory for item in find_programs()] == [directory]


@pytest.mark.parametrize(
    "words", [{"names": ("pg_dump",)}, {"mode": 0o644}, {"words": "something else"}], ids=["half", "locked", "foreign"]
)
def test_what_does_not_work_does_not_count(install, words):
    install("17.2", **words)
    assert find_programs() == []


def test_version_words_of_distributions(install):
    install("16.3", words="pg_dump (PostgreSQL) {} (Debian 16.3-1.pgdg120+1)")
    assert [item.version for item in find_programs()] == ["16.3"]
