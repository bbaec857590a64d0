# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft's Python libraries, imported when they are needed and not before.

The host provider, C(ansible-doc) and the sanity tests never need them.
"""

from __future__ import annotations

import importlib
import sys

from .._core.errors import DependencyMissing

PACKAGES = {
    "azure.identity": "azure-identity",
    "azure.core": "azure-core",
    "azure.mgmt.core": "azure-mgmt-core",
    "azure.mgmt.postgresqlflexibleservers": "azure-mgmt-postgresqlflexibleservers",
    "azure.mgmt.rdbms": "azure-mgmt-rdbms",
}
MINIMUM = "'azure-identity>=1.19.0' 'azure-mgmt-postgresqlflexibleservers>=2.0.0'"


def load(name: str):
    """Import a module of Microsoft's libraries.

    :raises DependencyMissing: with the command that installs what is missing
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = next(
            package for module, package in PACKAGES.items() if name == module or name.startswith(module + ".")
        )
        raise DependencyMissing(
            f"{sys.executable} cannot import {name} of {package} ({error}); provider 'azure' needs it.",
            f"Install it for that interpreter: {sys.executable} -m pip install {MINIMUM}; or point "
            "ansible_python_interpreter at one that has it.",
        ) from error


def postgresql_client():
    """Return the class C(PostgreSQLManagementClient).

    :raises DependencyMissing: when the library is missing, or too old to know of runtime servers
    """
    module = load("azure.mgmt.postgresqlflexibleservers")
    version = str(getattr(module, "__version__", "0"))
    major = version.split(".", maxsplit=1)[0]
    if not major.isdigit() or int(major) < 2:
        raise DependencyMissing(
            f"{sys.executable} has azure-mgmt-postgresqlflexibleservers {version}, expected 2.0.0 or newer.",
            f"{sys.executable} -m pip install {MINIMUM}",
        )
    return module.PostgreSQLManagementClient


def single_server_client():
    """Return azure-mgmt-rdbms's class C(PostgreSQLManagementClient) for Single Servers; None where it is not installed."""
    try:
        return load("azure.mgmt.rdbms.postgresql").PostgreSQLManagementClient
    except DependencyMissing:
        return None
