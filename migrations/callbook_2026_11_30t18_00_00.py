"""Audits compare the portal's own count of its rows with ours; a mark keeps its earlier positions."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T18:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Audits"

STATEMENTS = (
    "ALTER TABLE call_legs ADD COLUMN lacked_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN audited_at BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN unequal_since BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN audit_offset BIGINT NOT NULL DEFAULT 0",
    *(
        f"ALTER TABLE statistics_marks ADD COLUMN {name} BIGINT NOT NULL DEFAULT 0"
        for name in ("hour_id", "hour_at", "hour_before_id", "day_id", "day_at", "day_before_id")
    ),
    """UPDATE statistics_marks SET audited_at = looked_at, hour_id = high_id, hour_before_id = high_id,
        day_id = high_id, day_before_id = high_id""",
)


async def forwards() -> MigrationManager:
    """Add the columns; "complete up to" stays as it is until the first daily read compares the counts."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
