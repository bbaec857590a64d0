# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine as one file on the runtime host: built from the sources that are running right now."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile

from .._core.errors import PreconditionFailed
from .._core.files import make_private_directory, write_private
from .._core.layout import Layout
from .._core.version import VERSION
from . import engine

PACKAGE = __name__.rpartition("._transfer.")[0]
ROOMS = ("_core", "_postgres", "_transfer")
MAIN = f"import sys\n\nfrom {engine.__name__} import main\n\nsys.exit(main())\n"
EPOCH = (2026, 1, 1, 0, 0, 0)


def engine_sources() -> dict:
    """Return C({path in the archive: source text}) of the engine and all that it imports from this collection.

    The sources are asked of the loaders that imported them, which works from a checkout as well as from inside a
    module's payload on a remote host.
    """
    sources = {"__main__.py": MAIN}
    prefixes = tuple(f"{PACKAGE}.{room}" for room in ROOMS)
    for name, module in sorted(sys.modules.items()):
        if not name.startswith(prefixes) or module is None:
            continue
        is_package = hasattr(module, "__path__")
        text = module.__spec__.loader.get_source(name)
        if text is None:
            raise PreconditionFailed(
                f"The source of {name} cannot be read.", "Install the collection with its sources."
            )
        sources[name.replace(".", "/") + ("/__init__.py" if is_package else ".py")] = text
    parts = PACKAGE.split(".")
    for length in range(1, len(parts) + 1):
        sources.setdefault("/".join(parts[:length]) + "/__init__.py", "")
    return sources


def build() -> bytes:
    """Return the engine as the bytes of an executable zip archive; equal sources give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in sorted(engine_sources().items()):
            archive.writestr(zipfile.ZipInfo(path, EPOCH), text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def engine_path(layout: Layout, content: bytes) -> str:
    """Return where an engine of this version and content belongs."""
    digest = hashlib.sha256(content).hexdigest()[:12]
    return os.path.join(layout.engine_directory, f"azpg-migrate-engine-{VERSION}-{digest}.pyz")


def install(layout: Layout, check_mode: bool = False) -> tuple:
    """Install the engine unless it is there; return C((path, whether something changed))."""
    content = build()
    path = engine_path(layout, content)
    if os.path.exists(path):
        return path, False
    if not check_mode:
        make_private_directory(layout.engine_directory)
        write_private(path, content)
    return path, True
