"""Exports over HTTP: exactly the filtered rows, in order, whole or visibly broken, and few at once."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from app.demo.stand_in import StandIn
from app.kit.fairness.query_turns import QueryTooSlowError
from app.portals.model import Portal
from tests.patience import wait_until
from tests.running import Callbook, FakeClock
from tests.web.browsing import Tab, install, open_tab
from tests.web.exports.workbooks import read_sheet
from tests.web.logged_calls import NOW, insert_calls, insert_legs

MANY = 2_300  # More than two batches.
ADMIN, OPERATOR = 1, 12


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def list_ids(content: bytes) -> list[str]:
    return [line["Call ID"] for line in read_csv(content)]


async def export(tab: Tab, **parameters: Any) -> httpx.Response:
    answer = await tab.get("/api/v1/calls.csv", **parameters)
    assert answer.status_code == 200, answer.text
    return answer


async def read_pages(tab: Tab, **parameters: Any) -> list[str]:
    ids: list[str] = []
    cursor = None
    while True:
        page = (await tab.get("/api/v1/calls", limit=500, cursor=cursor or "", **parameters)).json()
        ids += [item["call_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return ids


def make_many() -> list[dict[str, Any]]:
    return [
        {
            "call_id": f"m-{number}",
            "user_id": (ADMIN, OPERATOR)[number % 2],
            "started_at": NOW - number // 3,
            "duration_s": None if number % 7 == 0 else number % 90,
            "code": ("200", "304")[number % 5 == 0],
            "phone_number": f"+1202555{number:04}",
        }
        for number in range(MANY)
    ]


@pytest.mark.quick
async def test_the_file_has_exactly_the_rows_of_the_list_in_its_order(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many())
    tab = await open_tab(callbook, stand_in.portals[0])
    for asked in (
        {},
        {"sort": "started_at"},
        {"sort": "-duration_s"},
        {"outcome": "missed", "sort": "duration_s"},
        {"operator": OPERATOR, "q": "(202) 555-00"},
        {"q": "999999"},
    ):
        expected = await read_pages(tab, **asked)
        assert list_ids((await export(tab, **asked)).content) == expected, asked


async def test_a_viewer_of_their_own_calls_exports_only_those(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many()[:60])
    tab = await open_tab(callbook, stand_in.portals[0], user=OPERATOR)
    lines = read_csv((await export(tab)).content)
    assert len(lines) == 30
    assert {line["Employee"] for line in lines} == {"Jonas Falk"}
    framed = await tab.get("/log/export/csv")
    assert len(read_csv(read_frames(framed.content)[1])) == 30


async def test_a_workbook_has_the_same_rows_and_the_tab_gets_the_same_workbook(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many())
    tab = await open_tab(callbook, stand_in.portals[0])
    asked = {"outcome": "missed", "sort": "duration_s"}
    answer = await tab.get("/api/v1/calls.xlsx", **asked)
    assert answer.headers["Content-Type"].endswith("spreadsheetml.sheet")
    assert answer.headers["Content-Disposition"].endswith('.xlsx"')
    _, *lines = read_sheet(answer.content)
    assert [line["T"].text for line in lines] == await read_pages(tab, **asked)
    progress, file = read_frames((await tab.get("/log/export/xlsx", **asked)).content)
    assert [line["T"].text for line in read_sheet(file)[1:]] == [line["T"].text for line in lines]
    assert progress[0] == {"rows": 460, "of": 460, "bytes": 0, "end": False}


async def test_columns_are_those_that_are_asked_for_in_their_order_and_all_without(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    rated = {"vote": 4, "comment": "Asked for an offer", "cost_e4": 2500, "currency": "EUR"}
    await insert_calls(portal_id, rated)
    tab = await open_tab(callbook, stand_in.portals[0])
    asked = "comment,number,call,vote,cost"
    heads = ["Comment", "Number", "Direction", "Outcome", "Vote", "Cost", "Currency"]
    for path in ("/api/v1/calls.csv", "/log/export/csv"):
        answer = await tab.get(path, columns=asked)
        content = answer.content if path.startswith("/api") else read_frames(answer.content)[1]
        (line,) = read_csv(content)
        assert list(line) == heads
        assert (line["Comment"], line["Vote"], line["Cost"]) == ("Asked for an offer", "4", "0.25")
    cells = read_sheet((await tab.get("/api/v1/calls.xlsx", columns=asked)).content)
    assert [cell.text for cell in cells[0].values()] == heads
    assert (cells[1]["E"].kind, cells[1]["E"].text) == ("n", "4")
    (every,) = read_csv((await export(tab)).content)
    assert {*heads, "Department", "Recording", "Legs", "In the statistics", "Call ID"} <= every.keys()
    refused = await tab.get("/api/v1/calls.csv", columns="number,secret")
    assert (refused.status_code, refused.json()["code"]) == (400, "bad_parameter")


async def test_departments_legs_and_people_without_a_name_stand_in_the_file_as_in_the_log(
    callbook: Callbook, stand_in: StandIn
) -> None:
    portal = stand_in.portals[0]
    portal_id = await install(callbook, portal)
    tab = await open_tab(callbook, portal)
    await callbook.settle()
    nobody = {"call_id": "n", "user_id": None, "started_at": NOW - 9}
    robot = {"call_id": "r", "user_id": None, "type": 5, "started_at": NOW - 8}
    await insert_calls(portal_id, {"call_id": "a", "user_id": OPERATOR}, robot, nobody)
    await insert_legs(portal_id, "a", (ADMIN, "304", 0), (OPERATOR, "200", 65))
    answered, informed, missed = read_csv((await export(tab)).content)
    assert answered["Department"] == "Sales"
    assert answered["Legs"] == "Clara Winter · Missed · 0:00:00; Jonas Falk · Answered · 0:01:05"
    assert (informed["Employee"], informed["Legs"]) == ("Robot", "")
    assert missed["Employee"] == ""


async def test_headers_name_the_file_and_forbid_keeping_it(callbook: Callbook, stand_in: StandIn) -> None:
    await install(callbook, stand_in.portals[0])
    answer = await export(await open_tab(callbook, stand_in.portals[0]))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="callbook-2026-11-18.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers


async def test_times_are_in_the_zone_of_the_user(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, {"started_at": NOW, "call_id": "z"})
    tab = await open_tab(callbook, stand_in.portals[0])  # Europe/Berlin.
    (line,) = read_csv((await export(tab)).content)
    assert line["Time (Europe/Berlin)"] == "2026-11-18 12:06:40"


async def test_a_wrong_parameter_is_refused_as_in_the_list(callbook: Callbook, stand_in: StandIn) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    for path in ("/api/v1/calls.csv", "/log/export/csv"):
        answer = await tab.get(path, outcome="nonsense")
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert (await tab.get("/log/export/exe")).status_code == 404
    assert callbook.parts.export_places.count == 0


def read_frames(content: bytes) -> tuple[list[dict[str, Any]], bytes]:
    """The lines of progress, and the file between them."""
    lines, file = [], b""
    while content:
        line, _, content = content.partition(b"\n")
        progress = json.loads(line)
        lines.append(progress)
        file, content = file + content[: progress["bytes"]], content[progress["bytes"] :]
    return lines, file


async def test_the_tab_is_told_how_far_an_export_is(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many()[:700])
    tab = await open_tab(callbook, stand_in.portals[0])
    lines, file = read_frames((await tab.get("/log/export/csv", outcome="missed")).content)
    rows = [line["rows"] for line in lines]
    assert rows == sorted(rows)
    assert [line["of"] for line in lines] == [140] * len(lines)
    assert lines[-1] == {"rows": 140, "of": 140, "bytes": 0, "end": True}
    assert [line["end"] for line in lines[:-1]] == [False] * (len(lines) - 1)
    assert file == (await export(tab, outcome="missed")).content


@pytest.mark.quick
@pytest.mark.parametrize("path", ["/api/v1/calls.csv", "/log/export/csv"])
async def test_an_export_that_breaks_never_looks_complete(
    callbook: Callbook, stand_in: StandIn, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An uninstall comes in its middle: the second batch is refused, and the connection is cut."""
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many())
    tab = await open_tab(callbook, stand_in.portals[0])
    received, looks, find_portal = bytearray(), 0, callbook.parts.sessions.find_portal

    async def find_until_the_second_batch(asked: int) -> Portal | None:
        nonlocal looks
        looks += 1
        if looks == 3:  # The request itself and each batch check that the portal is still installed.
            await callbook.run_sql("UPDATE portals SET generation = generation + 1")
        return await find_portal(asked)

    monkeypatch.setattr(callbook.parts.sessions, "find_portal", find_until_the_second_batch)

    async def read() -> None:
        headers = {"Authorization": f"Bearer {tab.token}"}
        async with callbook.client.stream("GET", path, headers=headers) as answer:
            assert answer.status_code == 200
            async for chunk in answer.aiter_raw(256):
                received.extend(chunk)

    with pytest.raises(httpx.RemoteProtocolError):
        await read()
    assert b"m-0" in received
    assert b'"end":true' not in received
    assert callbook.parts.export_places.count == 0


