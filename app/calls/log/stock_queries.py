"""The whole log of a portal in figures, for the page of its settings; each figure counts only calls that the
viewer may see.
"""

import msgspec
from piccolo.query.functions import Count, Min

from app.calls.log.column_queries import short_or_null
from app.calls.log.selection.visibility_queries import is_visible
from app.calls.tables import CallTable
from app.kit.text import original
from app.portals.settings.visible_users import Visible

RECENT_CALLS = 20_000
MAX_LINES = 1_000


class Stock(msgspec.Struct, frozen=True):
    """How many calls there are, and when the oldest of them began (None without any)."""

    calls: int
    oldest_at: int | None


async def find_stock(portal_id: int, visible: Visible) -> Stock:
    """The number of calls, and the start of the oldest."""
    rows = await CallTable.select(
        Count(CallTable.id, alias="calls"), Min(CallTable.started_at, alias="oldest_at")
    ).where(is_visible(portal_id, visible))
    return Stock(rows[0]["calls"], rows[0]["oldest_at"])


async def count_before(portal_id: int, visible: Visible, moment: int) -> int:
    """How many calls began before this moment."""
    condition = is_visible(portal_id, visible)
    count: int = await CallTable.count().where(condition).where(CallTable.started_at < moment)
    return count


async def list_lines(portal_id: int, visible: Visible) -> list[str]:
    """The portal numbers of the newest calls, as the portal wrote them, sorted."""
    newest = (
        CallTable.select(short_or_null(CallTable.portal_number))
        .where(is_visible(portal_id, visible))
        .order_by(CallTable.started_at, ascending=False)
        .limit(RECENT_CALLS)
    )
    statement = "SELECT DISTINCT portal_number FROM ({}) AS newest LIMIT {}"
    rows = await CallTable.raw(statement, newest.querystrings[0], MAX_LINES)
    return sorted(original(row["portal_number"]) for row in rows if row["portal_number"])
