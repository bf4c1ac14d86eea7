"""What one process tells the others through PostgreSQL, and whether the connection that listens lives."""

import asyncpg

from app.kit.storage.database import Database

CHANNEL = "callbook"
ALL = "*"  # The payload when so many portals changed that their ids do not fit.
LONGEST_PAYLOAD = 7_900  # PostgreSQL takes 8,000 bytes.
ANSWERED_WITHIN_S = 10


async def notify(portal_id: int, origin: str, database: Database) -> None:
    """Tell the processes that listen of a change; within a transaction, once it is committed."""
    await database.run("SELECT pg_notify($1, $2)", CHANNEL, f"{origin}{portal_id}")


async def beat(connection: asyncpg.Connection) -> None:
    """Let the server answer; raises what the driver raises when it does not."""
    await connection.execute("SELECT 1", timeout=ANSWERED_WITHIN_S)
