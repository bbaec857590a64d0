# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at all processes of this machine while something else goes on."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Callable


class Watch(threading.Thread):
    """Reads command line and environment of every process, over and over, and asks I(spilled) whether a secret is in there.

    I(seen) holds the names of all programs that ran meanwhile, I(hits) what spilled.
    """

    def __init__(self, spilled: Callable[[bytes], bool]):
        super().__init__(daemon=True)
        self.spilled = spilled
        self.ended = threading.Event()
        self.rounds = 0
        self.seen: set = set()
        self.hits: set = set()
        self.harmless: set = set()

    def run(self) -> None:
        while not self.ended.is_set():
            self.rounds += 1
            for directory in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        content = (directory / name).read_bytes()
                    except OSError:  # it has ended, or is not ours to look at
                        continue
                    if content in self.harmless:
                        continue
                    if name == "cmdline":
                        words = content.split(b"\0")
                        self.seen.update(word.rpartition(b"/")[2].decode(errors="replace") for word in words[:3])
                    if self.spilled(content):
                        self.hits.add((name, directory.name))
                    else:
                        self.harmless.add(content)
            time.sleep(0.02)

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_unused) -> None:
        self.ended.set()
        self.join()
