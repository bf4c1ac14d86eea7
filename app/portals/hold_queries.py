"""Holding a portal's row, so that nothing is written under an installation that has ended, nor erased under
one that has begun.
"""

from app.kit.storage.database import Database
from app.portals.tables import PortalTable


async def hold_installation(portal_id: int, generation: int, database: Database) -> bool:
    """Whether the portal is installed in this generation; within a transaction, that stays so to its end."""
    query = PortalTable.select(PortalTable.id).where(
        (PortalTable.id == portal_id)
        & (PortalTable.generation == generation)
        & (PortalTable.state == "installed")
    )
    rows = await (query if database.is_sqlite else query.lock_rows("SHARE"))
    return bool(rows)


async def hold_uninstalled(portal_id: int, database: Database) -> bool:
    """Whether the portal is not installed; within a transaction, that stays so to its end."""
    query = PortalTable.select(PortalTable.id).where(
        (PortalTable.id == portal_id) & (PortalTable.state == "uninstalled")
    )
    rows = await (query if database.is_sqlite else query.lock_rows("SHARE"))
    return bool(rows)
