# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line of the demo."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.demo.azure_stage import AzureStage
from tools.demo.online_stage import OnlineStage
from tools.demo.stage import Stage, compare, stop

PLAYBOOK = "azpg.migrate.site"
STAGES = {("host", "offline"): Stage, ("host", "online"): OnlineStage, ("azure", "offline"): AzureStage}


def headline(text: str) -> None:
    """Print the beginning of a step."""
    print(f"\n==> {text}", flush=True)


def play(stage: Stage, quiet: bool = False, playbook: str = PLAYBOOK, more: Sequence = ()) -> str:
    """Run a playbook and return its output; raises SystemExit when it fails."""
    command = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        playbook,
        "-i",
        str(stage.inventory),
        "-e",
        f"@{stage.vault}",
        *more,
    ]
    environment = {**os.environ, **stage.environment}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if not quiet:
            print(line, end="", flush=True)
    if process.wait():
        raise SystemExit(
            f"The playbook ended with status {process.returncode}.\n{''.join(lines[-40:]) if quiet else ''}"
        )
    return "".join(lines)


def changes(output: str) -> int:
    """Return the number of changes that the playbook's recap counts."""
    return sum(int(number) for number in re.findall(r"changed=(\d+)", output))


def show(directory: Path, scale: float, source_major: int, target_major: int, kind: tuple) -> None:
    """Run the whole demo; raises SystemExit naming what did not hold."""
    stop(directory)
    begun = time.monotonic()
    headline(f"Start a source (PostgreSQL {source_major}) and a target (PostgreSQL {target_major}), fill the source")
    stage = STAGES[kind](directory, source_major, target_major)
    stage.start(scale)
    print(f"source {stage.source.host}:{stage.source.port}, target {stage.target.host}:{stage.target.port},"
          f" ready after {time.monotonic() - begun:.0f} s")  # fmt: skip
    headline(f"ansible-playbook {PLAYBOOK}")
    begun = time.monotonic()
    play(stage)
    first = time.monotonic() - begun
    headline("The same again: nothing must change")
    begun = time.monotonic()
    again = changes(play(stage, quiet=True))
    print(f"changed={again} after {time.monotonic() - begun:.0f} s")
    headline("The application's own queries, asked on both servers")
    stage.reopen(play)
    asked, differences = stage.differences()
    print(f"{asked} queries, {len(differences)} different answers")
    for difference in differences:
        print(f"  {difference}")
    said = stage.said()
    finish(stage, said, first, again, asked, differences)


def finish(stage: Stage, said: list, seconds: float, again: int, asked: int, differences: list) -> None:
    """Print the summary and end the servers; raises SystemExit when something did not hold."""
    record = json.loads((stage.directory / "archive" / "shop" / "final-record.json").read_text(encoding="utf-8"))
    stage.stop()
    stage.vault.unlink()
    headline("Summary")
    for line in [*record["summary"], *said]:
        print(f"    {line}")
    print(f"    Playbook: {seconds:.0f} s; run again: changed={again}; {asked} application queries answered alike: "
          f"{'yes' if not differences else 'NO'}.")  # fmt: skip
    print(f"    A page to look at: {stage.reports / 'shop' / 'verification.html'}")
    print("    Both servers are stopped. 'make clean' removes what is left.")
    if again or differences:
        raise SystemExit("The demo did not hold what it promises.")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("command", nargs="?", default="show", choices=["show", "prepare", "compare", "stop"])
    parser.add_argument("--directory", type=Path, default=Path(".cache/demo"))
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 300 MB")
    parser.add_argument(
        "--provider",
        choices=sorted({provider for provider, _mode in STAGES}),
        default="host",
        help="azure is a simulator's",
    )
    parser.add_argument("--mode", choices=["offline", "online"], default="offline", help="online with provider host")
    parser.add_argument("--source", type=int, default=14, help="major version of the source")
    parser.add_argument("--target", type=int, default=17, help="major version of the target")
    chosen = parser.parse_args()
    if (chosen.provider, chosen.mode) not in STAGES:
        parser.error(f"There is no demo of provider {chosen.provider} in mode {chosen.mode}.")
    # A polite end lets the servers be stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_arguments: sys.exit(1))
    if chosen.command == "show":
        show(chosen.directory, chosen.scale, chosen.source, chosen.target, (chosen.provider, chosen.mode))
    elif chosen.command == "prepare":
        stop(chosen.directory)
        stage = Stage(chosen.directory, chosen.source, chosen.target)
        stage.start(chosen.scale)
        stage.leave_running()
    elif chosen.command == "compare":
        asked, differences = compare(chosen.directory)
        print(f"{asked} queries, {len(differences)} different answers")
        raise SystemExit("\n".join(map(str, differences)) if differences or not asked else 0)
    else:
        stop(chosen.directory)


if __name__ == "__main__":
    main()
