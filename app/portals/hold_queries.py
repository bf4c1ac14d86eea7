"""Locks on a portal's row: nothing is written for an installation that has ended, and nothing is erased from
one that has begun.
"""

from app.kit.storage.database import Database
from app.portals.tables import PortalTable


async def hold_installation(portal_id: int, generation: int, database: Database) -> bool:
    """Whether the portal is installed in this generation; the answer holds until the transaction ends."""
    query = PortalTable.select(PortalTable.id).where(
        (PortalTable.id == portal_id)
        & (PortalTable.generation == generation)
        & (PortalTable.state == "installed")
    )
    rows = await (query if database.is_sqlite else query.lock_rows("SHARE"))
    return bool(rows)


async def hold_uninstalled(portal_id: int, database: Database) -> bool:
    """Whether the portal is uninstalled; the answer holds until the transaction ends."""
    query = PortalTable.select(PortalTable.id).where(
        (PortalTable.id == portal_id) & (PortalTable.state == "uninstalled")
    )
    rows = await (query if database.is_sqlite else query.lock_rows("SHARE"))
    return bool(rows)
