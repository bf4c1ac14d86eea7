"""voximplant.statistic.get of the stand-in."""

from typing import Any

import pytest

from app.demo.core.statistics import format_time, select_rows

METHOD = "voximplant.statistic.get"


@pytest.fixture
async def portal(bitrix: Any) -> Any:
    for minute in range(120):
        await bitrix.portal.end_call(
            lose=True,
            started_at=1_799_000_000 + minute * 60,
            user_id=12 if minute % 2 else 14,
            code="304" if minute % 3 == 0 else "200",
            call_id=f"call-{minute}",
        )
    return bitrix.portal


async def ids(bitrix: Any, parameters: dict[str, object]) -> list[int]:
    return [int(row["ID"]) for row in (await bitrix.call(METHOD, parameters)).json()["result"]]


async def test_pages_of_fifty(bitrix: Any, portal: Any) -> None:
    first = (await bitrix.call(METHOD)).json()
    assert (len(first["result"]), first["total"], first["next"]) == (50, 120, 50)
    last = (await bitrix.call(METHOD, {"start": 100})).json()
    assert (len(last["result"]), last["total"], "next" in last) == (20, 120, False)
    uncounted = (await bitrix.call(METHOD, {"start": -1})).json()
    assert len(uncounted["result"]) == 50
    assert not {"total", "next"} & set(uncounted)


async def test_ids_are_nearly_gapless_and_read_in_chains(bitrix: Any, portal: Any) -> None:
    seen: list[int] = []
    while page := await ids(
        bitrix, {"FILTER": {">ID": seen[-1] if seen else 0}, "SORT": "ID", "ORDER": "ASC", "start": -1}
    ):
        seen += page
    assert seen == [row.id for row in portal.state.statistics]
    assert 0 < seen[-1] - len(seen) < 10


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({">=ID": 3, "<=ID": "5"}, [3, 4, 5]),
        ({"><ID": [3, 5]}, [3, 4, 5]),
        ({"ID": [1, 7]}, [1, 7]),
        ({"<ID": 3}, [1, 2]),
        ({"CALL_ID": "call-0"}, [1]),
        ({"=CALL_ID": "call-1"}, [2]),
        ({"%CALL_ID": "ALL-11", "<ID": 15}, [12]),
        ({"!%CALL_ID": "call-1", "<ID": 4}, [1, 3]),
        ({"CALL_FAILED_CODE": "304", "<=ID": 4}, [1, 4]),
        ({"!CALL_FAILED_CODE": "304", "<=ID": 4}, [2, 3]),
        ({"!=PORTAL_USER_ID": "12", "<ID": 4}, [1, 3]),
        ({"@ID": [1], "<ID": 3}, [1, 2]),
        ({"~~ID": 1, "NO_SUCH": 1, "<ID": 3}, [1, 2]),
        ({">ID": [], "<ID": 3}, [1, 2]),
        ({">ID": [{"ID": "9"}], "<ID": 4}, [2, 3]),
        ({">=CALL_START_DATE": format_time(1_799_000_060, 7200), "<ID": 5}, [2, 3, 4]),
        ({"<CALL_START_DATE": format_time(1_799_000_060, 0)}, [1]),
    ],
)
async def test_filters(bitrix: Any, portal: Any, conditions: dict[str, object], expected: list[int]) -> None:
    rows = select_rows(portal.state.statistics, conditions)
    assert [row.id for row in rows] == expected


async def test_sort_and_order_count_only_together(bitrix: Any, portal: Any) -> None:
    newest = max(row.id for row in portal.state.statistics)
    assert (await ids(bitrix, {"SORT": "ID", "ORDER": "DESC"}))[0] == newest
    assert (await ids(bitrix, {"SORT": "ID"}))[0] == 1
    assert (await ids(bitrix, {"ORDER": "DESC"}))[0] == 1


async def test_rows_are_cut_to_what_the_user_may_see(bitrix: Any, portal: Any) -> None:
    token = portal.issue_pair(portal.operator).access_token
    own = (await bitrix.call(METHOD, {}, token)).json()
    assert own["total"] == 60
    assert {row["PORTAL_USER_ID"] for row in own["result"]} == {"12"}
    portal.operator.statistics_right = "none"
    denied = await bitrix.call(METHOD, {}, token)
    assert (denied.status_code, denied.json()["error"]) == (403, "ACCESS_DENIED")


async def test_values_are_text_or_null(bitrix: Any, portal: Any) -> None:
    portal.change_row(1, record_file_id=77, vote=5)
    row = (await bitrix.call(METHOD, {"FILTER": {"ID": 1}})).json()["result"][0]
    assert row.pop("RECORD_FILE_ID") == 77
    assert all(value is None or isinstance(value, str) for value in row.values())
    assert len(row) == 28
    assert row["CALL_START_DATE"].endswith("+01:00")
    assert row["CALL_VOTE"] == "5"
