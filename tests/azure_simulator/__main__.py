# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the simulator by hand: `python -m tests.azure_simulator --directory DIR`."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from tests.azure_simulator import Simulator, state


def main(arguments: list[str] | None = None) -> int:
    """Start, print `export` lines, and run until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.azure_simulator", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="a folder of its own")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--time-scale", type=float, default=0.01, help="1.0 is Azure's own pace")
    parser.add_argument("--control-plane-only", action="store_true", help="migrations move nothing")
    parser.add_argument("--state", type=Path, help="JSON that says what there is at the start; see state.py")
    options = parser.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_unused: ended.set())
    words = {"time_scale": options.time_scale, "control_plane_only": options.control_plane_only, "port": options.port}
    with Simulator(options.directory, **words) as azure, contextlib.ExitStack() as stack:
        try:
            made = state.enter(azure, options.state, stack) if options.state else {}
        except (OSError, ValueError, KeyError) as error:
            print(f"error: {options.state}: {error}", file=sys.stderr)
            return 1
        for name, value in azure.environment.items():
            print(f"export {name}='{value}'")
        for name, identifier in made.items():
            print(f"# {name}: {identifier}")
        print(f"# {azure.url} runs; an interrupt ends it", flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
