"""The service's premigration checks, in the shape of Microsoft's examples."""

from __future__ import annotations

from tests.azure_simulator import wire

SERVER_CHECKS = ("AuthenticationAndConnectivityValidation", "SourceVersionValidation", "ServerParametersValidation")
DATABASE_CHECKS = ("SchemaValidation", "ExtensionsValidation", "CollationsValidation")


def prerequisites(migration) -> str | None:
    """Return what keeps the service from starting at all, or None."""
    runtime_id = migration.sent.get("migrationInstanceResourceId")
    if runtime_id:
        runtime = migration.cloud.find(runtime_id)
        if runtime is None:
            return f"603709: Set-up failed: the migration runtime server '{runtime_id}' was not found."
        if runtime.properties["state"] != "Ready":
            return f"603709: Set-up failed: the migration runtime server is in state '{runtime.properties['state']}'."
    return None


def replication_needed(migration) -> bool:
    return False


def set_up_replication(migration) -> None:
    pass


def existing_databases(migration) -> list[str]:
    return []


def judge(migration, began: float, ended: float) -> dict:
    """Return `validationDetails`."""
    troubles = []
    for kind, state in (("validation_fails", "Failed"), ("validation_warns", "Warning")):
        trouble = migration.troubles.for_migration(kind, migration.id)
        if trouble is not None:
            code, text = trouble.words.get("code", 603405), trouble.words.get("message", "Validation did not succeed.")
            check = trouble.words.get("kind_of_check", "ExtensionsValidation")
            database = trouble.words.get("database", migration.databases[0])
            troubles.append(
                (check, None if check in SERVER_CHECKS else database, state, f"{code}: {text}" if code else text)
            )

    def item(check: str, database: str | None) -> dict:
        messages = [{"state": state, "message": text} for c, d, state, text in troubles if c == check and d == database]
        states = {one["state"] for one in messages}
        state = "Failed" if "Failed" in states else "Warning" if states else "Succeeded"
        return {"type": check, "state": state, **({"messages": messages} if messages else {})}

    states = {state for _check, _database, state, _text in troubles}
    return {
        "status": "Failed" if "Failed" in states else "Warning" if states else "Succeeded",
        "validationStartTimeInUtc": wire.stamp(began),
        "validationEndTimeInUtc": wire.stamp(ended),
        "serverLevelValidationDetails": [item(check, None) for check in SERVER_CHECKS],
        "dbLevelValidationDetails": [
            {
                "databaseName": name,
                "startedOn": wire.stamp(began),
                "endedOn": wire.stamp(ended),
                "summary": [item(check, name) for check in DATABASE_CHECKS],
            }
            for name in migration.databases
        ],
    }
