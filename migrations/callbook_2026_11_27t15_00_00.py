"""The basis of visibility: departments and their members, system users, and each portal's settings."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T15:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Departments and settings"

STATEMENTS = (
    "ALTER TABLE people ADD COLUMN is_listed BOOLEAN NOT NULL DEFAULT TRUE",
    """CREATE TABLE departments (
        id {identity}, portal_id BIGINT NOT NULL, department_id BIGINT NOT NULL, name TEXT NOT NULL,
        parent_id BIGINT, head_id BIGINT)""",
    "CREATE UNIQUE INDEX departments_portal ON departments (portal_id, department_id)",
    """CREATE TABLE department_members (
        id {identity}, portal_id BIGINT NOT NULL, department_id BIGINT NOT NULL, user_id BIGINT NOT NULL)""",
    """CREATE UNIQUE INDEX department_members_portal
        ON department_members (portal_id, department_id, user_id)""",
    "CREATE INDEX department_members_user ON department_members (portal_id, user_id)",
    "CREATE TABLE structures (portal_id BIGINT PRIMARY KEY, state TEXT NOT NULL, read_at BIGINT NOT NULL)",
    """CREATE TABLE portal_settings (
        portal_id BIGINT PRIMARY KEY, admins_see TEXT NOT NULL, heads_see TEXT NOT NULL,
        employees_see TEXT NOT NULL, time_zone TEXT NOT NULL, locale TEXT NOT NULL,
        line_names TEXT NOT NULL, retention_months INTEGER,
        changed_at BIGINT NOT NULL, changed_by BIGINT NOT NULL)""",
)


async def forwards() -> MigrationManager:
    """Create the tables."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
