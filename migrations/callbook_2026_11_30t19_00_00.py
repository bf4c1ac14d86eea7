"""Portals that say they are gone, are silent or were forgotten: since when, and the vendor's answer."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T19:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Gone, silent and forgotten portals"

STATEMENTS = (
    "ALTER TABLE uninstall_checks ADD COLUMN is_unannounced BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE uninstall_checks ADD COLUMN is_accepted BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE uninstall_checks ADD COLUMN noted_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN dead_since BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE portals ADD COLUMN silence_warned_at BIGINT NOT NULL DEFAULT 0",
    "CREATE TABLE forgotten_portals (member_hash TEXT PRIMARY KEY, at BIGINT NOT NULL, until BIGINT)",
)


async def forwards() -> MigrationManager:
    """Add the columns and the table."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
