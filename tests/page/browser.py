# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to over two pipes in its own protocol, so that no driver or library is needed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]
PATIENCE_SECONDS = 60.0
# Chromium reads commands from descriptor 3 and writes answers to 4.
LAUNCHER = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class BrowserError(Exception):
    """The browser did not do what it was told."""


class Browser:
    """A running browser with one page; a context manager."""

    def __init__(self, program: str, profile: Path):
        commands, self.commands = os.pipe()
        self.answers, answers = os.pipe()
        words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.log = open(profile.with_suffix(".log"), "wb")  # noqa: SIM115  it lives as long as the browser
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCHER, str(commands), str(answers), *words],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self.buffer = b""
        self.number = 0
        self.events: list = []
        self.session = None
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_unused) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and everything that it started."""
        for end in (self.commands, self.answers):
            with contextlib.suppress(OSError):
                os.close(end)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def call(self, method: str, **parameters) -> dict:
        """Send a command and return its result; what happens meanwhile is added to C(events)."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error'].get('message')}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method: str) -> dict:
        """Return the next event of that name, which may have come already."""
        while True:
            for event in self.events:
                if event.get("method") == method and not event.get("seen"):
                    event["seen"] = True
                    return event["params"]
            self.events.append(self._read())

    def _read(self) -> dict:
        end = time.monotonic() + PATIENCE_SECONDS
        while b"\0" not in self.buffer:
            ready, _write, _error = select.select([self.answers], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                raise BrowserError(f"the browser said nothing for {PATIENCE_SECONDS:.0f} seconds")
            piece = os.read(self.answers, 1 << 20)
            if not piece:
                raise BrowserError(f"the browser ended with {self.process.wait()}; see {self.log.name}")
            self.buffer += piece
        message, _zero, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    # -- one page -----------------------------------------------------------------------------------------------------

    def show(self, path: Path, *, width: int, height: int, dark: bool = False) -> None:
        """Open a file in a window of that size and wait until it is drawn."""
        self.events.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        answer = self.call("Page.navigate", url=path.resolve().as_uri())
        if answer.get("errorText"):
            raise BrowserError(f"{path}: {answer['errorText']}")
        self.wait_for("Page.loadEventFired")

    def evaluate(self, script: str):
        """Return what an expression gives on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """Return the window's content as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def complaints(self) -> list:
        """Return what the page wrote to the console and what went wrong on it, as texts."""
        self.evaluate("0")  # whatever was said before is in by now
        found = []
        for event in self.events:
            method, details = event.get("method"), event.get("params") or {}
            if method == "Runtime.consoleAPICalled":
                found.append(f"console.{details['type']}: {[item.get('value') for item in details['args']]}")
            elif method == "Runtime.exceptionThrown":
                found.append(f"exception: {details['exceptionDetails'].get('text')}")
            elif method == "Log.entryAdded":
                found.append(f"{details['entry']['level']}: {details['entry']['text']}")
            elif method == "Network.loadingFailed":
                found.append(f"not loaded: {details.get('errorText')}")
        return found

    def requests(self) -> list:
        """Return the addresses that the page asked for, beyond itself and what it carries."""
        addresses = [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]
        return [address for address in addresses[1:] if not address.startswith("data:")]
