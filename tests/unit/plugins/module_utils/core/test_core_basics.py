# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical JSON, redaction, layout, files, units, findings, errors and waiting."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._core import errors, status
from ansible_collections.azpg.migrate.plugins.module_utils._core.canonical import canonical_json, digest
from ansible_collections.azpg.migrate.plugins.module_utils._core.files import (
    make_private_directory,
    read_json,
    write_json,
    write_private,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.findings import (
    FAILED,
    SKIPPED,
    SUCCEEDED,
    WARNING,
    Finding,
    count,
    fitting,
    worst,
)
from ansible_collections.azpg.migrate.plugins.module_utils._core.layout import Layout, default_state_directory
from ansible_collections.azpg.migrate.plugins.module_utils._core.redaction import MASK, redact
from ansible_collections.azpg.migrate.plugins.module_utils._core.units import human_bytes, human_seconds
from ansible_collections.azpg.migrate.plugins.module_utils._core.waiting import clock


def test_canonical_json_does_not_depend_on_the_writer():
    assert canonical_json({"b": [1, None], "a": "ü"}) == '{"a":"ü","b":[1,null]}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert digest("x") == hashlib.sha256(b'"x"').hexdigest()
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_redaction_covers_plain_and_percent_encoded_forms():
    text = "password=p@ss/w postgresql://user:p%40ss%2Fw@host p@ss"
    assert redact(text, ["p@ss/w"]) == f"password={MASK} postgresql://user:{MASK}@host p@ss"


def test_redaction_takes_the_longest_secret_first_and_no_empty_one():
    assert redact("secret-and-more", ["secret", "secret-and-more", "", None]) == MASK


def test_layout_defaults_for_root(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    layout = Layout.create("shop")
    assert layout.directory == "/var/lib/azpg-migrate/migrations/shop"
    assert layout.archive == "/var/lib/azpg-migrate/archive/shop"


def test_layout_defaults_for_others(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_state_directory() == str(tmp_path / ".local" / "state" / "azpg-migrate")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert default_state_directory() == str(tmp_path / "xdg" / "azpg-migrate")


def test_layout_expands_and_keeps_the_final_record_out_of_what_is_deleted(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    layout = Layout.create("shop", "~/state", "~/kept")
    assert layout.state_directory == str(tmp_path / "state")
    assert layout.final_record_file == str(tmp_path / "kept" / "shop" / "final-record.json")
    inside = Layout.create("shop", str(tmp_path))
    assert not inside.archive.startswith(inside.directory)


def test_files_are_private_and_whole(tmp_path):
    path = tmp_path / "a" / "b"
    assert make_private_directory(str(path)) is True
    assert make_private_directory(str(path)) is False
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    write_json(str(path / "x.json"), {"a": 1})
    assert stat.S_IMODE((path / "x.json").stat().st_mode) == 0o600
    assert read_json(str(path / "x.json")) == {"a": 1}
    assert read_json(str(path / "missing.json")) is None
    assert [item.name for item in path.iterdir()] == ["x.json"], "no temporary file stays"


def test_open_directory_is_tightened(tmp_path):
    tmp_path.chmod(0o755)
    make_private_directory(str(tmp_path))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_private(str(path), "old")

    def refuse(*_arguments):
        raise OSError("no room")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="no room"):
        write_private(str(path), b"new")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "?"), (0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (232e6, "232 MB"), (1.2e12, "1.2 TB")],
)
def test_sizes_for_people(number, text):
    assert human_bytes(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "?"),
        (0.04, "40 ms"),
        (0.12, "0.1 s"),
        (42.4, "42 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7322, "2 h 2 min"),
    ],
)
def test_times_for_people(number, text):
    assert human_seconds(number) == text


def finding(verdict: str) -> Finding:
    return Finding("rule", "title", verdict, "server", "source")


def test_worst_finding_decides():
    assert worst([]) == SKIPPED
    assert worst([finding(SUCCEEDED), finding(SKIPPED)]) == SKIPPED
    assert worst([finding(FAILED), finding(WARNING)]) == FAILED
    assert count([finding(FAILED), finding(FAILED), finding(SUCCEEDED)]) == {
        SUCCEEDED: 1,
        SKIPPED: 0,
        WARNING: 0,
        FAILED: 2,
    }


def test_findings_fit_into_a_result_and_the_gravest_stay():
    many = [
        finding(verdict).as_dict() for verdict in ("succeeded", "skipped", "warning", "failed") for _number in range(10)
    ]
    size = len(json.dumps(many))
    assert fitting(many, size) == many
    assert {item["status"] for item in fitting(many, size * 3 // 4)} == {"skipped", "warning", "failed"}
    assert {item["status"] for item in fitting(many, size // 2)} == {"warning", "failed"}
    assert [item["status"] for item in fitting(many, size // 4)] == ["failed"] * 10
    few = fitting(many, size // 8)
    assert 3 <= len(few) <= 5 and {item["status"] for item in few} == {"failed"}
    assert len(json.dumps(few)) <= size // 8


def test_errors_have_codes_of_their_own_and_carry_the_hint():
    family = errors.MigrationError.__subclasses__()
    assert len({error.code for error in family}) == len(family) >= 7
    problem = errors.TransferFailed("It broke.", "Mend it.", {"unit": "x"})
    assert str(problem) == "It broke. Mend it."
    assert problem.as_dict() == {
        "code": "transfer-failed",
        "msg": "It broke.",
        "hint": "Mend it.",
        "details": {"unit": "x"},
    }


def test_what_goes_on_by_itself_or_on_an_answer_is_not_settled():
    states = {text for word, text in vars(status).items() if word.isupper() and isinstance(text, str)}
    assert states - set(status.SETTLED) == {status.RUNNING, status.REPLICATING, status.WAITING, status.QUEUED}


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self):
        self.seconds = 100.0
        self.slept = []

    def now(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


def test_clock_looks_at_once_and_once_more_at_the_deadline():
    time = FakeTime()
    assert list(clock(10, 4, time.now, time.sleep)) == [0, 4, 8, 10]
    assert time.slept == [4, 4, 2]


def test_clock_without_time_looks_once():
    time = FakeTime()
    assert list(clock(0, 4, time.now, time.sleep)) == [0]
    assert time.slept == []


def test_clock_counts_what_the_caller_spends():
    time = FakeTime()
    seen = []
    for elapsed in clock(10, 4, time.now, time.sleep):
        seen.append(elapsed)
        time.seconds += 5
    assert seen == [0, 9, 15]
