"""The facts of a call that only reads tell (vote, comment, confirmation), and the time of the next read."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-27T09:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Reconciliation"

STATEMENTS = (
    "ALTER TABLE calls ADD COLUMN vote BIGINT",
    "ALTER TABLE calls ADD COLUMN comment TEXT",
    "ALTER TABLE calls ADD COLUMN is_confirmed BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE call_legs ADD COLUMN vote BIGINT",
    "ALTER TABLE call_legs ADD COLUMN comment TEXT",
    """UPDATE calls SET is_confirmed = TRUE WHERE EXISTS (SELECT 1 FROM call_legs l
        WHERE l.portal_id = calls.portal_id AND l.call_id = calls.call_id AND l.statistics_id IS NOT NULL)""",
    "ALTER TABLE statistics_marks ADD COLUMN next_read_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN evidence_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN late_facts_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN full_read_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN looked_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN is_limited BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE statistics_marks ADD COLUMN pass_low_id BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN pass_bottom_id BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN pass_since BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN pass_looked_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN pass_began_at BIGINT",
)


async def forwards() -> MigrationManager:
    """Add the columns. A stored call is confirmed when a row of the statistics told of it."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
