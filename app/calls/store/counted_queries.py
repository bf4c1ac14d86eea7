"""Which calls count, for every list, sum, chart and export: the one condition.

    counting = await find_counting(portal_id)
    CallTable.select(…).where(And(…, counted(counting)))

or, in hand-written SQL, COUNTED with `counting.counted_from` for its placeholder.
"""

from piccolo.columns.combination import WhereRaw

from app.calls.store.counted_calls import Counting
from app.calls.tables import StatisticsMarkTable

# A condition on `calls`, with Piccolo's placeholder.
COUNTED = "(is_confirmed OR NOT is_gone AND received_at >= {})"
_FIND = """
    SELECT m.looked_at, m.is_limited, m.counts_all FROM statistics_marks m
    JOIN portals p ON p.id = m.portal_id AND p.generation = m.generation WHERE m.portal_id = {}
"""


async def find_counting(portal_id: int) -> Counting:
    """The judgement of the last whole read; before the first one no call is in doubt."""
    rows = await StatisticsMarkTable.raw(_FIND, portal_id)
    if not rows:
        return Counting()
    return Counting(rows[0]["looked_at"], bool(rows[0]["is_limited"]), bool(rows[0]["counts_all"]))


def counted(counting: Counting) -> WhereRaw:
    """The condition for the calls that count: all but those that the statistics are known to lack. A call
    that they showed once and that is gone never counts, even if the owner of the token is not shown all
    calls.
    """
    return WhereRaw(COUNTED, counting.counted_from)
