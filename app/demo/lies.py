"""The lies of hostile portals, method by method; tests use the same `Lie` for single false answers."""

from typing import Any

from app.demo.core.faults import Lie
from app.demo.core.statistics import StatisticsRow
from app.demo.rest.rest_call import PAGE_SIZE, RestAnswer, RestCall

STATISTICS = "voximplant.statistic.get"
ROWS_A_S = 1_000  # The newest id grows by this number each second, so that no reader reaches the end.
TOTAL = 10**9
FAT_TEXT = "x" * 20_000
DEPARTMENTS_OF_A_USER = 2_000
WILD = {
    "CALL_DURATION": "1e400",
    "COST": "NaN",
    "CALL_TYPE": "9" * 5_000,
    "PORTAL_USER_ID": "-9223372036854775809",
    "CALL_START_DATE": "99999-99-99T99:99:99+99:99",
    "CRM_ACTIVITY_ID": str(10**40),
    "CALL_VOTE": [[[[]]]],
}


def endless_statistics(_: RestAnswer, call: RestCall) -> RestAnswer:
    """Fifty more rows for every filter, and always more behind them."""
    asked = call.parameter("FILTER")
    bounds = asked if isinstance(asked, dict) else {}
    newest = call.stand_in.clock.now() % 1_000_000 * ROWS_A_S
    after = _number(bounds, (">ID", ">=ID"), newest - PAGE_SIZE)
    last = min(after + PAGE_SIZE, _number(bounds, ("<ID", "<=ID"), after + PAGE_SIZE))
    ids = range(after + 1, last + 1)
    ordered = reversed(ids) if call.text("ORDER").upper() == "DESC" else ids
    return RestAnswer([_invent_row(call, number) for number in ordered], TOTAL, PAGE_SIZE)


def fat_texts(answer: RestAnswer, _: RestCall) -> RestAnswer:
    """Rows of the statistics with texts of 20,000 characters."""
    return _change_rows(answer, dict.fromkeys(("CALL_FAILED_REASON", "COMMENT", "CALL_LOG"), FAT_TEXT))


def wild_numbers(answer: RestAnswer, _: RestCall) -> RestAnswer:
    """Rows with numbers and times that fit no type of ours."""
    return _change_rows(answer, WILD)


def wild_days(answer: RestAnswer, _: RestCall) -> RestAnswer:
    """A license with more days left than any calendar has."""
    return RestAnswer(answer.result | {"DAYS": 10**18})


def endless_users(_: RestAnswer, call: RestCall) -> RestAnswer:
    """Fifty more users on each page, each in 2,000 departments."""
    start = _number({"start": call.parameter("start")}, ("start",), 0)
    departments = list(range(1, DEPARTMENTS_OF_A_USER + 1))
    people = [
        {"ID": str(1_000 + number), "NAME": FAT_TEXT[:500], "ACTIVE": True, "UF_DEPARTMENT": departments}
        for number in range(start, start + PAGE_SIZE)
    ]
    return RestAnswer(people, TOTAL, start + PAGE_SIZE)


def endless_departments(_: RestAnswer, call: RestCall) -> RestAnswer:
    """Fifty more departments on each page."""
    start = _number({"start": call.parameter("start")}, ("start",), 0)
    rows = [
        {"ID": str(number + 1), "NAME": FAT_TEXT[:500], "PARENT": str(number)}
        for number in range(start, start + PAGE_SIZE)
    ]
    return RestAnswer(rows, TOTAL, start + PAGE_SIZE)


def _change_rows(answer: RestAnswer, changes: dict[str, Any]) -> RestAnswer:
    return RestAnswer([row | changes for row in answer.result], answer.total, answer.next)


def _invent_row(call: RestCall, number: int) -> dict[str, Any]:
    row = StatisticsRow(
        id=number,
        call_id=f"invented.{number}",
        call_type=2,
        phone_number="+12025550199",
        portal_number="reg1",
        user_id=call.user.id,
        started_at=call.stand_in.clock.now() - 60,
        duration_s=1,
    )
    return row.to_wire(call.state.utc_offset_s)


def _number(given: dict[str, Any], names: tuple[str, ...], otherwise: int) -> int:
    found = next((str(given[name]) for name in names if str(given.get(name, "")).isdigit()), None)
    return otherwise if found is None else int(found)


ENDLESS_STATISTICS = Lie(operation=STATISTICS, change=endless_statistics)
FAT_TEXTS = Lie(operation=STATISTICS, change=fat_texts)
WILD_NUMBERS = (
    Lie(operation=STATISTICS, change=wild_numbers),
    Lie(operation="portal.app.info", change=wild_days),
)
INVENTED_PEOPLE = (
    Lie(operation="user.get", change=endless_users),
    Lie(operation="department.get", change=endless_departments),
)
