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
# apt says "Remv NAME [VERSION]" or "Purg NAME [VERSION]", dnf "Removed: NAME-VERSION-RELEASE.ARCHITECTURE".
APT_LINE = re.compile(r"^(?:Remv|Purg) ([a-z0-9][a-z0-9+.-]*)", re.MULTILINE)
DNF_LINE = re.compile(r"^Removed: (.+)-[^-]+-[^-]+$")


def client_packages(facts, major, origin, packages=None, repository=None, repository_key=None) -> dict:
    """Return C({family, packages, repository}) for a host of these facts; C(repository) is None or where packages come from."""
    family = {"Debian": "debian", "RedHat": "redhat"}.get(facts.get("os_family"))
    if family is None:
        raise AnsibleFilterError(
            f"Client programs can be installed on the Debian and Red Hat families, and this host is {facts.get('distribution')} "
            f"of the family {facts.get('os_family')}. Install them yourself, and leave 'azpg_client_programs' at 'present'."
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
        found = {"url": repository, "suite": f"{release}-pgdg", "key": repository_key}
        return {"family": family, "packages": [f"postgresql-client-{major}"], "repository": found}
    release = facts.get("distribution_major_version")
    url = f"{repository}/{major}/redhat/rhel-{release}-$basearch"
    found = {"url": url, "suite": None, "key": repository_key}
    return {"family": family, "packages": [f"postgresql{major}"], "repository": found}


def of_distribution(family: str, facts: dict, major) -> list:
    """Return the distribution's own package of a major version."""
    if family == "debian":
        return [f"postgresql-client-{major}"]
    # 8 and 9 have one stream for each major version; 10 has gone back to plain packages.
    modular = str(facts.get("distribution_major_version")) in ("8", "9")
    return [f"@postgresql:{major}/client"] if modular else ["postgresql"]


def packages_to_go(record, trial, present=None) -> list:
    """Return the packages that may be removed: all that came with the client programs, if nothing else would go with them.

    :param record: what was written down when they were installed, C({packages, before, installed})
    :param trial: the result of a trial removal by apt or dnf; an empty one asks what to try
    :param present: names of the packages that the host has now
    """
    came = list(record.get("installed") or ())
    if not came:
        # It was broken off between the installation and the record: only what was asked for is known.
        came = [name for name in record.get("packages") or () if name not in (record.get("before") or ())]
    if present is not None:
        came = [name for name in came if name in present]
    would_go = set(APT_LINE.findall(trial.get("stdout") or ""))
    would_go |= {match[1] for match in map(DNF_LINE.match, trial.get("results") or ()) if match}
    return came if would_go <= set(came) else []


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict:
        """Return the filters by name."""
        return {"client_packages": client_packages, "packages_to_go": packages_to_go}
