"""Which calls count, for every list, sum, chart and export: the one condition.

    counting = await find_counting(portal_id)
    CallTable.select(…).where(And(…, counted(counting)))

or, in SQL of one's own, COUNTED with `counting.counted_from` for its placeholder.
"""

from piccolo.columns.combination import WhereRaw

from app.calls.store.counted_calls import Counting
from app.calls.tables import StatisticsMarkTable

# Of `calls`; Piccolo's placeholder.
COUNTED = "(is_confirmed OR NOT is_gone AND received_at >= {})"
_FIND = """
    SELECT m.looked_at, m.is_limited, m.counts_all FROM statistics_marks m
    JOIN portals p ON p.id = m.portal_id AND p.generation = m.generation WHERE m.portal_id = {}
"""


async def find_counting(portal_id: int) -> Counting:
    """What the last whole read said; nothing is doubted before there was one."""
    rows = await StatisticsMarkTable.raw(_FIND, portal_id)
    if not rows:
        return Counting()
    return Counting(rows[0]["looked_at"], bool(rows[0]["is_limited"]), bool(rows[0]["counts_all"]))


def counted(counting: Counting) -> WhereRaw:
    """The calls that count: all but those of which it is known that the statistics lack them. One that they
    showed and that is gone never does, whatever the owner's rights are.
    """
    return WhereRaw(COUNTED, counting.counted_from)
