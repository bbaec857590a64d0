# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which packages bring PostgreSQL's client programs to a host, and which of them may go again."""

from __future__ import annotations

import re

from ansible.errors import AnsibleFilterError

DISTRIBUTION = "distribution"
POSTGRESQL = "postgresql"
PACKAGE = "package"
KEY_FILES = {"debian": "/usr/share/keyrings/azpg-migrate.asc", "redhat": "/etc/pki/rpm-gpg/RPM-GPG-KEY-azpg-migrate"}
# rpm keeps keys as if they were packages.
NO_PACKAGES = ("gpg-pubkey",)
# apt says "Remv NAME [VERSION]" or "Purg NAME [VERSION]", dnf "Removed: NAME-VERSION-RELEASE.ARCHITECTURE".
APT_LINE = re.compile(r"^(?:Remv|Purg) ([a-z0-9][a-z0-9+.-]*)", re.MULTILINE)
DNF_LINE = re.compile(r"^Removed: (.+)-[^-]+-[^-]+$")
# A package of a module that has its name, with stream and profile.
MODULE = re.compile(r"^@([^:/]+).*$")


def client_packages(facts, major, origin, packages=None, repository=None, repository_key=None) -> dict:
    """Return C({family, packages, repository}) for a host of these facts; C(repository) is None or where packages come from."""
    family = {"Debian": "debian", "RedHat": "redhat"}.get(facts.get("os_family"))
    if family is None:
        raise AnsibleFilterError(
            f"Client programs can be installed on the Debian and Red Hat families, and this host is {facts.get('distribution')} "
            f"of the family {facts.get('os_family')}. Install them yourself, and leave 'azpg_client_programs' at 'present'."
        )
    if family == "redhat" and str(facts.get("distribution_major_version")) == "8":
        raise AnsibleFilterError(
            f"Client programs cannot be installed on {facts.get('distribution')} 8: its dnf needs Python 3.6, and ansible-core has "
            f"left that behind with 2.17. Install them there yourself, for example with 'dnf install @postgresql:{major}/client', "
            "and leave 'azpg_client_programs' at 'present'."
        )
    if origin == PACKAGE:
        if not packages:
            raise AnsibleFilterError(
                "'azpg_client_programs' is 'package', and 'azpg_client_packages' names none. Name the packages to install."
            )
        return {"family": family, "packages": list(packages), "repository": None}
    if origin == DISTRIBUTION:
        return {"family": family, "packages": of_distribution(family, facts, major), "repository": None}
    if origin != POSTGRESQL:
        raise AnsibleFilterError(
            f"'azpg_client_programs' is {origin!r}, expected present, distribution, postgresql or package."
        )
    for name, value in (("azpg_client_repository", repository), ("azpg_client_repository_key", repository_key)):
        if not value:
            raise AnsibleFilterError(
                f"'azpg_client_programs' is 'postgresql', and '{name}' is not set. Set it to the address of the PostgreSQL "
                "project's repository and of its key, or of a mirror, as the project's download page tells it for this system."
            )
    if family == "debian":
        release = facts.get("distribution_release")
        found = {"url": repository, "suite": f"{release}-pgdg", "key": repository_key, "key_file": KEY_FILES[family]}
        return {"family": family, "packages": [f"postgresql-client-{major}"], "repository": found}
    release = facts.get("distribution_major_version")
    url = f"{repository}/{major}/redhat/rhel-{release}-$basearch"
    found = {"url": url, "suite": None, "key": repository_key, "key_file": KEY_FILES[family]}
    return {"family": family, "packages": [f"postgresql{major}"], "repository": found}


def of_distribution(family: str, facts: dict, major) -> list:
    """Return the distribution's own package of a major version."""
    if family == "debian":
        return [f"postgresql-client-{major}"]
    # 9 has one stream of a module for each major version; 10 has gone back to plain packages.
    modular = str(facts.get("distribution_major_version")) == "9"
    return [f"@postgresql:{major}/client"] if modular else ["postgresql"]


def client_record(choice, present, known=None, finished=False) -> dict:
    """Return what is written down of an installation, before it begins and when it is I(finished).

    What is known already is not forgotten: of a run that broke off, what was there before it; of one that ended, for the
    programs of another major version, what came with it.

    :param choice: C({family, packages, repository}), with C(key), whether dnf gets to know the repository's key by it, and
        C(module), how dnf's file of the module was before, None without one
    :param present: names of the packages that the host has now
    :param known: the record that is there; empty without one
    """
    known = known or {}
    broken_off = bool(known) and not known.get("finished", True)
    before = list(known["before"] if broken_off else present)
    came = set(known.get("installed") or ())
    if finished:
        before = list(known.get("before") or ())
        came |= set(present) - set(before) - set(NO_PACKAGES)
    return {
        **choice,
        "packages": sorted({*(known.get("packages") or ()), *choice["packages"]}),
        "key": bool(known.get("key") or choice.get("key")),
        "module": (known if known else choice).get("module") or None,
        "before": sorted(before),
        "installed": sorted(came),
        "finished": finished,
    }


def packages_to_go(record, trial, present=None) -> list:
    """Return the packages that may be removed: all that came with the client programs, if nothing else would go with them.

    :param record: what was written down when they were installed, C({packages, before, installed})
    :param trial: the result of a trial removal by apt or dnf; an empty one asks what to try
    :param present: names of the packages that the host has now
    """
    came = list(record.get("installed") or ())
    if not record.get("finished", bool(came)):
        # It was broken off between the installation and the record: only what was asked for is known.
        asked = [MODULE.sub(r"\1", name) for name in record.get("packages") or ()]
        came += [name for name in asked if name not in (*(record.get("before") or ()), *came)]
    if present is not None:
        came = [name for name in came if name in present]
    would_go = set(APT_LINE.findall(trial.get("stdout") or ""))
    would_go |= {match[1] for match in map(DNF_LINE.match, trial.get("results") or ()) if match}
    return came if would_go <= set(came) else []


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict:
        """Return the filters by name."""
        return {
            "client_packages": client_packages,
            "client_record": client_record,
            "packages_to_go": packages_to_go,
        }