async def test_a_second_export_of_a_user_waits_its_turn(callbook: Callbook, stand_in: StandIn) -> None:
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])
    with callbook.parts.export_places.take(1, ADMIN):
        answer = await tab.get("/api/v1/calls.csv")
        assert answer.status_code == 429
        assert answer.json()["code"] == "too_many_exports"
        assert answer.headers["Retry-After"] == "10"
    assert (await tab.get("/api/v1/calls.csv")).status_code == 200


async def test_an_export_that_gets_no_place_counts_nothing_either(
    callbook: Callbook, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count reads every call; a count that fails gives the place back."""
    await install(callbook, stand_in.portals[0])
    tab = await open_tab(callbook, stand_in.portals[0])

    async def fail(*_: object) -> int:
        raise ConnectionError("nobody may ask for this")

    monkeypatch.setattr("app.web.exports.endpoints.count_calls", fail)
    with callbook.parts.export_places.take(1, ADMIN):
        assert (await tab.get("/log/export/csv")).status_code == 429
    assert (await tab.get("/log/export/csv")).status_code == 503
    assert callbook.parts.export_places.count == 0


async def test_an_export_whose_calls_take_too_long_to_count_has_no_total(
    callbook: Callbook, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert_calls(await install(callbook, stand_in.portals[0]), {}, {})
    tab = await open_tab(callbook, stand_in.portals[0])

    async def take_too_long(*_: object) -> int:
        raise QueryTooSlowError

    monkeypatch.setattr("app.web.exports.endpoints.count_calls", take_too_long)
    answer = await tab.get("/log/export/csv")
    assert answer.status_code == 200
    progress, _ = read_frames(answer.content)
    assert {line["of"] for line in progress[:-1]} == {None}
    assert progress[-1] == {"rows": 2, "of": 2, "bytes": 0, "end": True}


async def test_a_client_that_hangs_up_makes_room_at_once(callbook: Callbook, stand_in: StandIn) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many())
    tab = await open_tab(callbook, stand_in.portals[0])
    headers = {"Authorization": f"Bearer {tab.token}"}
    async with callbook.client.stream("GET", "/api/v1/calls.csv", headers=headers) as answer:
        assert answer.status_code == 200
    await wait_until(lambda: not callbook.parts.export_places.count)


async def test_a_slow_export_ends_ten_minutes_after_it_began(
    callbook: Callbook, stand_in: StandIn, clock: FakeClock
) -> None:
    portal_id = await install(callbook, stand_in.portals[0])
    await insert_calls(portal_id, *make_many())
    tab = await open_tab(callbook, stand_in.portals[0])
    clock.advance(599)
    headers = {"Authorization": f"Bearer {tab.token}"}
    async with callbook.client.stream("GET", "/api/v1/calls.csv", headers=headers) as answer:
        clock.advance(300)
        assert len(list_ids(b"".join([chunk async for chunk in answer.aiter_raw()]))) == MANY
