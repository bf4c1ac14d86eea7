"""`voximplant.statistic.get`."""

import string
from bisect import bisect_left, bisect_right

from app.demo.core.faults import Refusal
from app.demo.core.statistics import StatisticsRow, select_rows, sort_rows
from app.demo.rest.rest_call import Method, RestAnswer, RestCall, cut_page

_FIELD_LETTERS = string.ascii_uppercase + "_"


def list_calls(call: RestCall) -> RestAnswer:
    """api-reference/telephony/voximplant/voximplant-statistic-get.md

    A user without the right gets ACCESS_DENIED. For other users, the rows that they may not see are silently
    left out. A row may become visible late, after rows with a higher id. A key with an operator that this
    portal does not know is dropped, which widens the result (docs/bitrix24.md, "REST").
    """
    if call.user.statistics_right == "none":
        raise Refusal("ACCESS_DENIED", 403, "Access denied!")
    conditions = _without(call.parameter("FILTER"), call.portal.ignored_operators)
    rows = select_rows(_cut_by_id(call.state.statistics, conditions), conditions)
    now = call.stand_in.clock.now()
    rows = [row for row in rows if row.visible_at <= now]
    if call.user.statistics_right == "own":
        rows = [row for row in rows if row.user_id == call.user.id]
    rows = sort_rows(rows, call.parameter("SORT"), call.parameter("ORDER"))
    answer = cut_page(rows, call.parameter("start"))
    answer.result = [row.to_wire(call.state.utc_offset_s) for row in answer.result]
    return answer


def _without(conditions: object, operators: frozenset[str]) -> object:
    if not isinstance(conditions, dict) or not operators:
        return conditions
    return {
        key: value for key, value in conditions.items() if str(key).rstrip(_FIELD_LETTERS) not in operators
    }


def _cut_by_id(rows: list[StatisticsRow], conditions: object) -> list[StatisticsRow]:
    """The rows within plain bounds of ID. Rows lie in id order, so long histories need not be
    filtered whole.
    """
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
