"""Deletion of many rows in short steps, between which others have their turn."""

from piccolo.columns.combination import And, Where
from piccolo.table import Table

from app.kit.storage.database import patiently

ROWS_A_STEP = 500  # An event waits some ten milliseconds for a step; a row may hold 30 KB of text.


async def delete_some(table: type[Table], condition: Where | And) -> bool:
    """Delete some of the rows that match the condition; False when none is left.

    A step that deleted no row does not prove that none is left. On PostgreSQL the step may have waited for
    another eraser that deleted the same rows and then died, with other rows left.
    """
    key = table._meta.primary_key  # noqa: SLF001  Piccolo has no public name for it.
    some = table.select(key).where(condition).limit(ROWS_A_STEP)
    async with patiently(table):
        rows = await table.delete().where(And(condition, key.is_in(some))).returning(key)
    return bool(rows) or bool(await table.exists().where(condition))
