# Copyright: (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the documentation's site in .cache/docs/html, without a network; any warning is an error.

The pages are the checkout's own Markdown files where they lie, so that their links hold; what is said of modules, roles and
filters comes from their documentation through antsibull-docs.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

from tools.house import mirror, venvs

ROOT = venvs.ROOT
PLACE = venvs.CACHE / "docs"
SOURCE, SITE = PLACE / "source", PLACE / "html"
# Beside Sphinx: Markdown, a theme that loads nothing from elsewhere, and Ansible's own pages.
REQUIREMENTS = [
    "antsibull-docs >= 2.16.0",
    "ansible-core >= 2.17.0",
    "furo >= 2024.8.6",
    "myst-parser >= 4.0.0",
    "sphinx >= 8.0",
]
TAKEN = re.compile(r"^(?:README\.md|docs/.*\.(?:md|svg)|examples/.*|extensions/patterns/.*|LICENSE|CHANGELOG\.md)$")
# Where a guide stands that the index does not place itself; what is not named here is looked up.
PLACED = {
    "do": ("online", "online-host", "fleet", "rollback", "azure-runtime-server", "azure-migrations"),
    "figures": (
        "benchmarks",
        "benchmarks-online",
        "benchmarks-verification",
        "matrix",
        "faults",
        "faults-online",
        "cores",
    ),
    "inside": (),
}
CONFIGURATION = '''\
project = "azpg.migrate"
copyright = "2026, azpg.migrate developers"
release = {version!r}
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "furo"
html_title = "azpg.migrate {version}"
html_copy_source = False
html_show_sourcelink = False
myst_heading_anchors = 4
myst_links_external_new_tab = False
exclude_patterns = ["roles/**", "CHANGELOG.md"]
# A design page begins with its number, and pages of the pattern lie below others.
suppress_warnings = ["myst.header"]
nitpicky = True


def setup(app):
    """SQL here is PostgreSQL's."""
    from pygments.lexers.sql import PostgresLexer

    app.add_lexer("sql", PostgresLexer)
'''
# What a page may load from elsewhere: nothing. Links that people click are another matter.
FOREIGN = re.compile(
    r"""<(?:script|img|link|iframe|source)\b[^>]*(?:src|href)=["'](?:https?:)?//[^"']+""", re.IGNORECASE
)


def copy_pages() -> list[str]:
    """Copy the pages to where Sphinx looks for them; return their names without endings."""
    names = [name for name in mirror.checkout_files() if TAKEN.match(name)]
    for name in names:
        target = SOURCE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    return [name[:-3] for name in names if name.endswith(".md")]


def write_index(pages: list[str]) -> None:
    """Write the first page; every guide stands somewhere on it."""
    text = (pathlib.Path(__file__).parent / "index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:README|(?:docs|examples|extensions)/\S+)$", text, re.MULTILINE))
    guides = {page for page in pages if page.startswith("docs/") and not page.startswith("docs/design/")} - named
    for word, names in PLACED.items():
        here = [f"docs/{name}" for name in names if f"docs/{name}" in guides]
        guides -= set(here)
        text = text.replace(f"@{word}@", "\n".join(here))
    text = text.replace("@look-up@", "\n".join(sorted(guides)))
    (SOURCE / "index.md").write_text(text, encoding="utf-8")
    # The decisions are read from their list.
    design = SOURCE / "docs" / "design" / "README.md"
    records = sorted(page.rpartition("/")[2] for page in pages if re.match(r"docs/design/\d", page))
    design.write_text(
        design.read_text(encoding="utf-8") + "\n```{toctree}\n:hidden:\n\n" + "\n".join(records) + "\n```\n",
        encoding="utf-8",
    )


def fit_to_theme() -> None:
    """Take the list of contents off the pages of plugins: the theme has one beside every page."""
    for path in (SOURCE / "collections").glob("*.rst"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^\.\. contents::\n(?:   :.*\n)+", "", text, flags=re.MULTILINE)
        path.write_text(
            text.replace("Azpg.Migrate\n============", "Modules, roles and filters\n=========================="),
            "utf-8",
        )


def run(programs: pathlib.Path, *command: str) -> str:
    """Run a program of the documentation's environment; end with what it said if it failed."""
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(programs), os.environ["PATH"])),
        "ANSIBLE_COLLECTIONS_PATH": str(venvs.CACHE / "ansible" / "collections"),
        "ANSIBLE_HOME": str(venvs.CACHE / "ansible"),
    }
    done = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"error: {command[0]} ended with {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-6000:]}")
    return done.stdout + done.stderr


def complaints(pages: list[str]) -> list[str]:
    """Name pages that are missing from the site, and what they would load from elsewhere."""
    found = [
        f"{page} is not on the site"
        for page in pages
        if not (SITE / f"{page}.html").is_file() and "CHANGELOG" not in page
    ]
    for path in sorted(SITE.rglob("*.html")):
        for match in FOREIGN.finditer(path.read_text(encoding="utf-8")):
            found.append(f"{path.relative_to(SITE)} would load {match[0][-120:]}")
        # The theme says on the page itself what it does not like.
        if "ERROR: Adding a table of contents" in path.read_text(encoding="utf-8"):
            found.append(f"{path.relative_to(SITE)} has a table of contents that the theme does not want")
    return found


def main() -> int:
    """Make everything anew."""
    programs = venvs.make(venvs.CACHE / "venv-docs", REQUIREMENTS)
    shutil.rmtree(PLACE, ignore_errors=True)
    SOURCE.mkdir(parents=True)
    pages = copy_pages()
    write_index(pages)
    version = re.search(r"^version: (\S+)$", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)[1]
    shutil.copyfile(pathlib.Path(__file__).parent / "ansible.md", SOURCE / "ansible.md")
    (SOURCE / "conf.py").write_text(CONFIGURATION.format(version=version), encoding="utf-8")
    (SOURCE / "collections").mkdir()
    words = ("collection", "--use-current", "--squash-hierarchy", "--fail-on-error", "--no-add-antsibull-docs-version")
    run(programs, "antsibull-docs", *words, "--dest-dir", str(SOURCE / "collections"), "azpg.migrate")
    fit_to_theme()
    run(programs, "sphinx-build", "-b", "html", "-W", "--keep-going", "-q", "-j", "2", str(SOURCE), str(SITE))
    found = complaints(pages)
    for line in found:
        print(f"error: {line}")
    made = len(list(SITE.rglob("*.html")))
    print(f"documentation: {made} pages in {SITE.relative_to(ROOT)}, {len(found)} complaints")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
