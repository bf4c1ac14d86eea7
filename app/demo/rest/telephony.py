"""`voximplant.statistic.get`."""

from bisect import bisect_left, bisect_right

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
    rows = select_rows(_cut_by_id(call.state.statistics, conditions), conditions)
    if call.user.statistics_right == "own":
        rows = [row for row in rows if row.user_id == call.user.id]
    rows = sort_rows(rows, call.parameter("SORT"), call.parameter("ORDER"))
    answer = cut_page(rows, call.parameter("start"))
    answer.result = [row.to_wire(call.state.utc_offset_s) for row in answer.result]
    return answer


def _cut_by_id(rows: list[StatisticsRow], conditions: object) -> list[StatisticsRow]:
    """Skip what plain bounds of ID exclude anyway: rows lie in id order, and histories are long."""
    bounds = conditions if isinstance(conditions, dict) else {}
    start, end = 0, len(rows)
    if (after := _plain_number(bounds.get(">ID"))) is not None:
        start = bisect_right(rows, after, key=lambda row: row.id)
    if (first := _plain_number(bounds.get(">=ID"))) is not None:
        start = max(start, bisect_left(rows, first, key=lambda row: row.id))
    if (last := _plain_number(bounds.get("<=ID"))) is not None:
        end = bisect_right(rows, last, key=lambda row: row.id)
    return rows[start:end]


def _plain_number(value: object) -> int | None:
    return int(value) if isinstance(value, int | str) and str(value).isdigit() else None


METHODS = {"voximplant.statistic.get": Method(list_calls, ("telephony",))}
