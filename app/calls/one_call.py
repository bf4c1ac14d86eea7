"""Asking a portal for the rows of one call, by its CALL_ID.

Documentation: api-reference/telephony/voximplant/voximplant-statistic-get.md.
"""

from app.bitrix24.call_end import Undecodable
from app.bitrix24.rest import Command
from app.bitrix24.statistics import StatisticsRecord, read_statistics_row
from app.calls.asking import MALFORMED, METHOD, WITHOUT_ID, StatisticsAccess, StatisticsRefusedError
from app.calls.plan import PAGE_ROWS
from app.portals.model import Portal


async def ask_for_call(access: StatisticsAccess, portal: Portal, call_id: str) -> list[StatisticsRecord]:
    """The rows that the portal shows of this call: its legs.

    Raises what PortalAccess raises, and StatisticsRefusedError when others come, as they do where a filter is
    not understood.
    """
    command: Command = (
        METHOD,
        {"FILTER": {"CALL_ID": call_id}, "SORT": "ID", "ORDER": "ASC", "start": -1},
    )
    answer = await access.batch(portal, {"call": command})
    for error in answer.errors.values():
        raise error
    rows = answer.results.get("call")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise StatisticsRefusedError(MALFORMED)
    if any(row.get("CALL_ID") != call_id or not row.get("ID") for row in rows):
        raise StatisticsRefusedError("filter_not_applied")
    try:
        return [read_statistics_row(row)[0] for row in rows[:PAGE_ROWS]]
    except Undecodable as error:  # An ID that is there and is none.
        raise StatisticsRefusedError(WITHOUT_ID) from error
