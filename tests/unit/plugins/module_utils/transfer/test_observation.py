# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the looks at the sessions come to."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest
from ansible_collections.azpg.migrate.plugins.module_utils._transfer import observation
from ansible_collections.azpg.migrate.plugins.module_utils._transfer.observation import (
    Observer,
    activity_of,
    blame,
    class_of,
    counted,
)


def session(kind="", event="", query="COPY a FROM STDIN", active=True, parallel=False):
    return (parallel, kind, event, query, active)


RUNS = session()
WAITS = session("Client", "ClientRead")
IDLE = session("Client", "ClientRead", active=False)


@pytest.mark.parametrize(
    ("kind", "event", "name"),
    [
        ("", "", "cpu"),
        ("Client", "ClientRead", "data"),
        ("Client", "ClientWrite", "data"),
        ("IO", "WALSync", "wal"),
        ("IO", "WalSync", "wal"),
        ("LWLock", "WALWrite", "wal"),
        ("LWLock", "WALInsert", "wal"),
        ("IO", "DataFileExtend", "disk"),
        ("IO", "BufFileWrite", "disk"),
        ("Lock", "relation", "lock"),
        ("IPC", "ParallelCreateIndexScan", "helper"),
        ("Timeout", "VacuumDelay", "other"),
    ],
)
def test_classes_of_waits(kind, event, name):
    assert class_of(kind, event) == name


@pytest.mark.parametrize(
    ("query", "activity"),
    [
        ('COPY "a"."b" FROM STDIN (FORMAT binary)', "copy"),
        ("CREATE UNIQUE INDEX i ON a (b)", "index"),
        ("ALTER TABLE ONLY a ADD CONSTRAINT b PRIMARY KEY (c)", "index"),
        ("ALTER TABLE ONLY a\n ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d", "foreign key"),
        ("ANALYZE a", "statistics"),
        ("SELECT pg_catalog.lo_get(1, 2, 3)", "large objects"),
        ("COMMIT", "other"),
    ],
)
def test_activities(query, activity):
    assert activity_of(query) == activity


@pytest.mark.parametrize(
    ("busy", "source", "target", "cores", "causes"),
    [
        (2, [RUNS, RUNS], [RUNS, WAITS], 0, {"target_cpu": 1, "source_cpu": 1}),
        (2, [WAITS, WAITS], [WAITS, WAITS], 0, {"between": 2}),
        (2, [WAITS, WAITS], [WAITS, WAITS], 2.4, {"client": 2}),
        (2, [WAITS, WAITS], [WAITS, WAITS], 1, {"client": 1, "between": 1}),
        (3, [IDLE], [IDLE], 0, {"start": 2, "between": 1}),
        (1, [RUNS], [session("IO", "WALSync")], 0, {"target_wal": 1}),
        (1, [IDLE], [session("IPC", "X"), session("IO", "DataFileRead", parallel=True)], 0, {"target_disk": 1}),
        (0, [RUNS], [RUNS], 1, {}),
    ],
)
def test_blame_shares_out_the_busy_workers_and_no_more(busy, source, target, cores, causes):
    found = blame(busy, source, target, cores)
    assert found == causes
    assert sum(found.values()) == busy


def test_only_active_sessions_are_counted():
    assert counted({"source": [RUNS, RUNS, IDLE], "target": [WAITS]}) == {
        ("source", "copy", "", ""): 2,
        ("target", "copy", "Client", "ClientRead"): 1,
    }


def test_processor_time_of_a_process():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    assert observation.process_seconds(os.getpid()) >= 0.04
    assert observation.process_seconds(2**22 + 1) == 0


def test_looks_are_few_and_go_on_without_sessions():
    lines = []
    journal = SimpleNamespace(sample=lambda *facts: lines.append(facts), observe=lambda *facts: lines.append(facts))
    observer = Observer(journal, SimpleNamespace(label=lambda side, role: side))
    pool = SimpleNamespace(
        workers=[SimpleNamespace(unit=True, process=SimpleNamespace(pid=os.getpid(), returncode=None))]
    )
    for _number in range(20):
        observer.look(None, None, pool)
    assert len(lines) == 1 and lines[0][0] == 1
