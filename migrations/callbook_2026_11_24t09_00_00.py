"""The progress of reading each portal's call statistics: the history, and the mark that moves forward."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-24T09:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Statistics marks"

STATEMENTS = (
    """CREATE TABLE statistics_marks (
        portal_id BIGINT PRIMARY KEY, generation INTEGER NOT NULL,
        token_user_id BIGINT NOT NULL, history_state TEXT NOT NULL,
        top_id BIGINT, low_id BIGINT NOT NULL, bottom_id BIGINT NOT NULL, high_id BIGINT NOT NULL,
        read_up_to BIGINT, rows_done BIGINT NOT NULL, rows_total BIGINT NOT NULL,
        batch_pages INTEGER NOT NULL, range_width BIGINT NOT NULL, failures INTEGER NOT NULL,
        failure_code TEXT, next_at BIGINT NOT NULL, claimed_until BIGINT NOT NULL)""",
)


async def forwards() -> MigrationManager:
    """Create the table."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
