"""A leg that only an event told decides nothing once its call has rows; operators of further legs can be
found.

Events with the same start may differ, so the start no longer identifies a telling.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T16:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Tellings and rows"

STATEMENTS = (
    "ALTER TABLE call_legs ADD COLUMN told INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE call_legs ADD COLUMN gone_at BIGINT",
    "DROP INDEX call_legs_event",
    "ALTER TABLE calls ADD COLUMN sum_duration_s BIGINT",
    "ALTER TABLE calls ADD COLUMN sum_cost_e4 BIGINT",
    """CREATE TABLE call_operators (
        id {identity}, portal_id BIGINT NOT NULL, user_id BIGINT NOT NULL, call_id TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX call_operators_user ON call_operators (portal_id, user_id, call_id)",
    "CREATE INDEX call_operators_call ON call_operators (portal_id, call_id)",
    # The operators of stored calls with several legs.
    """INSERT INTO call_operators (portal_id, user_id, call_id)
        SELECT DISTINCT l.portal_id, l.user_id, l.call_id FROM call_legs l
        JOIN calls c ON c.portal_id = l.portal_id AND c.call_id = l.call_id
        WHERE l.statistics_id IS NOT NULL AND l.user_id IS NOT NULL
        AND (c.user_id IS NULL OR c.user_id <> l.user_id)""",
    """UPDATE calls SET sum_duration_s = s.duration_s, sum_cost_e4 = s.cost_e4 FROM (
        SELECT portal_id, call_id, SUM(duration_s) AS duration_s, SUM(cost_e4) AS cost_e4 FROM call_legs
        WHERE statistics_id IS NOT NULL GROUP BY portal_id, call_id
        HAVING COUNT(*) > 1 AND COUNT(DISTINCT currency) < 2) s
        WHERE calls.portal_id = s.portal_id AND calls.call_id = s.call_id""",
)


async def forwards() -> MigrationManager:
    """Add the columns and the table, and fill them from the stored legs."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
