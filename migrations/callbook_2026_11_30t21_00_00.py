"""An audit outlives its turn and its doubts outlive a crash; a call in doubt counts only while several
operators' calls are hidden from the token's owner.
"""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from app.kit.storage.migrations import make_manager

ID = "2026-11-30T21:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Audits over turns"

STATEMENTS = (
    "ALTER TABLE statistics_marks ADD COLUMN counts_all BOOLEAN NOT NULL DEFAULT FALSE",
    "ALTER TABLE statistics_marks ADD COLUMN suspected_from BIGINT",
    "ALTER TABLE statistics_marks ADD COLUMN audit_state TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE statistics_marks ADD COLUMN audit_tries INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN audit_next_at BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE statistics_marks ADD COLUMN audit_slice_id BIGINT NOT NULL DEFAULT 0",
)


async def forwards() -> MigrationManager:
    """Add the columns; the next whole read of each portal fills them."""
    return make_manager(ID, DESCRIPTION, STATEMENTS)
