"""SQLite's write-ahead log is moved into its file off the commit path.

The engine lets a commit do it after 20,000 pages, and that commit's requests wait (40 ms at a million rows).
A passive checkpoint on a connection of its own does the same beside them, and waits for nobody.
"""

from app.kit.database import Database
from app.kit.sqlite_engine import KeptSQLiteEngine


async def move_log_into_file(database: Database) -> None:
    """Checkpoint as far as readers let us; on PostgreSQL, which does it by itself, nothing."""
    engine = database.engine
    if not isinstance(engine, KeptSQLiteEngine):
        return
    connection = await engine.get_connection()
    try:
        await connection.execute_fetchall("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        await connection.close()
