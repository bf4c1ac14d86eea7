"""The preferences of users, and the views of the log that they save."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T13:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Preferences and saved views"

STATEMENTS = (
    """CREATE TABLE user_preferences (
        id {identity}, portal_id BIGINT NOT NULL, user_id BIGINT NOT NULL, columns TEXT, theme TEXT)""",
    "CREATE UNIQUE INDEX user_preferences_user ON user_preferences (portal_id, user_id)",
    """CREATE TABLE saved_views (
        id {identity}, portal_id BIGINT NOT NULL, user_id BIGINT NOT NULL, name TEXT NOT NULL,
        is_shared BOOLEAN NOT NULL, parameters TEXT NOT NULL, columns TEXT NOT NULL)""",
    "CREATE INDEX saved_views_portal ON saved_views (portal_id, user_id)",
)


async def forwards() -> MigrationManager:
    """Create the tables."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
