"""How much each portal was sent, for the rate bucket that all processes share."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder

ID = "2026-11-27T11:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Rate buckets"

STATEMENTS = (
    """CREATE TABLE rate_buckets (
        member_id TEXT PRIMARY KEY, backlog_ms BIGINT NOT NULL, at_ms BIGINT NOT NULL)""",
)


async def forwards() -> MigrationManager:
    """Create the table."""
    manager = MigrationManager(migration_id=ID, app_name="callbook", description=DESCRIPTION)

    async def create() -> None:
        engine = engine_finder()
        if engine is None:
            raise RuntimeError("PICCOLO_CONF names no engine")
        for statement in STATEMENTS:
            await engine.run_ddl(statement)

    manager.add_raw(create)
    return manager
