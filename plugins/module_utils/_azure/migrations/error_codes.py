# Copyright (c) 2026, azpg.migrate developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service's error codes and the texts of its engine: what they mean and what to do about them."""

from __future__ import annotations

import re
from dataclasses import dataclass

CODE = re.compile(r"\b603\d{3}\b")
NETWORK, LOGIN, SETTINGS, PRIVILEGE, SCHEMA, SERVICE = "network", "login", "settings", "privilege", "schema", "service"


@dataclass(frozen=True)
class Explanation:
    """What a code, or a piece of text, means; I(code) is empty for a text without one."""

    code: str
    kind: str
    meaning: str
    remedy: str

    def as_dict(self) -> dict:
        """Return it as a dictionary, ready for JSON."""
        return {"code": self.code, "kind": self.kind, "meaning": self.meaning, "remedy": self.remedy}


SUPPORT = "Run the migration again; open a support case with Microsoft when it stays."
TABLE = (
    ("603000", NETWORK, "The runtime server cannot reach a server.",
     "Look at DNS, peering, security groups, routes, and pg_hba.conf between the runtime server's subnet and that server."),
    ("603001", NETWORK, "The server does not speak TLS.",
     "Switch TLS on there ('ssl = on'), or set 'source.sslmode: prefer'."),
    ("603100", LOGIN, "A password is wrong.", "Correct 'source.password' or 'target.password'."),
    ("603101", SETTINGS, "The database exists on the target.",
     "Drop it there, or name it in 'overwrite_databases' to have it replaced."),
    ("603102", SETTINGS, "The database does not exist on the source.", "Correct 'databases'; case counts."),
    ("603103", SETTINGS, "Roles of Microsoft Entra are missing on the target.",
     "Create them there with pgaadauth_create_principal."),
    ("603104", PRIVILEGE, "The source's user may not replicate.",
     "ALTER ROLE <user> REPLICATION on the source; on Amazon RDS, GRANT rds_replication TO <user>."),
    ("603105", SETTINGS, "The source has too few replication slots free.",
     "Raise max_replication_slots, or drop slots that nobody uses; keep max_wal_senders at least as large."),
    ("603106", SETTINGS, "max_wal_senders is smaller than max_replication_slots on the source.",
     "Raise max_wal_senders on the source and restart it."),
    ("603107", SETTINGS, "wal_level of the source is not logical.", "Set wal_level = logical on the source and restart it."),
    ("603108", SETTINGS, "Extensions are not allow-listed on the target.",
     "Add them to the server parameter azure.extensions of the target."),
    ("603109", SETTINGS, "Extensions are not loaded on the target.",
     "Add them to the server parameter shared_preload_libraries of the target and restart it."),
    ("603110", PRIVILEGE, "The source's user does not own the database, or may not read and write there.",
     "Make it the owner, or grant it the rights."),
    ("603111", PRIVILEGE, "The target's user may not end sessions there.",
     "GRANT pg_signal_backend TO <user> on the target, or end the sessions on its database."),
    ("603112", SETTINGS, "default_transaction_read_only cannot be switched off on the source.",
     "Set default_transaction_read_only = off on the source."),
    ("603113", SETTINGS, "Cutover was asked for a database that has ended.", "Look at the migration's state again."),
    ("603114", SETTINGS, "Cutover was asked of an offline migration.", "An offline migration needs no cutover."),
    ("603115", PRIVILEGE, "The target's user is no member of azure_pg_admin.", "GRANT azure_pg_admin TO <user> on the target."),
    ("603116", PRIVILEGE, "The target's user may not create roles.", "ALTER ROLE <user> CREATEROLE on the target."),
    ("603117", PRIVILEGE, "The target's user may not drop the database there.", "Drop it as its owner."),
    ("603400", SCHEMA, "The source's version is too old for the service.", "Move it with provider 'host', or upgrade the source first."),
    ("603401", SCHEMA, "The database's collation does not exist on the target.",
     "Create the database anew with another collation on the source."),
    ("603402", SCHEMA, "Collations of columns do not exist on the target.", "Change them on the source."),
    ("603403", SCHEMA, "There are user-defined collations.", "Drop them on the source, or move with provider 'host'."),
    ("603404", SCHEMA, "There are tables WITH OIDS.", "ALTER TABLE <table> SET WITHOUT OIDS on the source."),
    ("603405", SCHEMA, "The service or the target does not support an extension.",
     "Drop the extension on the source, or let the target skip it with azure.migration_skip_extensions."),
    ("603406", SCHEMA, "The target has PostGIS 3.2.3 only, which does not fit.", "Use a target of a higher major version."),
    ("603407", SCHEMA, "An extension lies in a system schema.", "Drop it on the source and create it in another schema."),
    ("603408", SCHEMA, "The target's version 16 does not have an extension.",
     "Use a target of version 15 at the most, and upgrade later."),
    ("603409", SCHEMA, "There are user-defined casts.", "Drop them on the source, or move with provider 'host'."),
    ("603410", PRIVILEGE, "There are privileges on system catalogues.", "REVOKE them in each database of the source."),
    ("603413", SCHEMA, "There are languages that the target does not support.", "Drop them with their functions on the source."),
    ("603700", PRIVILEGE, "The service could not clean up on the target.",
     "GRANT pg_signal_backend TO <user> on the target, and end the sessions on its databases."),
    ("603701", SERVICE, "Roles could not be created on the target.", "Create them with module roles and set 'migrate_roles: false'."),
    ("603702", SERVICE, "Roles could not be read from the source.", "Create them with module roles and set 'migrate_roles: false'."),
    ("603703", SERVICE, "The roles that were read could not be prepared.",
     "Create them with module roles and set 'migrate_roles: false'."),
    ("603704", SERVICE, "Memberships of roles could not be granted.", SUPPORT),
    ("603705", SERVICE, "Privileges could not be restored.", "Restore them with module roles."),
    ("603706", SERVICE, "The service could not take back its user's memberships.",
     "Revoke those that the target's user does not need."),
    ("603707", SERVICE, "azure_pg_admin could not be granted to the source's administrator.", SUPPORT),
    ("603708", SERVICE, "The owner of the schema public could not be changed.",
     "ALTER SCHEMA public OWNER TO azure_pg_admin in each database of the target."),
    ("603709", SERVICE, "The service could not set the migration up.", SUPPORT),
    ("CL003", PRIVILEGE, "Sessions on the target could not be ended.", "GRANT pg_signal_backend TO <user> on the target."),
    ("ST008", NETWORK, "The runtime server cannot reach the source.",
     "Look at DNS, peering, security groups, routes, and pg_hba.conf."),
)  # fmt: skip
KEEPALIVES = "Set tcp_keepalives_idle, tcp_keepalives_interval and tcp_keepalives_count to 10, 10 and 60 on both servers, and run again."
# Texts without a code, as PostgreSQL and its client programs write them.
TEXTS = (
    (("server closed the connection unexpectedly", "ssl syscall error", "unexpected eof on client connection",
      "connection reset by peer"), NETWORK, "A connection was lost, most often one that had been idle.", KEEPALIVES),
    (("idle-in-transaction timeout",), SETTINGS, "A server ended a session that waited.",
     "Set idle_in_transaction_session_timeout = 0 until the migration is over."),
    (("out of shared memory",), SETTINGS, "The lock table of a server is too small for that many tables.",
     "Raise max_locks_per_transaction on the target and restart it."),
    (("must be superuser to create a base type",), SCHEMA, "There are user-defined base types.",
     "Replace them on the source; no managed server has them."),
    (("user defined collations", "collation/encoding not supported"), SCHEMA, "There are user-defined collations.",
     "Drop them on the source, or move with provider 'host'."),
    (("no pg_hba.conf entry",), NETWORK, "The server refuses the runtime server's address.",
     "Add the runtime server's subnet to pg_hba.conf there."),
    (("could not find free replication state slot",), SETTINGS, "The target has too few replication origins free.",
     "Raise max_replication_slots on the target to the number of databases and one, and restart it."),
    (("is not allow-listed",), SETTINGS, "An extension is not allow-listed on the target.",
     "Add it to the server parameter azure.extensions of the target."),
    (("unsupported extension",), SCHEMA, "The service or the target does not support an extension.",
     "Drop the extension on the source, or move with provider 'host'."),
    (("already an active migration",), SERVICE, "Another migration is active on the target.",
     "Wait for its end; one at a time is all that a target takes."),
    (("authentication failed",), LOGIN, "A login failed: wrong password, or the network keeps the runtime server out.",
     "Correct the password, then look at pg_hba.conf and security groups."),
)  # fmt: skip
BY_CODE = {row[0]: Explanation(*row) for row in TABLE}


def explain(text: str) -> list:
    """Return what is known of a text of the service, as explanations: its codes first, else what it says."""
    codes = [*CODE.findall(text), *(old for old in ("CL003", "ST008") if old in text)]
    found = [
        BY_CODE.get(
            code, Explanation(code, SERVICE, "The service's documentation does not explain this code.", SUPPORT)
        )
        for code in dict.fromkeys(codes)
    ]
    if found:
        return found
    plain = text.lower()
    return [
        Explanation("", kind, meaning, remedy)
        for pieces, kind, meaning, remedy in TEXTS
        if any(piece in plain for piece in pieces)
    ]
