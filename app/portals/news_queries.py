"""Notifications from one process to the others through PostgreSQL, and the proof that a connection lives."""

import asyncpg

from app.kit.storage.database import Database

CHANNEL = "callbook"
ALL = "*"  # The payload when so many portals changed that their ids do not fit.
LONGEST_PAYLOAD = 7_900  # PostgreSQL takes 8,000 bytes.
ANSWERED_WITHIN_S = 10


async def notify(portal_id: int, origin: str, database: Database) -> None:
    """Tell the listening processes of a change; in a transaction they hear it at the commit."""
    await database.run("SELECT pg_notify($1, $2)", CHANNEL, f"{origin}{portal_id}")


async def beat(connection: asyncpg.Connection) -> None:
    """Let the server answer; raises the driver's error if it does not."""
    await connection.execute("SELECT 1", timeout=ANSWERED_WITHIN_S)
