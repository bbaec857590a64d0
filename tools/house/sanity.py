# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test's sanity tests on a copy of the checkout, and prove that they ran.

ansible-test ends with 0 when it found nothing to test, or when a program that a test needs is missing.
So the tests that it says it runs are compared with the list below.
"""

from __future__ import annotations

import ast
import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys

from tools.house import mirror

CACHE = mirror.ROOT / ".cache"
HOME = CACHE / "home"

# Every sanity test that ansible-core 2.18 to 2.21 applies to a collection.
EXPECTED = {
    "action-plugin-docs",
    "ansible-doc",
    "changelog",
    "compile",
    "empty-init",
    "ignores",
    "import",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "pep8",
    "pslint",
    "pylint",
    "replace-urlopen",
    "runtime-metadata",
    "shebang",
    "shellcheck",
    "symlinks",
    "use-argspec-type-path",
    "use-compat-six",
    "validate-modules",
    "yamllint",
}
STARTED = re.compile(r'^Running sanity test "([^"]+)"')
FALSE_GREEN = (
    re.compile(r"All targets skipped"),
    re.compile(r"Required program .* not found"),
    re.compile(r"Skipping .*(shellcheck|because|due to|since)", re.IGNORECASE),
)

# ansible-test fetches pip's bootstrap script from a host of its own unless the script is already in its cache.
# Python brings a pip along: use that one to fetch the wanted version from the configured package index.
GET_PIP = """\
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
if wanted:
    subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
"""


def write(path: pathlib.Path, text: str, mode: int = 0o644) -> None:
    """Write a file with the mode that it has to have from its first moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as stream:
        stream.write(text)


def place_get_pip() -> None:
    """Put the bootstrap script where this release of ansible-test looks for it."""
    import ansible_test

    source = pathlib.Path(ansible_test.__path__[0]) / "_internal" / "python_requirements.py"
    versions = set(re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")))
    if not versions:
        sys.exit(f"error: found no pip version in {source}")
    for version in versions:
        write(HOME / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py", GET_PIP)


def place_pip_config(home: pathlib.Path = HOME) -> None:
    """Hand pip's configuration on to another HOME; ansible-test drops PIP_* variables too."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    config = configparser.RawConfigParser()
    config.read_dict({"global": {}})
    from_environment = [("quiet", "1")]
    for line in listed.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.rpartition(".")
        if not (equals and dot):
            continue
        if section == ":env:":
            from_environment.append((name, ast.literal_eval(value)))
            continue
        if not config.has_section(section):
            config.add_section(section)
        config.set(section, name, ast.literal_eval(value))
    for name, value in from_environment:
        if name != "config-file":
            config.set("global", name, value)
    path = home / ".config" / "pip" / "pip.conf"
    write(path, "", 0o600)
    with path.open("w", encoding="utf-8") as stream:
        config.write(stream)


def main(arguments: list[str]) -> int:
    """Run the tests; say at the end how many ran, and which should have but did not."""
    tree = mirror.mirror()
    place_get_pip()
    place_pip_config()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    command = ["ansible-test", "sanity", "--local", "--python", version, "--color", "no", *arguments]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
    env["HOME"] = str(HOME)
    process = subprocess.Popen(
        command, cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    started, doubts = set(), []
    if not shutil.which("shellcheck"):
        doubts.append("shellcheck is not installed")
    for line in process.stdout:
        print(line, end="", flush=True)
        found = STARTED.match(line)
        if found:
            started.add(found.group(1))
        if any(pattern.search(line) for pattern in FALSE_GREEN):
            doubts.append(line.strip())
    code = process.wait()
    if arguments:
        return code
    missing = EXPECTED - started
    for name in sorted(missing):
        print(f"error: sanity test {name} did not run")
    for line in doubts:
        print(f"error: not everything was tested: {line}")
    print(f"sanity tests run: {len(started)} of {len(EXPECTED)}")
    return code or int(bool(missing or doubts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
