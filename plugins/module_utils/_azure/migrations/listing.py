# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of migrations that the processes of one controller share: many wait for the same target at once.

A list that tells somebody to wait may be as old as the caller allows; whoever is going to act on one reads it anew.
The files hold what the service says of migrations, which is never a secret.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time

from ..._core.files import make_private_directory, read_json, write_json


class SharedFiles:
    """Answers of Resource Manager kept in a private directory of this controller.

    :param directory: None to keep nothing, also where it cannot be made
    """

    def __init__(self, directory: str | None):
        self.directory = directory
        if directory:
            try:
                make_private_directory(directory)
            except OSError:
                self.directory = None

    def path(self, key: str, ending: str) -> str:
        """Return the file for I(key)."""
        return os.path.join(self.directory, hashlib.sha256(key.lower().encode()).hexdigest()[:32] + ending)

    @contextlib.contextmanager
    def lock(self, key: str):
        """Hold the lock of I(key) among the processes of this controller."""
        if self.directory is None:
            yield
            return
        with open(self.path(key, ".lock"), "a", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def fetch(self, key: str, ask, allowed_age: float = 0.0):
        """Return what I(ask()) returns, or what it returned for another process not longer than I(allowed_age) seconds ago.

        Of several processes that ask at the same time one does, and the others take its answer.
        """
        if self.directory is None:
            return ask()
        wanted = time.time() - allowed_age
        with self.lock(key):
            kept = self.kept(key)
            # One that began to wait for the lock before this answer was asked for may have it too.
            if kept is not None and kept["asked_at"] >= wanted:
                return kept["answer"]
            asked_at = time.time()
            answer = ask()
            with contextlib.suppress(OSError):
                write_json(self.path(key, ".json"), {"asked_at": asked_at, "answer": answer})
            return answer

    def kept(self, key: str):
        """Return C({asked_at, answer}) as it was written last, or None."""
        with contextlib.suppress(OSError, ValueError):
            found = read_json(self.path(key, ".json"))
            # A clock that was set back would keep it alive for ever.
            if found and found["asked_at"] <= time.time():
                return found
        return None

    def forget(self, key: str) -> None:
        """Drop what is kept under I(key), since it has been changed; also what somebody is just being told."""
        if self.directory is not None:
            with self.lock(key), contextlib.suppress(OSError):
                os.unlink(self.path(key, ".json"))
