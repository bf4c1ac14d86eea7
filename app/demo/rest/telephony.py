"""`voximplant.statistic.get`."""

from bisect import bisect_right

from app.demo.faults import Refusal
from app.demo.rest.request import Method, RestAnswer, RestCall, cut_page
from app.demo.statistics import StatisticsRow, select_rows, sort_rows


def list_calls(call: RestCall) -> RestAnswer:
    """api-reference/telephony/voximplant/voximplant-statistic-get.md

    ACCESS_DENIED without the right; otherwise rows are cut silently to what the token's user may see.
    """
    if call.user.statistics_right == "none":
        raise Refusal("ACCESS_DENIED", 403, "Access denied!")
    conditions = call.parameter("FILTER")
    rows = select_rows(_from_first_id(call.state.statistics, conditions), conditions)
    if call.user.statistics_right == "own":
        rows = [row for row in rows if row.user_id == call.user.id]
    rows = sort_rows(rows, call.parameter("SORT"), call.parameter("ORDER"))
    answer = cut_page(rows, call.parameter("start"))
    answer.result = [row.to_wire(call.state.utc_offset_s) for row in answer.result]
    return answer


def _from_first_id(rows: list[StatisticsRow], conditions: object) -> list[StatisticsRow]:
    """Skip what a plain `>ID` excludes anyway: rows lie in id order, and histories are long."""
    after = conditions.get(">ID") if isinstance(conditions, dict) else None
    if not isinstance(after, int | str) or not str(after).isdigit():
        return rows
    return rows[bisect_right(rows, int(after), key=lambda row: row.id) :]


METHODS = {"voximplant.statistic.get": Method(list_calls, ("telephony",))}
