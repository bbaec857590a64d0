# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as one file on the runtime host: built from the sources that are running right now."""

from __future__ import annotations

import io
import os
import py_compile
import sys
import tempfile
import zipfile

from .._core.canonical import digest
from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, write_private
from .._core.layout import Layout
from .._core.version import VERSION
from . import engine, worker
from .online import child

PACKAGE = __name__.rpartition("._transfer.")[0]
ROOMS = ("_core", "_postgres", "_transfer")
MAIN = f"""import sys

# A worker starts in half the time without the engine's part.
if sys.argv[1:] == ["worker"]:
    from {worker.__name__} import main
elif sys.argv[1:] == ["follow"]:
    from {child.__name__} import main
else:
    from {engine.__name__} import main
sys.exit(main())
"""
EPOCH = (2026, 1, 1, 0, 0, 0)


def engine_sources() -> dict:
    """Return C({path in the archive: source text}) of the engine and all that it imports from this collection."""
    return sources_of(MAIN, ROOMS)


def sources_of(main: str, names) -> dict:
    """Return C({path in the archive: source text}) of a program that begins with the source I(main).

    The sources are asked of the loaders that imported them, which works from a checkout as well as from inside a
    module's payload on a remote host.

    :param names: rooms, and modules as C(room.module), that the program consists of; they have been imported
    """
    sources = {"__main__.py": main}
    wanted = tuple(f"{PACKAGE}.{name}" for name in names)
    for name, module in sorted(sys.modules.items()):
        if module is None or not any(name == one or name.startswith(one + ".") for one in wanted):
            continue
        is_package = hasattr(module, "__path__")
        text = module.__spec__.loader.get_source(name)
        if text is None:
            raise PreconditionFailed(
                f"The source of {name} cannot be read.", "Install the collection with its sources."
            )
        sources[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = text
    for path in list(sources):
        parts = path.split("/")[:-1]
        for length in range(1, len(parts) + 1):
            sources.setdefault("/".join(parts[:length]) + "/__init__.py", "")
    return sources


def compiled(path: str, text: str) -> bytes:
    """Return the byte code of a source as it lies in a file; never checked against the source, which cannot change.

    Workers start in a fraction of the time when they need not compile; another interpreter takes the source beside it.
    """
    with tempfile.TemporaryDirectory() as directory:
        source = os.path.join(directory, "source.py")
        with open(source, "w", encoding="utf-8") as stream:
            stream.write(text)
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        with open(py_compile.compile(source, source + "c", path, True, invalidation_mode=mode), "rb") as stream:
            return stream.read()


def build(sources: dict) -> bytes:
    """Return the engine as the bytes of an executable zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(path, EPOCH), text, zipfile.ZIP_DEFLATED)
            archive.writestr(zipfile.ZipInfo(path + "c", EPOCH), compiled(path, text), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def engine_path(layout: Layout, sources: dict, kind: str = "engine") -> str:
    """Return where an engine of this version, made of these sources for this interpreter, belongs."""
    tag = digest({"sources": sources, "interpreter": sys.implementation.cache_tag})[:12]
    return os.path.join(layout.engine_directory, f"azpg-migrate-{kind}-{VERSION}-{tag}.pyz")


def install(layout: Layout, check_mode: bool = False) -> tuple:
    """Install the engine unless it is there; return C((path, whether something changed))."""
    return put(layout, engine_sources(), "engine", check_mode)


def put(layout: Layout, sources: dict, kind: str, check_mode: bool = False) -> tuple:
    """Write a program of these sources unless it is there; return C((path, whether something changed))."""
    path = engine_path(layout, sources, kind)
    if os.path.exists(path):
        return path, False
    if not check_mode:
        make_private_directory(layout.engine_directory)
        write_private(path, build(sources))
    return path, True
