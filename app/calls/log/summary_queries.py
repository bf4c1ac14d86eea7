"""The sums of a list of calls, in one statement; calls that the portal's statistics lack are left out."""

import msgspec
from piccolo.columns.combination import And
from piccolo.query.methods.select import SelectRaw

from app.calls.log.selection.filter_queries import IS_MISSED, matching
from app.calls.log.selection.filters import Filters
from app.calls.log.selection.visibility_queries import is_visible
from app.calls.store.counted_queries import counted, find_counting
from app.calls.store.outcome import OUTCOME_BY_CODE
from app.calls.tables import CallTable
from app.portals.settings.visible_users import Visible

COUNTED_CALLS = 100_000
_ANSWERED = next(code for code, outcome in OUTCOME_BY_CODE.items() if outcome == "answered")
LONGEST_S = 10**9  # A greater number is no duration, and SQLite could not add many of them.
# The sum of a call's rows, as on Bitrix24's own page.
_TALK = "COALESCE(sum_duration_s, duration_s) AS talk_s"
_STATEMENT = f"""
    SELECT COUNT(*) AS calls,
    COALESCE(SUM(CASE WHEN code = '{_ANSWERED}' THEN 1 ELSE 0 END), 0) AS answered,
    COALESCE(SUM(CASE WHEN {IS_MISSED} THEN 1 ELSE 0 END), 0) AS missed,
    COALESCE(SUM(CASE WHEN COALESCE(code, '') = '' THEN 1 ELSE 0 END), 0) AS unknown,
    COALESCE(SUM(CASE WHEN code = '{_ANSWERED}' AND talk_s BETWEEN 1 AND {LONGEST_S}
        THEN talk_s ELSE 0 END), 0) AS talk_s
    FROM ({{}}) AS counted
"""  # noqa: S608  Constants of ours.


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of calls, and the seconds that the answered calls lasted. Of more than 100,000 calls only the
    newest count (`is_partial`).
    """

    calls: int
    answered: int
    missed: int
    unknown: int
    talk_s: int

    @property
    def is_partial(self) -> bool:
        """Whether there are more calls than COUNTED_CALLS."""
        return self.calls > COUNTED_CALLS

    @property
    def answer_rate(self) -> float | None:
        """The fraction of answered calls among those with a known outcome; None without any."""
        known = self.calls - self.unknown
        return self.answered / known if known else None


async def summarize(portal_id: int, visible: Visible, filters: Filters) -> Summary:
    """The summary of the newest 100,000 calls that match the filters and are counted (decision 0014)."""
    counting = await find_counting(portal_id)
    newest = (
        CallTable.select(CallTable.code, CallTable.type, SelectRaw(_TALK))
        .where(And(And(is_visible(portal_id, visible), matching(portal_id, filters)), counted(counting)))
        .order_by(CallTable.started_at, ascending=False)
        .limit(COUNTED_CALLS + 1)
    )
    (row,) = await CallTable.raw(_STATEMENT, newest.querystrings[0])
    return Summary(**{name: int(row[name]) for name in Summary.__struct_fields__})
