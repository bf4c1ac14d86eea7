"""An answer that is no statistics ends a read; one bad row ends nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.bitrix24.errors import BitrixError
from app.bitrix24.rest.portal_client import BatchAnswer, Command
from app.calls.oddities.undecodable_events import list_undecodable
from app.calls.statistics.fetch.range_requests import StatisticsRefusedError
from app.calls.statistics.progress.mark_queries import find_mark
from app.portals.model import Portal
from tests.calls.statistics.fetch.fake_statistics import FakeAccess, Reading


@pytest.mark.quick
async def test_a_filter_that_is_not_applied_ends_the_read(reading: Reading) -> None:
    class Deaf(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return super().answer({**parameters, "FILTER": {}})

    await reading.read(FakeAccess(reading.make_row(900)))
    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Deaf(*(reading.make_row(i, call_id=f"call.{i}") for i in range(1, 120))))
    assert caught.value.code == "filter_not_applied"
    assert len(await reading.calls()) == 1


async def test_an_order_that_is_not_applied_ends_the_read(reading: Reading) -> None:
    class Disorderly(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return super().answer({**parameters, "SORT": ""})

    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Disorderly(reading.make_row(1), reading.make_row(2)))
    assert caught.value.code == "order_not_applied"


@pytest.mark.parametrize("result", [None, "x", {"1": {}}, [1], [{"ID": None}], [{}]])
async def test_an_answer_that_is_no_list_of_rows_is_refused(reading: Reading, result: object) -> None:
    class Odd(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            return result

    await reading.read(FakeAccess(reading.make_row()))
    with pytest.raises(StatisticsRefusedError):
        await reading.read(Odd())


@pytest.mark.parametrize("what", ["fails", "is missing"])
async def test_a_command_that_fails_is_asked_again_and_the_mark_waits_for_it(
    reading: Reading, what: str
) -> None:
    class Flaky(FakeAccess):
        async def batch(self, portal: Portal, commands: Mapping[str, Command]) -> BatchAnswer:
            answer = await super().batch(portal, commands)
            if len(self.requests) < 4:
                name = [*commands][-1]
                del answer.results[name]
                if what == "fails":
                    answer.errors[name] = BitrixError("internal_server_error", 500)
            return answer

    await reading.read(FakeAccess(reading.make_row(1)))
    access = Flaky(*(reading.make_row(i, call_id=f"call.{i}") for i in range(1, 120)))
    assert (await reading.read(access)).rows == 119
    assert len(await reading.calls()) == 119


async def test_a_row_in_which_something_cannot_be_read_is_a_call_all_the_same(reading: Reading) -> None:
    access = FakeAccess(reading.make_row(record_url="https://x.example/?token=secret"))
    access.wire_changes = {"CALL_DURATION": "long", "CALL_ID": None, "CALL_TYPE": "9"}
    for _ in range(2):
        result = await reading.read(access)
        assert (result.rows, result.undecodable) == (1, 1)
    (call,) = await reading.calls()
    assert (call["call_id"], call["duration_s"], call["type"]) == ("statistics.1", None, None)
    assert (call["phone_number"], bool(call["is_confirmed"])) == ("+12025550123", True)
    (kept,) = await list_undecodable(reading.portal.id)
    assert (kept.event, kept.data["CALL_DURATION"]) == ("voximplant.statistic.get", "long")
    assert {"CALL_ID is missing", "CALL_TYPE is not one of 1 to 5"} <= set(kept.reason.split("; "))
    assert "secret" not in str(kept.data)


@pytest.mark.quick
async def test_a_row_without_an_id_is_kept_and_the_mark_does_not_claim_it(reading: Reading) -> None:
    class Odd(FakeAccess):
        def answer(self, parameters: Mapping[str, Any]) -> Any:
            rows = super().answer(parameters)
            return [*rows, {"ID": None, "CALL_ID": "lost"}] if rows else rows

    await reading.read(FakeAccess())
    before = await find_mark(reading.portal.id, reading.portal.generation)
    assert before is not None
    with pytest.raises(StatisticsRefusedError) as caught:
        await reading.read(Odd(reading.make_row()))
    assert caught.value.code == "row_without_id"
    mark = await find_mark(reading.portal.id, reading.portal.generation)
    assert mark is not None
    assert (mark.high_id, mark.read_up_to, mark.looked_at) == (0, before.read_up_to, before.looked_at)
    assert [call["call_id"] for call in await reading.calls()] == ["call.1"]
    assert [event.data["CALL_ID"] for event in await list_undecodable(reading.portal.id)] == ["lost"]
