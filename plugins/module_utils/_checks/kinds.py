# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of server the source is, how that shows, and how a setting is changed or a right is given there."""

from __future__ import annotations

from dataclasses import dataclass

from .._postgres.quoting import quote_identifier
from .context import SOURCE, Context


@dataclass(frozen=True)
class Kind:
    """A kind of source server; I(value) is what the service calls it.

    :param logical: name and value of the setting that stands in for C(wal_level=logical)
    :param setter: the command that changes a setting, with places for C({name}) and C({value})
    :param restart: how the server is restarted, as the end of a sentence
    :param replicate: the statement that lets C({user}) replicate
    :param roles: roles that only such a server has; I(settings) prefixes of settings, I(version) a word of C(version())
    """

    value: str
    label: str
    logical: tuple = ("wal_level", "logical")
    setter: str = "ALTER SYSTEM SET {name} = {value};"
    restart: str = "restart it"
    replicate: str = "ALTER ROLE {user} REPLICATION;"
    roles: tuple = ()
    settings: tuple = ()
    functions: tuple = ()
    version: str = ""

    def change(self, name: str, value, restart: bool = True) -> str:
        """Return the sentence that tells how a setting is changed on such a server."""
        command = self.setter.format(name=name, value=value)
        if restart:
            return f"On the source: {command} and {self.restart}"
        if self.setter.startswith("ALTER SYSTEM"):
            return f"On the source: {command} SELECT pg_reload_conf();"
        return f"On the source: {command}"

    def make_logical(self) -> str:
        """Return the sentence that tells how the log comes to hold what logical decoding needs."""
        return f"{self.change(*self.logical)}."

    def allow_replication(self, user: str) -> str:
        """Return the statement that lets I(user) replicate."""
        return f"On the source: {self.replicate.format(user=quote_identifier(user))}"


RDS = "aws rds modify-db-parameter-group --db-parameter-group-name GROUP --parameters ParameterName={name},ParameterValue={value},ApplyMethod=pending-reboot"
AURORA = RDS.replace(
    "modify-db-parameter-group --db-parameter-group-name",
    "modify-db-cluster-parameter-group --db-cluster-parameter-group-name",
)
CLOUD_SQL = (
    "gcloud sql instances patch INSTANCE --database-flags={name}={value} (together with every flag that is set already)"
)
ALLOYDB = (
    "gcloud alloydb instances update INSTANCE --cluster=CLUSTER --region=REGION --database-flags={name}={value} (together with "
    "every flag that is set already)"
)
SINGLE_SERVER = (
    "az postgres server configuration set --resource-group GROUP --server-name SERVER --name {name} --value {value}"
)
FLEXIBLE = "az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name {name} --value {value}"
CONSOLE = "set {name} = {value} in the service's console"

OWN = Kind("OnPremises", "a server of your own")

# In the order in which they are looked for: what is based on another comes first.
KINDS = (
    Kind(
        "AWS_AURORA",
        "Amazon Aurora",
        ("rds.logical_replication", "1"),
        AURORA,
        "reboot the writer instance",
        "GRANT rds_replication TO {user};",
        functions=("aurora_version",),
    ),
    Kind(
        "AWS_RDS",
        "Amazon RDS",
        ("rds.logical_replication", "1"),
        RDS,
        "reboot the instance",
        "GRANT rds_replication TO {user};",
        roles=("rdsadmin",),
        settings=("rds.",),
    ),
    Kind(
        "GCP_AlloyDB",
        "AlloyDB",
        ("alloydb.logical_decoding", "on"),
        ALLOYDB,
        "restart the instance",
        roles=("alloydbadmin", "alloydbsuperuser"),
        settings=("alloydb.",),
    ),
    Kind(
        "GCP_CloudSQL",
        "Cloud SQL",
        ("cloudsql.logical_decoding", "on"),
        CLOUD_SQL,
        "let it restart",
        roles=("cloudsqladmin", "cloudsqlsuperuser"),
        settings=("cloudsql.",),
    ),
    Kind(
        "PostgreSQLSingleServer",
        "Azure Database for PostgreSQL single server",
        ("azure.replication_support", "logical"),
        SINGLE_SERVER,
        "restart the server",
        roles=("azure_superuser",),
        settings=("azure.replication_support",),
    ),
    Kind(
        "PostgreSQLFlexibleServer",
        "Azure Database for PostgreSQL flexible server",
        ("wal_level", "logical"),
        FLEXIBLE,
        "restart the server",
        roles=("azuresu",),
        settings=("azure.extensions",),
    ),
    Kind(
        "EDB",
        "EDB Postgres",
        restart="restart it",
        roles=("enterprisedb",),
        settings=("edb_", "edb."),
        version="EnterpriseDB",
    ),
    Kind("Supabase_PostgreSQL", "Supabase", setter=CONSOLE, roles=("supabase_admin",)),
    Kind("Digital_Ocean_PostgreSQL", "DigitalOcean Managed PostgreSQL", setter=CONSOLE, roles=("doadmin",)),
)

# Values of 'source_type' that mean a server that somebody runs on a machine, wherever that is.
SELF_MANAGED = (
    "OnPremises",
    "AWS",
    "AWS_EC2",
    "AzureVM",
    "GCP",
    "GCP_Compute",
    "Huawei_Compute",
    "Digital_Ocean_Droplets",
)
VARIANTS = {"EDB_Oracle_Server": "EDB", "EDB_PostgreSQL": "EDB"}

EVIDENCE = """
SELECT pg_catalog.version() AS version,
       (SELECT pg_catalog.array_agg(s.name) FROM pg_catalog.pg_settings s WHERE s.name LIKE ANY (%(settings)s)) AS settings,
       (SELECT pg_catalog.array_agg(p.proname::text) FROM pg_catalog.pg_proc p WHERE p.proname = ANY (%(functions)s)) AS functions
"""


def detected(context: Context) -> tuple:
    """Return C((kind, sign)): what the source shows itself to be, and by what; M(OWN) and an empty text without a sign."""

    def read() -> tuple:
        prefixes = [prefix.replace("_", "\\_") + "%" for kind in KINDS for prefix in kind.settings]
        functions = [name for kind in KINDS for name in kind.functions]
        row = context.server(SOURCE).rows(EVIDENCE, {"settings": prefixes, "functions": functions})[0]
        roles = context.roles(SOURCE)
        for kind in KINDS:
            signs = [f"setting {name}" for name in row["settings"] or () if name.startswith(kind.settings)]
            signs += [f"role {name}" for name in kind.roles if name in roles]
            signs += [f"function {name}" for name in kind.functions if name in (row["functions"] or ())]
            if kind.version and kind.version in row["version"]:
                signs.append(f"version {row['version'].split(',')[0]}")
            if signs:
                return kind, signs[0]
        return OWN, ""

    return context.cached("kind detected", read)


def named(source_type: str) -> Kind:
    """Return the kind that a value of 'source_type' means."""
    if source_type in SELF_MANAGED:
        return Kind(source_type, f"{OWN.label} ({source_type})")
    for kind in KINDS:
        if kind.value == VARIANTS.get(source_type, source_type):
            return kind
    return Kind(source_type, source_type, setter=CONSOLE)


def source_type(context: Context) -> str:
    """Return what the user says that the source is, or an empty text."""
    return context.request.source_type or ""


def source_kind(context: Context) -> Kind:
    """Return what the source is: what the user says, else what it shows itself."""
    said = source_type(context)
    return named(said) if said else detected(context)[0]
