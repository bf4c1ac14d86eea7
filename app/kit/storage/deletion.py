"""Deleting many rows in steps, between which others have their turn; nobody waits for a deletion."""

from piccolo.columns.combination import And, Where
from piccolo.table import Table

from app.kit.storage.database import patiently

ROWS_A_STEP = 500  # Some ten milliseconds, for which an event waits; a row may hold 30 KB of text.


async def delete_some(table: type[Table], condition: Where | And) -> bool:
    """Delete some of the rows of which the condition holds; False when none is left.

    To have deleted no row is not that: on PostgreSQL a statement that waited for another eraser finds its
    rows gone, and that other one may have died before the rows after them.
    """
    key = table._meta.primary_key  # noqa: SLF001  Piccolo has no public name for it.
    some = table.select(key).where(condition).limit(ROWS_A_STEP)
    async with patiently(table):
        rows = await table.delete().where(And(condition, key.is_in(some))).returning(key)
    return bool(rows) or bool(await table.exists().where(condition))
