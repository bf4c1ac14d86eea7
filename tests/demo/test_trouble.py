"""The stand-in's behaviour as a portal that is slow, cut off or late."""

from typing import Any

import httpx
import pytest

METHOD = "voximplant.statistic.get"


async def read_ids(bitrix: Any, parameters: Any) -> list[int]:
    return [int(row["ID"]) for row in (await bitrix.call(METHOD, parameters)).json()["result"]]


async def test_half_an_answer_breaks_off_and_its_work_is_done(bitrix: Any) -> None:
    bitrix.stand_in.fail("event.bind", network="half", times=1)
    parameters = {"event": "ONAPPUPDATE", "handler": "http://x"}
    with pytest.raises(httpx.RemoteProtocolError):
        await bitrix.call("event.bind", parameters)
    assert len(bitrix.portal.installation.events) == 1
    again = await bitrix.call("event.bind", parameters)
    assert again.json()["error"] == "ERROR_CORE"


async def test_a_request_that_would_take_more_than_a_minute_is_cut_off(bitrix: Any) -> None:
    bitrix.portal.execution_s = 2.0
    commands = {f"c{index}": METHOD for index in range(31)}
    assert (await bitrix.call("batch", {"cmd": commands})).status_code == 504
    commands.popitem()
    assert (await bitrix.call("batch", {"cmd": commands})).status_code == 200
    assert bitrix.portal.operating.read(f"{bitrix.stand_in.client_id} {METHOD}")[1] == 2.0 * 61


async def test_commands_for_which_no_time_was_left_have_neither_result_nor_error(bitrix: Any) -> None:
    bitrix.portal.most_commands = 2
    answer = await bitrix.call("batch", {"cmd": dict.fromkeys("abc", "profile")})
    parts = answer.json()["result"]
    assert (set(parts["result"]), parts["result_error"]) == ({"a", "b"}, [])


async def test_a_row_becomes_visible_late_after_rows_with_a_higher_id(bitrix: Any, clock: Any) -> None:
    late = (await bitrix.portal.end_call(lose=True, visible_after_s=3600)).rows[0]
    row = (await bitrix.portal.end_call(lose=True)).rows[0]
    assert await read_ids(bitrix, {}) == [row.id]
    clock.advance(3600)
    assert await read_ids(bitrix, {}) == [late.id, row.id]


async def test_an_operator_that_a_portal_does_not_know_widens_the_result(bitrix: Any) -> None:
    ids = [(await bitrix.portal.end_call(lose=True)).rows[0].id for _ in range(3)]
    conditions = {"FILTER": {">=ID": ids[1], "<=ID": ids[1]}}
    assert await read_ids(bitrix, conditions) == ids[1:2]
    bitrix.portal.ignored_operators = frozenset({"<="})
    assert await read_ids(bitrix, conditions) == ids[1:]
