# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy the checkout's files to a place that ansible-test accepts.

ansible-test works only below `ansible_collections/<namespace>/<name>`, follows no symlink to get there, and
silently tests nothing in a folder that git ignores. So the files that git knows, or would add, are copied to
`.cache/tree/ansible_collections/azpg/migrate`, and the copy gets a git index of its own.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / ".cache" / "tree" / "ansible_collections" / "azpg" / "migrate"


def git(*arguments: str, cwd: pathlib.Path) -> bytes:
    """Run git in `cwd`, whatever repository the caller's environment may name."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", *arguments], cwd=cwd, env=env, check=True, stdout=subprocess.PIPE).stdout


def checkout_files() -> list[str]:
    """List the checkout's files: tracked ones and new ones, but none that is ignored or was deleted."""
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    return sorted(name for name in names if os.path.lexists(ROOT / name))


def same(source: pathlib.Path, copy: pathlib.Path) -> bool:
    """Tell whether the copy is the source's, by kind, size, mode and time."""
    try:
        left, right = source.lstat(), copy.lstat()
    except FileNotFoundError:
        return False
    if source.is_symlink() or copy.is_symlink():
        return source.is_symlink() and copy.is_symlink() and os.readlink(source) == os.readlink(copy)
    return (left.st_size, left.st_mode, left.st_mtime_ns) == (right.st_size, right.st_mode, right.st_mtime_ns)


def remove_stale(wanted: set[str]) -> None:
    """Remove from the copy what the checkout no longer has."""
    for folder, folders, files in os.walk(TREE, topdown=False):
        place = pathlib.Path(folder)
        inside = place.relative_to(TREE).parts
        if inside[:1] == (".git",):
            continue
        for name in [*files, *(name for name in folders if (place / name).is_symlink())]:
            if str((place / name).relative_to(TREE)) not in wanted:
                (place / name).unlink()
        if inside and not any(place.iterdir()):
            place.rmdir()


def mirror() -> pathlib.Path:
    """Bring the copy up to date and return its folder."""
    names = checkout_files()
    TREE.mkdir(parents=True, exist_ok=True)
    remove_stale(set(names))
    for name in names:
        source, copy = ROOT / name, TREE / name
        if same(source, copy):
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.is_symlink() or copy.exists():
            copy.unlink()
        shutil.copy2(source, copy, follow_symlinks=False)
    if not (TREE / ".git").is_dir():
        git("init", "--quiet", cwd=TREE)
    git("add", "--all", "--force", cwd=TREE)
    return TREE


if __name__ == "__main__":
    try:
        print(mirror())
    except subprocess.CalledProcessError as failure:
        sys.exit(f"error: `{' '.join(failure.cmd)}` ended with {failure.returncode}")
